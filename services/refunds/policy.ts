/** What a refund gives back of the fee, and which of the merchant's money pays for it. Pure. */

import type { RefundFees } from '../fees/terms.ts'

/** What the merchant paid for a payment, all in minor units of its currency. */
export interface Charged {
  /** What was captured: all that can be refunded. */
  readonly captured: bigint
  readonly fee: bigint
  /** The part of the fee that is so much for each payment, however large it is. */
  readonly fixed: bigint
  readonly tax: bigint
}

export interface Returned {
  readonly fee: bigint
  readonly tax: bigint
}

/** The part of the fee that comes back when everything is refunded. */
const RETURNED = {
  /** We earn nothing from what came to nothing. */
  give_back: ({ fee }) => fee,
  /** The work was done. */
  keep: () => 0n,
  /** What grew with the amount shrinks with it; what each payment costs stays. */
  pro_rata: ({ fee, fixed }) => (fee > fixed ? fee - fixed : 0n),
} as const satisfies Record<RefundFees, (charged: Charged) => bigint>

/**
 * What has come back of fee and tax when `refunded` of what was captured is refunded, all told. The
 * refunded share of what a full refund returns, rounded half to even; of the tax the same share as
 * of the fee. A refund returns what this says after it less what it said before, so that several
 * refunds together return exactly what one of all would, to the minor unit.
 */
export function returnedBy(policy: RefundFees, charged: Charged, refunded: bigint): Returned {
  const { captured, fee, tax } = charged
  if (fee === 0n || captured === 0n) return { fee: 0n, tax: 0n }
  const whole = RETURNED[policy](charged)
  return {
    fee: shareOf(whole, refunded, captured),
    tax: shareOf(tax * whole, refunded, captured * fee),
  }
}

/** `over / under` of `amount`, rounded half to even. Nothing here is negative. */
function shareOf(amount: bigint, over: bigint, under: bigint): bigint {
  const down = (amount * over) / under
  const twice = 2n * ((amount * over) % under)
  const isUp = twice === under ? down % 2n === 1n : twice > under
  return isUp ? down + 1n : down
}

/** What pays for something that a merchant owes: its balance, its reserve, and then its credit. */
export interface Sources {
  readonly balance: bigint
  readonly reserve: bigint
  /** What is still missing: the books say whether the account may fall so low. */
  readonly limit: bigint
}

/** @param means what is available of each; a balance may be below zero already. */
export function sourcesOf(
  need: bigint,
  means: { readonly balance: bigint; readonly reserve: bigint },
): Sources {
  const balance = least(need, means.balance > 0n ? means.balance : 0n)
  const reserve = least(need - balance, means.reserve)
  return { balance, reserve, limit: need - balance - reserve }
}

/** And of a beneficiary, for whom the merchant of the order pays what it cannot. */
export interface ShareSources extends Sources {
  readonly payee: bigint
}

/** @param means as above, and what it may still owe. */
export function shareSourcesOf(
  need: bigint,
  { credit, ...means }: Readonly<Record<'balance' | 'reserve' | 'credit', bigint>>,
): ShareSources {
  const { limit: missing, ...own } = sourcesOf(need, means)
  const limit = least(missing, credit > 0n ? credit : 0n)
  return { ...own, limit, payee: missing - limit }
}

const least = (one: bigint, other: bigint): bigint => (one < other ? one : other)
