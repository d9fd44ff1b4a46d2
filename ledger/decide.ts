/**
 * The rules of money, as one pure function: accounts and units in, verdicts and rows out.
 *
 * Units are decided in order, each against what the ones before it left. A unit is accepted as a
 * whole or refused as a whole, and a refused one changes nothing. Within a unit every single
 * transfer must hold, so no account is ever below its floor, not even between two of its entries.
 */
import type { Side } from './chart.ts'
import type { LedgerErrorCode } from './errors.ts'
import { type AccountId, transferIdAt, type TransferId, type UnitId, type Uuid } from './ids.ts'
import type { Currency, Money } from './money.ts'

interface Common {
  /** Why, in one word of the business: payment, fee, top_up. Opaque to the ledger. */
  readonly code: string
  /** What it is for: a payment's or an instruction's id. Opaque to the ledger. */
  readonly reference: Uuid
  /** When it happened in the world. */
  readonly effectiveAt: Date
}

/** `single` moves money now; `pending` reserves it. */
export interface Movement extends Common {
  readonly kind: 'single' | 'pending'
  readonly debit: AccountId
  readonly credit: AccountId
  readonly money: Money
}

/** `post` completes a pending transfer; `void` releases it. */
export interface Resolution extends Common {
  readonly kind: 'post' | 'void'
  readonly pendingId: TransferId
}

export type NewTransfer = Movement | Resolution
export type TransferKind = NewTransfer['kind']

/** Transfers that happen together or not at all. Transfer n gets the id `transferIdAt(id, n)`. */
export interface NewUnit {
  readonly id: UnitId
  readonly transfers: readonly NewTransfer[]
}

/** A row of `accounts`. Totals are minor units of its currency. */
export interface Account {
  readonly id: AccountId
  readonly currency: Currency
  readonly normalSide: Side
  readonly floor: bigint | null
  readonly debitsPosted: bigint
  readonly creditsPosted: bigint
  readonly debitsPending: bigint
  readonly creditsPending: bigint
  readonly lastEntry: bigint
}

/** A row of `transfers`. */
export interface Transfer extends Common {
  readonly id: TransferId
  readonly kind: TransferKind
  readonly debit: AccountId
  readonly credit: AccountId
  readonly money: Money
  readonly pendingId: TransferId | null
  readonly debitEntry: bigint
  readonly creditEntry: bigint
  readonly debitBalance: bigint
  readonly creditBalance: bigint
}

/** A pending transfer that a unit wants to resolve. */
export interface Pending {
  readonly debit: AccountId
  readonly credit: AccountId
  readonly money: Money
  readonly resolved: boolean
}

/** Everything the units may touch, as it stands under lock. */
export interface Books {
  readonly accounts: ReadonlyMap<AccountId, Account>
  readonly pendings: ReadonlyMap<TransferId, Pending>
}

export type Verdict =
  | { readonly accepted: true; readonly transfers: readonly Transfer[] }
  | { readonly accepted: false; readonly code: LedgerErrorCode }

export interface Decision {
  /** One for each unit, in the units' order. */
  readonly verdicts: readonly Verdict[]
  /** The rows to insert, in the order in which they happened. */
  readonly transfers: readonly Transfer[]
  /** The accounts that changed, as they must be written. */
  readonly accounts: readonly Account[]
}

/** What each kind does to the pending and posted totals of both accounts, per unit of amount. */
const EFFECT = {
  single: { pending: 0n, posted: 1n },
  pending: { pending: 1n, posted: 0n },
  post: { pending: -1n, posted: 1n },
  void: { pending: -1n, posted: 0n },
} as const satisfies Record<TransferKind, { pending: bigint; posted: bigint }>

/** The largest bigint of Postgres: no total may pass it. */
const TOTAL_MAX = 2n ** 63n - 1n

export function decide(books: Books, units: readonly NewUnit[]): Decision {
  const changed = new Map<AccountId, Account>()
  const pendings = new Map(books.pendings)
  const transfers: Transfer[] = []
  const verdicts = units.map((unit) => {
    const draft: Draft = { books, changed, pendings, accounts: new Map(), resolutions: new Map() }
    const verdict = verdictOn(draft, unit)
    if (verdict.accepted) {
      for (const [id, account] of draft.accounts) changed.set(id, account)
      for (const [id, pending] of draft.resolutions) pendings.set(id, pending)
      transfers.push(...verdict.transfers)
    }
    return verdict
  })
  return { verdicts, transfers, accounts: [...changed.values()] }
}

/** One unit's changes, kept apart until the whole of it is accepted. */
interface Draft {
  readonly books: Books
  readonly changed: ReadonlyMap<AccountId, Account>
  readonly pendings: ReadonlyMap<TransferId, Pending>
  readonly accounts: Map<AccountId, Account>
  readonly resolutions: Map<TransferId, Pending>
}

