/** What we hold of each currency because of exchanges, and what that is worth in one of them. */
import { convert, type Currency, type Money } from '../../ledger/index.ts'
import { fxPositions } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { type FxRate, rateAt } from './rates.ts'

export interface Position {
  /** What exchanges took in less what they gave out: negative where we gave out more. */
  readonly position: Money
  /** At the rate; null where there is none that is new enough, for a guess is not a report. */
  readonly value: Money | null
  readonly rate: FxRate | null
}

/** @param reporting what to value the positions in; undefined for not at all. */
export async function positionsAt(
  context: Context,
  reporting: Currency | undefined,
  at: Date,
): Promise<readonly Position[]> {
  const positions = await fxPositions(context)
  return Promise.all(positions.map((position) => valued(context, position, reporting, at)))
}

async function valued(
  context: Context,
  position: Money,
  reporting: Currency | undefined,
  at: Date,
): Promise<Position> {
  if (reporting === undefined) return { position, value: null, rate: null }
  if (position.currency === reporting) return { position, value: position, rate: null }
  const pair = { base: position.currency, quote: reporting }
  const rate = (await rateAt(context.db, pair, at)) ?? null
  if (rate === null && position.amount !== 0n) return { position, value: null, rate }
  const amount = rate === null ? 0n : convert(position, reporting, rate.rate, 'half_even')
  return { position, value: { amount, currency: reporting }, rate }
}

/** What all positions are worth together; null as soon as one of them cannot be valued. */
export function totalOf(positions: readonly Position[], reporting: Currency): Money | null {
  let amount = 0n
  for (const { value } of positions) {
    if (value === null) return null
    amount += value.amount
  }
  return { amount, currency: reporting }
}
