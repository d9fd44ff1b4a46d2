/** What a merchant pays us for a payment. Pure: no clock, no database. */
import { type Currency, formatMoney, type Money, percentOf, type Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import type { RefundFees } from '../refunds/policy.ts'

/** A price with a date; a payment keeps the id of the one that priced it. */
export interface FeeSchedule {
  readonly id: Uuid
  /** Decimal text: '1.4' is 1.4 % of the payment. */
  readonly percent: string
  /** Minor units of the schedule's currency, for each payment. */
  readonly fixed: bigint
  /** Decimal text: tax on the fee, in per cent of it. */
  readonly taxPercent: string
  readonly currency: Currency
  /** What becomes of the fee of what is refunded; kept, where it does not say. */
  readonly refundFees?: RefundFees
}

export interface FeeLine {
  readonly kind: 'percent' | 'fixed' | 'tax'
  /** Minor units of the payment's currency; may be zero, and then there is no line. */
  readonly amount: bigint
  /** The sentence that explains the line to the merchant. */
  readonly description: string
}

export interface Price {
  readonly lines: readonly FeeLine[]
  readonly fee: bigint
  readonly tax: bigint
  /** What the merchant keeps: amount = net + fee + tax. */
  readonly net: bigint
}

/**
 * The price of a merchant payment, in minor units of its currency. Each percentage is rounded half
 * to even on its own; tax comes last, on the whole fee. Lines of nothing are left out.
 * @throws {ServiceError} `fee_exceeds_amount` when nothing would be left for the merchant.
 */
export function priceOf(schedule: FeeSchedule, { amount, currency }: Money): Price {
  const percent = percentOf(amount, schedule.percent, 'half_even')
  const fee = percent + schedule.fixed
  const tax = percentOf(fee, schedule.taxPercent, 'half_even')
  if (fee + tax > amount) throw new ServiceError('fee_exceeds_amount')
  const say = (part: bigint) => formatMoney({ amount: part, currency })
  const lines: FeeLine[] = [
    {
      kind: 'percent',
      amount: percent,
      description: `${schedule.percent} % of ${say(amount)}`,
    },
    { kind: 'fixed', amount: schedule.fixed, description: `${say(schedule.fixed)} per payment` },
    { kind: 'tax', amount: tax, description: `${schedule.taxPercent} % tax on ${say(fee)}` },
  ]
  return { lines: lines.filter((line) => line.amount > 0n), fee, tax, net: amount - fee - tax }
}