function verdictOn(draft: Draft, unit: NewUnit): Verdict {
  const transfers: Transfer[] = []
  for (const [index, transfer] of unit.transfers.entries()) {
    const outcome = apply(draft, transferIdAt(unit.id, index), transfer)
    if (typeof outcome === 'string') return { accepted: false, code: outcome }
    transfers.push(outcome)
  }
  return { accepted: true, transfers }
}

/** The row that `transfer` becomes, with the draft moved on by it; or why it is refused. */
function apply(draft: Draft, id: TransferId, transfer: NewTransfer): Transfer | LedgerErrorCode {
  const movement = 'pendingId' in transfer ? pendingOf(draft, transfer.pendingId) : transfer
  if (typeof movement === 'string') return movement
  const before = sidesOf(draft, movement)
  if (typeof before === 'string') return before

  const { kind } = transfer
  const { money } = movement
  const debit = moved(before.debit, 'debit', kind, money.amount)
  const credit = moved(before.credit, 'credit', kind, money.amount)
  if (isTooLarge(debit) || isTooLarge(credit)) return 'total_too_large'
  if (fallsBelowFloor(before.debit, debit) || fallsBelowFloor(before.credit, credit)) {
    return 'insufficient_funds'
  }

  draft.accounts.set(debit.id, debit).set(credit.id, credit)
  const sides = { debit: debit.id, credit: credit.id }
  if (kind === 'pending') draft.resolutions.set(id, { ...sides, money, resolved: false })
  const pendingId = 'pendingId' in transfer ? transfer.pendingId : null
  if (pendingId !== null) draft.resolutions.set(pendingId, { ...sides, money, resolved: true })
  const { code, reference, effectiveAt } = transfer
  return {
    id,
    kind,
    debit: debit.id,
    credit: credit.id,
    money,
    pendingId,
    code,
    reference,
    effectiveAt,
    debitEntry: debit.lastEntry,
    creditEntry: credit.lastEntry,
    debitBalance: postedBalance(debit),
    creditBalance: postedBalance(credit),
  }
}

function pendingOf(draft: Draft, id: TransferId): Pending | LedgerErrorCode {
  const pending = draft.resolutions.get(id) ?? draft.pendings.get(id)
  if (pending === undefined) return 'pending_transfer_not_found'
  return pending.resolved ? 'pending_transfer_resolved' : pending
}

function sidesOf(draft: Draft, { debit, credit, money }: Pick<Movement, Sides>) {
  const find = (id: AccountId) =>
    draft.accounts.get(id) ?? draft.changed.get(id) ?? draft.books.accounts.get(id)
  const sides = { debit: find(debit), credit: find(credit) }
  if (sides.debit === undefined) return 'debit_account_not_found'
  if (sides.credit === undefined) return 'credit_account_not_found'
  if (debit === credit) return 'same_account'
  const { currency } = money
  if (sides.debit.currency !== currency || sides.credit.currency !== currency) {
    return 'currency_mismatch'
  }
  if (money.amount <= 0n) return 'amount_not_positive'
  return { debit: sides.debit, credit: sides.credit }
}

type Sides = 'debit' | 'credit' | 'money'

/**
 * `account` after one more entry on its `side`. Written out: this runs twice for every transfer.
 */
function moved(account: Account, side: Side, kind: TransferKind, amount: bigint): Account {
  const pending = EFFECT[kind].pending * amount
  const posted = EFFECT[kind].posted * amount
  const isDebit = side === 'debit'
  return {
    id: account.id,
    currency: account.currency,
    normalSide: account.normalSide,
    floor: account.floor,
    debitsPosted: isDebit ? account.debitsPosted + posted : account.debitsPosted,
    creditsPosted: isDebit ? account.creditsPosted : account.creditsPosted + posted,
    debitsPending: isDebit ? account.debitsPending + pending : account.debitsPending,
    creditsPending: isDebit ? account.creditsPending : account.creditsPending + pending,
    lastEntry: account.lastEntry + 1n,
  }
}

const isTooLarge = (account: Account) =>
  account.debitsPosted + account.debitsPending > TOTAL_MAX ||
  account.creditsPosted + account.creditsPending > TOTAL_MAX

/** Whether a movement took available money that was not there. Money coming in is never refused. */
function fallsBelowFloor(before: Account, after: Account): boolean {
  if (after.floor === null) return false
  const available = availableBalance(after)
  return available < after.floor && available < availableBalance(before)
}

/** Settled money, on the account's normal side. */
export function postedBalance(account: Account): bigint {
  const balance = account.creditsPosted - account.debitsPosted
  return account.normalSide === 'credit' ? balance : -balance
}

/** What may still leave: posted, less what is reserved to leave. */
export function availableBalance(account: Account): bigint {
  const leaving = account.normalSide === 'credit' ? account.debitsPending : account.creditsPending
  return postedBalance(account) - leaving
}
