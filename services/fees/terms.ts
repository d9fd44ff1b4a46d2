/** What a merchant pays us for payments, as a list of parts with conditions. Only types. */
import type { Currency, Rounding, Uuid } from '../../ledger/index.ts'

/** How a payment to a merchant is funded. */
export const FEE_RAILS = ['wallet', 'bank'] as const
export type FeeRail = (typeof FEE_RAILS)[number]

/** Of which payments something holds; what is left out holds of all. */
export interface When {
  readonly rails?: readonly FeeRail[] | undefined
  /** Merchant category codes, ISO 18245. */
  readonly categories?: readonly string[] | undefined
  /** Where the payer is from, ISO 3166-1; of whom nobody has said, it does not hold. */
  readonly countries?: readonly string[] | undefined
  /** Minor units, both inclusive. */
  readonly amountFrom?: bigint | undefined
  readonly amountTo?: bigint | undefined
  /** A promotion: from a moment on, and before another. */
  readonly from?: Date | undefined
  readonly until?: Date | undefined
}

/** Percentages are decimal text: '1.4' is 1.4 %. Amounts are minor units of the schedule's. */
export interface Step {
  /** The step reaches to here, inclusive; null for the last. */
  readonly upTo: bigint | null
  readonly percent: string
  /** Once for each payment of which anything lies in the step. */
  readonly fixed: bigint
}

/**
 * `of` says where a payment lies: a payment by itself begins at nothing; one of the month begins
 * where the merchant's turnover of the month stood when the day began. `graduated`: each step
 * prices what lies in it; `volume`: the step in which the payment ends prices all of it.
 */
export interface Tiers {
  readonly kind: 'tiers'
  readonly of: 'payment' | 'month'
  readonly mode: 'graduated' | 'volume'
  readonly steps: readonly Step[]
}

export type Component = (
  | { readonly kind: 'percent'; readonly percent: string }
  | { readonly kind: 'fixed'; readonly amount: bigint }
  | Tiers
) & {
  readonly when?: When | undefined
  /** Takes the place of every component above it. */
  readonly instead?: boolean | undefined
}

export const REFUND_FEES = ['keep', 'give_back', 'pro_rata'] as const
export type RefundFees = (typeof REFUND_FEES)[number]

/**
 * Components are read from the top: each that holds adds its part, and one that says `instead`
 * first drops what stands above it. So a schedule is a list that may be read aloud, a promotion is
 * one component more, and what adds up in all cases stands at the end.
 */
export interface FeeTerms {
  readonly components: readonly Component[]
  /** The fee without tax is never less, nor more. */
  readonly floor: bigint | null
  readonly cap: bigint | null
  /** Of the fee. */
  readonly taxPercent: string
  /** The payer bears it on these rails, on top of the amount; the merchant on all others. */
  readonly surchargeRails: readonly FeeRail[]
  readonly rounding: Rounding
  /** What becomes of the fee when a payment is refunded. */
  readonly refundFees: RefundFees
}

/** Terms with a date; a payment keeps the id of the schedule that priced it. */
export interface FeeSchedule extends FeeTerms {
  readonly id: Uuid
  /** 1, 2, 3, ... of its merchant's in its currency. */
  readonly version: number
  readonly currency: Currency
}

/** All that a price depends on beside the terms: the same facts, the same price, for ever. */
export interface Priced {
  /** Minor units: what the merchant asks for, without a surcharge. */
  readonly amount: bigint
  readonly currency: Currency
  readonly at: Date
  readonly rail: FeeRail
  /** Where the payer is from; null where nobody has said. */
  readonly country: string | null
  /** The merchant's category; null where nobody has said. */
  readonly category: string | null
  /** What the merchant was paid this month before today, in the same minor units. */
  readonly volume: bigint
}

/** Whether a price depends on what the merchant was paid before. */
export const asksVolume = ({ components }: FeeTerms): boolean =>
  components.some((component) => component.kind === 'tiers' && component.of === 'month')
