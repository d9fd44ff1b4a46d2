/** What the movements of a merchant's account come to, sorted by why they happened. Pure. */
import type { CodeSum } from '../../ledger/index.ts'

/** Minor units. What is not a payment, a fee or a tax is signed as it moved the account. */
export interface Parts {
  /** Of payments and captures. */
  readonly gross: bigint
  /** Taken off. */
  readonly fee: bigint
  readonly tax: bigint
  readonly refunds: bigint
  /** With the tax on them. */
  readonly feesReturned: bigint
  /** Kept back, less what was set free. */
  readonly reserves: bigint
  readonly disputes: bigint
  readonly reversals: bigint
  /** Payouts of earlier batches that failed or came back. */
  readonly returnedPayouts: bigint
  readonly splits: bigint
  readonly other: bigint
}

export type Part = keyof Parts

const TAKEN_OFF: ReadonlySet<Part> = new Set(['fee', 'tax'])

/** Where each code of the books belongs; what has none is `other`. */
const PART_OF: Readonly<Record<string, Part>> = {
  payment: 'gross',
  fee: 'fee',
  tax: 'tax',
  refund: 'refunds',
  fee_returned: 'feesReturned',
  tax_returned: 'feesReturned',
  reserve: 'reserves',
  reserve_released: 'reserves',
  dispute: 'disputes',
  dispute_fee: 'disputes',
  chargeback_reversed: 'disputes',
  reversal: 'reversals',
  payout_rejected: 'returnedPayouts',
  return: 'returnedPayouts',
  split: 'splits',
  split_returned: 'splits',
}

const NOTHING: Parts = {
  ...{ gross: 0n, fee: 0n, tax: 0n, refunds: 0n, feesReturned: 0n, reserves: 0n, disputes: 0n },
  ...{ reversals: 0n, returnedPayouts: 0n, splits: 0n, other: 0n },
}

export interface Summed extends Parts {
  /** Payments, each capture counted. */
  readonly payments: number
  /** What all parts come to. */
  readonly net: bigint
}

/** How an entry on this side changes what we owe the merchant. */
export const signed = (side: CodeSum['side'], amount: bigint): bigint =>
  side === 'credit' ? amount : -amount

/** @param payouts how much of what left were payouts of batches, which are no lines. */
export function summed(sums: readonly CodeSum[], payouts: bigint): Summed {
  const parts: Record<Part, bigint> = { ...NOTHING, other: payouts }
  let [net, payments] = [payouts, 0]
  for (const { code, side, amount, count } of sums) {
    const part = PART_OF[code] ?? 'other'
    const change = signed(side, amount)
    parts[part] += TAKEN_OFF.has(part) ? -change : change
    net += change
    if (code === 'payment' && side === 'credit') payments += count
  }
  return { ...parts, payments, net }
}
