/** What a merchant pays us for a payment. Pure: no clock, no database. */
import { percentOf } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { type Part, partsOf, sumOf } from './parts.ts'
import { sentenceOf, taxSentence } from './sentences.ts'
import type { FeeTerms, Priced } from './terms.ts'

export const FEE_LINE_KINDS = [
  ...(['percent', 'fixed', 'tiers', 'floor', 'cap'] as const),
  ...(['tax', 'difference'] as const),
] as const

export interface FeeLine {
  readonly kind: (typeof FEE_LINE_KINDS)[number]
  /**
   * Minor units of the payment's currency; never zero. Below zero where a cap takes away what the
   * lines above it come to, and in a later capture that changes what an earlier one was charged.
   */
  readonly amount: bigint
  /** The sentence that explains the line to the merchant. */
  readonly description: string
}

export interface Price extends Charge {
  /** They sum to fee and tax. */
  readonly lines: readonly FeeLine[]
}

export interface Charge {
  readonly fee: bigint
  readonly tax: bigint
  /** What the merchant keeps: amount + surcharge = net + fee + tax. */
  readonly net: bigint
  /** What the payer pays on top of the amount. */
  readonly surcharge?: bigint
}

/**
 * The price of a merchant payment, in minor units of its currency. Each line is rounded by itself,
 * as the schedule says, so the lines sum to the fee without remainder; floor and cap apply to their
 * sum; tax comes last, on the whole fee. Lines of nothing are left out.
 * @throws {ServiceError} `fee_exceeds_amount` when nothing would be left for the merchant.
 */
export function priceOf(schedule: FeeTerms, priced: Priced): Price {
  const { named: _named, ...price } = namedPriceOf(schedule, priced)
  return price
}

/** A line by which part of the terms it stems from, so that two prices can be laid side by side. */
export interface NamedLine extends FeeLine {
  readonly name: string
}

/** The price, and its lines by name. */
export function namedPriceOf(
  terms: FeeTerms,
  priced: Priced,
): Price & { readonly named: readonly NamedLine[] } {
  const { parts, ...charge } = charged(terms, priced)
  const { fee, tax } = charge
  const named: NamedLine[] = parts.map((part) => ({
    ...{ name: nameOf(part, terms), kind: part.kind, amount: part.amount },
    description: sentenceOf(part, terms, priced),
  }))
  if (tax > 0n) {
    const description = taxSentence(terms, fee, priced.currency)
    named.push({ name: 'tax', kind: 'tax', amount: tax, description })
  }
  const lines = named.map(({ kind, amount, description }) => ({ kind, amount, description }))
  return { lines, ...charge, named }
}

const nameOf = ({ kind, component, step = 0 }: Part, { components }: FeeTerms) =>
  component === undefined ? kind : `${components.indexOf(component)}.${step} ${kind}`

/** The same without a word. */
export function chargeOf(terms: FeeTerms, priced: Priced): Charge {
  const { fee, tax, net, surcharge } = charged(terms, priced)
  return { fee, tax, net, surcharge }
}

function charged(terms: FeeTerms, priced: Priced) {
  const parts = partsOf(terms, priced)
  const fee = sumOf(parts)
  const tax = taxOn(fee, terms)
  const total = fee + tax
  if (total > priced.amount) throw new ServiceError('fee_exceeds_amount')
  const isSurcharged = terms.surchargeRails.includes(priced.rail)
  const surcharge = isSurcharged ? total : 0n
  return { parts, fee, tax, net: priced.amount + surcharge - total, surcharge }
}

const taxOn = (fee: bigint, { taxPercent, rounding }: FeeTerms): bigint =>
  percentOf(fee, taxPercent, rounding)
