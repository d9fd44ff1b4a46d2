/** What a payment was priced by, or that it was not. Pure. */
import type { Price } from '../fees/price.ts'
import type { Payment } from './payment.ts'

/** What a payment was priced by, whatever has become of it since. */
export const factsOf = ({ priced, currency, bankAccount, createdAt: at }: Payment) => ({
  ...{ at, volume: 0n, country: null, category: null, ...priced, currency },
  rail: bankAccount === null ? ('wallet' as const) : ('bank' as const),
})

/** Nobody is charged for it. */
export const NOT_PRICED = {
  ...{ feeSchedule: null, surcharge: 0n, priced: null },
}

/** What the merchant is charged, or nothing between people. */
export const noPrice = (amount: bigint): Price => ({ lines: [], fee: 0n, tax: 0n, net: amount })
