/**
 * Amounts of money: whole minor units of one ISO 4217 currency, never floats. Imports no sibling.
 */
import { Decimal } from 'decimal.js'

/** Currency codes by the number of digits after the decimal point. Source: ISO 4217, list one. */
const CODES_BY_SCALE = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2:
    'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN ' +
    'BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP ' +
    'GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT ' +
    'LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN ' +
    'NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE ' +
    'SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES ' +
    'WST XAD XCD XCG YER ZAR ZMW ZWG',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
} as const

const SCALES: ReadonlyMap<string, number> = new Map(
  Object.entries(CODES_BY_SCALE).flatMap(([scale, codes]) =>
    codes.split(' ').map((code) => [code, Number(scale)] as const),
  ),
)

/** All we know, by code. */
export const CURRENCIES: readonly { readonly code: string; readonly scale: number }[] = [...SCALES]
  .map(([code, scale]) => ({ code, scale }))
  .sort((a, b) => (a.code < b.code ? -1 : 1))

/** An ISO 4217 alphabetic code that `isCurrency` has accepted. */
export type Currency = string

export interface Money {
  /** Whole minor units: cents, yen, fils. */
  readonly amount: bigint
  readonly currency: Currency
}

/** 60 digits: a 19-digit amount times any rate we accept stays exact until it is rounded. */
const Exact = Decimal.clone({ precision: 60 })

const ROUNDING = {
  half_even: Decimal.ROUND_HALF_EVEN,
  half_up: Decimal.ROUND_HALF_UP,
  up: Decimal.ROUND_UP,
  down: Decimal.ROUND_DOWN,
} as const

/** Named as in IEEE 754 and Java; `half` is exactly between two whole minor units. */
export type Rounding = keyof typeof ROUNDING

export const ROUNDINGS = Object.keys(ROUNDING) as [Rounding, ...Rounding[]]

export function isCurrency(code: string): code is Currency {
  return SCALES.has(code)
}

/** Digits after the decimal point of `currency`, by ISO 4217. The currency must be a known one. */
export function scaleOf(currency: Currency): number {
  const scale = SCALES.get(currency)
  if (scale === undefined) throw new Error(`${currency} is not a currency`)
  return scale
}

/**
 * `percent` per cent of `amount` minor units, rounded to a whole minor unit; neither is negative.
 * In whole numbers alone: it is done several times for every payment to a merchant.
 * @param percent a decimal number as text, so that it is exact: '1.4' is 1.4 %.
 */
export function percentOf(amount: bigint, percent: string, rounding: Rounding): bigint {
  const point = percent.indexOf('.')
  if (point < 0) return rounded(amount * BigInt(percent), 100n, rounding)
  const part = percent.slice(point + 1)
  const over = BigInt(percent.slice(0, point) + part)
  return rounded(amount * over, 100n * 10n ** BigInt(part.length), rounding)
}

/** Whether what is left over, of a whole of `under`, makes one more. */
const ROUNDS_UP = {
  half_even: (left, under, down) => 2n * left > under || (2n * left === under && down % 2n === 1n),
  half_up: (left, under) => 2n * left >= under,
  up: (left) => left > 0n,
  down: () => false,
} as const satisfies Record<Rounding, (left: bigint, under: bigint, down: bigint) => boolean>

function rounded(over: bigint, under: bigint, rounding: Rounding): bigint {
  const down = over / under
  return ROUNDS_UP[rounding](over % under, under, down) ? down + 1n : down
}

/**
 * What `money` is worth in the minor units of `to`, rounded to a whole one.
 * @param rate whole units of `to` for one whole unit of the money's currency, as decimal text.
 */
export function convert(money: Money, to: Currency, rate: string, rounding: Rounding): bigint {
  const worth = new Exact(money.amount.toString()).times(perMinorUnit(money.currency, to, rate))
  return BigInt(worth.toFixed(0, ROUNDING[rounding]))
}

/** The least whole number of minor units of `from` that are worth `money` or more, at `rate`. */
export function leastWorth(money: Money, from: Currency, rate: string): bigint {
  const enough = new Exact(money.amount.toString()).div(perMinorUnit(from, money.currency, rate))
  return BigInt(enough.toFixed(0, ROUNDING.up))
}

/** Minor units of `to` for one minor unit of `from`: the yen has none where the euro has two. */
const perMinorUnit = (from: Currency, to: Currency, rate: string) =>
  new Exact(rate).times(`1e${scaleOf(to) - scaleOf(from)}`)

/** So many ten-thousandths of a rate, exactly: 9950 of '1.0842' are '1.078779'. */
export function basisPointsOf(rate: string, points: number): string {
  return new Exact(rate).times(points).div(10_000).toFixed()
}

/**
 * `amount` split in proportion to `weights`, to the last minor unit: whole shares first, then one
 * more each for the largest remainders, the earlier first. No share passes its weight as long as
 * `amount` does not pass their sum, which must be positive. Source: Hamilton's method.
 */
export function allocate(amount: bigint, weights: readonly bigint[]): bigint[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0n)
  const shares = weights.map((weight) => (amount * weight) / total)
  const missing = amount - shares.reduce((sum, share) => sum + share, 0n)
  const remainder = (n: number) => (amount * (weights[n] ?? 0n)) % total
  const order = [...weights.keys()].sort((a, b) => {
    const [left, right] = [remainder(a), remainder(b)]
    return left === right ? a - b : left > right ? -1 : 1
  })
  for (const n of order.slice(0, Number(missing))) shares[n] = (shares[n] ?? 0n) + 1n
  return shares
}

/** For people to read: 1250n EUR is '12.50 EUR'. */
export function formatMoney({ amount, currency }: Money): string {
  const scale = scaleOf(currency)
  const text = new Exact(amount.toString()).div(new Exact(10).pow(scale)).toFixed(scale)
  return `${text} ${currency}`
}
