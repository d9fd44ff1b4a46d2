/**
 * What other terms would have taken for the payments of a month. Pure: payments come in, merchant by
 * merchant and in the order of their days; sums come out.
 */
import type { Currency, Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { chargeOf } from './price.ts'
import type { FeeRail, FeeTerms } from './terms.ts'

/** A payment as it was priced, and what was charged for it; minor units. */
export interface Past {
  readonly merchant: Uuid
  /** What the merchant asked for and got, without a surcharge. */
  readonly amount: bigint
  /** With its tax. */
  readonly charged: bigint
  readonly at: Date
  readonly rail: FeeRail
  readonly country: string | null
  readonly category: string | null
}

export interface Replayed {
  payments: number
  paid: bigint
  /** What was charged for those payments that the other terms would price too. */
  before: bigint
  after: bigint
  /** Payments that the other terms would refuse: they cost more than they are. */
  refused: number
}

export interface Replay {
  readonly take: (past: Past) => void
  readonly results: () => ReadonlyMap<Uuid, Replayed>
}

const DAY_MS = 86_400_000

/** The turnover that prices a payment is that of the payments replayed on the days before its own. */
export function openReplay(terms: FeeTerms, currency: Currency): Replay {
  const results = new Map<Uuid, Replayed>()
  let [merchant, day, before, today] = ['', 0, 0n, 0n]
  let sums = newSums()

  function turnoverOf(past: Past): bigint {
    const own = Math.floor(past.at.getTime() / DAY_MS)
    if (past.merchant !== merchant) {
      ;[merchant, day, before, today] = [past.merchant, own, 0n, 0n]
      sums = results.get(merchant) ?? newSums()
      results.set(merchant, sums)
    } else if (own !== day) {
      ;[day, before, today] = [own, before + today, 0n]
    }
    today += past.amount
    return before
  }

  return {
    take(past) {
      const volume = turnoverOf(past)
      const after = totalOf(terms, { ...past, currency, volume })
      sums.payments += 1
      sums.paid += past.amount
      if (after === undefined) {
        sums.refused += 1
        return
      }
      sums.before += past.charged
      sums.after += after
    },
    results: () => results,
  }
}

const newSums = (): Replayed => ({ payments: 0, paid: 0n, before: 0n, after: 0n, refused: 0 })

/** Undefined where it would be refused. */
function totalOf(terms: FeeTerms, priced: Parameters<typeof chargeOf>[1]): bigint | undefined {
  try {
    const { fee, tax } = chargeOf(terms, priced)
    return fee + tax
  } catch (error) {
    if (error instanceof ServiceError) return undefined
    throw error
  }
}
