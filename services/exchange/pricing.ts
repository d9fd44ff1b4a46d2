/** What one currency costs in another. Pure: no clock, no database. */
import {
  basisPointsOf,
  convert,
  type Currency,
  leastWorth,
  type Money,
} from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'

/** What a person asks for: `amount` is of the currency that `side` names. */
export interface Wanted {
  readonly side: 'sell' | 'buy'
  readonly sell: Currency
  readonly buy: Currency
  readonly amount: bigint
}

export interface Rate {
  /** Decimal text: whole units of the bought currency for one of the sold. */
  readonly mid: string
  /** Hundredths of a per cent of the mid rate that we keep; less than 10,000. */
  readonly spreadBps: number
}

export interface ExchangePrice {
  readonly sell: Money
  readonly buy: Money
  /** What the sold money is worth at the mid rate: bought, spread and residue together. */
  readonly midValue: bigint
  /** What we keep, in minor units of the bought currency, as are the two beside it. */
  readonly spread: bigint
  /** What rounding left over; never negative. */
  readonly residue: bigint
  /** The person's rate as decimal text, exactly: the mid rate less the spread. */
  readonly rate: string
}

/**
 * The price of an exchange. Only the mid value is rounded half to even; what the person buys and
 * the spread are rounded down, so they never pass the mid value, and the residue is what lies
 * between. Who sells gives exactly `amount`. Who buys gets exactly `amount` for the least whole
 * number of minor units that is worth it, so the residue may come to a minor unit of what is sold.
 * @throws {ServiceError} `exchange_too_small` when nothing would be bought, `exchange_too_large`
 *   when a part of it has more than 15 digits.
 */
export function priceExchange(wanted: Wanted, { mid, spreadBps }: Rate): ExchangePrice {
  const rate = basisPointsOf(mid, ALL_POINTS - spreadBps)
  const { sell, buy } = sides(wanted, rate)
  const midValue = convert(sell, buy.currency, mid, 'half_even')
  const spread = convert(sell, buy.currency, basisPointsOf(mid, spreadBps), 'down')
  if (buy.amount === 0n) throw new ServiceError('exchange_too_small')
  if (sell.amount > AMOUNT_MAX || midValue > AMOUNT_MAX)
    throw new ServiceError('exchange_too_large')
  return { sell, buy, midValue, spread, residue: midValue - buy.amount - spread, rate }
}

const ALL_POINTS = 10_000

/** The largest amount that the API takes or gives. */
const AMOUNT_MAX = 999_999_999_999_999n

function sides({ side, sell, buy, amount }: Wanted, rate: string): { sell: Money; buy: Money } {
  if (side === 'sell') {
    const sold = { amount, currency: sell }
    return { sell: sold, buy: { amount: convert(sold, buy, rate, 'down'), currency: buy } }
  }
  const bought = { amount, currency: buy }
  return { sell: { amount: leastWorth(bought, sell, rate), currency: sell }, buy: bought }
}
