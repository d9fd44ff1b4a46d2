/** An account's totals, and what one more entry does to them. Pure. */
import { type AccountType, CHART, type Side } from './chart.ts'
import type { AccountId } from './ids.ts'
import type { Currency } from './money.ts'

/** What an account is not open for. Rare, so that most accounts have none. */
export interface Restrictions {
  /** No new movement may debit it. What was reserved before may still be posted. */
  readonly debitsFrozen: boolean
  readonly creditsFrozen: boolean
  readonly isClosed: boolean
  /** What happened until then is booked later, in the period that is open. */
  readonly closedThrough: Date | null
}

/** A row of `accounts`. Totals are minor units of its currency. */
export interface Account {
  readonly id: AccountId
  readonly type: AccountType
  readonly currency: Currency
  readonly floor: bigint | null
  readonly debitsPosted: bigint
  readonly creditsPosted: bigint
  readonly debitsPending: bigint
  readonly creditsPending: bigint
  readonly lastEntry: bigint
  readonly restrictions: Restrictions | null
}

/** What each kind does to the pending and posted totals of both accounts, per unit of amount. */
const EFFECT = {
  single: { pending: 0n, posted: 1n },
  pending: { pending: 1n, posted: 0n },
  post: { pending: -1n, posted: 1n },
  void: { pending: -1n, posted: 0n },
  reversal: { pending: 0n, posted: 1n },
} as const satisfies Record<string, { pending: bigint; posted: bigint }>

export type TransferKind = keyof typeof EFFECT

/** The largest bigint of Postgres: no total may pass it. */
const TOTAL_MAX = 2n ** 63n - 1n

/**
 * `account` after one more entry on its `side`. Written out: this runs twice for every transfer.
 */
export function moved(account: Account, side: Side, kind: TransferKind, amount: bigint): Account {
  const pending = EFFECT[kind].pending * amount
  const posted = EFFECT[kind].posted * amount
  const isDebit = side === 'debit'
  return {
    id: account.id,
    type: account.type,
    currency: account.currency,
    floor: account.floor,
    debitsPosted: isDebit ? account.debitsPosted + posted : account.debitsPosted,
    creditsPosted: isDebit ? account.creditsPosted : account.creditsPosted + posted,
    debitsPending: isDebit ? account.debitsPending + pending : account.debitsPending,
    creditsPending: isDebit ? account.creditsPending : account.creditsPending + pending,
    lastEntry: account.lastEntry + 1n,
    restrictions: account.restrictions,
  }
}

export const isTooLarge = (account: Account): boolean =>
  account.debitsPosted + account.debitsPending > TOTAL_MAX ||
  account.creditsPosted + account.creditsPending > TOTAL_MAX

/** Whether a movement took available money that was not there. Money coming in is never refused. */
export function fallsBelowFloor(before: Account, after: Account): boolean {
  if (after.floor === null) return false
  const available = availableBalance(after)
  return available < after.floor && available < availableBalance(before)
}

const normalSideOf = ({ type }: Pick<Account, 'type'>): Side => CHART[type].normalSide

/** Settled money, on the account's normal side. */
export function postedBalance(account: Account): bigint {
  const balance = account.creditsPosted - account.debitsPosted
  return normalSideOf(account) === 'credit' ? balance : -balance
}

/** What may still leave: posted, less what is reserved to leave. */
export function availableBalance(account: Account): bigint {
  const isCredit = normalSideOf(account) === 'credit'
  return postedBalance(account) - (isCredit ? account.debitsPending : account.creditsPending)
}
