/** What a price depends on beside the terms, as it is known when a payment is priced. */
import type { Money, Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { asksVolume, type FeeRail, type FeeSchedule, type Priced } from './terms.ts'
import { monthTurnover } from './turnover.ts'

export interface Asked {
  readonly merchant: Uuid
  readonly money: Money
  readonly at: Date
  readonly rail: FeeRail
  readonly country: string | null
}

/** The turnover is looked up only for a schedule that asks for it. */
export async function pricedFacts(
  context: Context,
  schedule: FeeSchedule,
  { merchant, money, at, rail, country }: Asked,
): Promise<Priced> {
  const { amount, currency } = money
  const [category, volume] = await Promise.all([
    categoryOf(context, merchant),
    asksVolume(schedule) ? monthTurnover(context, merchant, currency, at) : 0n,
  ])
  return { amount, currency, at, rail, country, category, volume }
}

/** Remembered as long as rules are; a payment keeps the one that priced it. */
async function categoryOf({ db, memory, config }: Context, merchant: Uuid) {
  const known = await memory.recall<{ readonly category: string | null }>(
    `category ${merchant}`,
    async () => (await db('merchants').where({ id: merchant }).first('category')) ?? UNKNOWN,
    config.RULES_AGE_MS,
  )
  return known.category
}

const UNKNOWN = { category: null }
