/** Amounts and times as ISO 20022 writes them. An amount never passes through a float. */
import { isCurrency, scaleOf, type Money } from '../../ledger/money.ts'
import { BadFile, find, neededText, textAt, type Element } from './xml.ts'

/** ActiveOrHistoricCurrencyAndAmount: 18 digits, 5 of them after the point. */
const DECIMAL = /^\+?(\d{1,18})(?:\.(\d{0,5}))?$/
const DIGITS_MAX = 18

/** 1250n EUR is `12.50`, 1250n JPY is `1250`. */
export function decimalOf(amount: bigint, currency: string): string {
  const scale = scaleOf(currency)
  const digits = amount.toString().padStart(scale + 1, '0')
  return scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/**
 * Minor units. Zeros beyond the currency's own decimals are harmless, any other digit is not.
 * @throws {BadFile}
 */
function minorUnitsOf(decimal: string, currency: string): bigint {
  const [, whole, fraction = ''] = DECIMAL.exec(decimal) ?? []
  if (whole === undefined) throw new BadFile(`${decimal.slice(0, 40)} is not an amount`)
  const scale = scaleOf(currency)
  if (/[^0]/.test(fraction.slice(scale)))
    throw new BadFile(`${decimal} has more decimals than ${currency}`)
  const digits = `${whole}${fraction.slice(0, scale).padEnd(scale, '0')}`.replace(/^0+(?=.)/, '')
  if (digits.length > DIGITS_MAX) throw new BadFile(`${decimal} is too much`)
  return BigInt(digits)
}

/** @throws {BadFile} if there is no such amount at `path`, or it cannot be meant. */
export function moneyAt(element: Element, path: string): Money {
  const found = find(element, path)
  if (found === undefined) throw new BadFile(`${element.name} has no ${path}`)
  const { currency } = found
  if (currency === undefined || !isCurrency(currency))
    throw new BadFile(`${element.name}: ${path} is in no currency we know`)
  return { amount: minorUnitsOf(found.text.trim(), currency), currency }
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?$/
const YEAR_MIN = 1970
const YEAR_MAX = 9998

/** A date is its first moment. Where the bank names no zone we take it for UTC. */
export function timeOf(text: string): Date {
  const [, date, clock = '00:00:00', fraction = '0', zone = 'Z'] = TIME.exec(text) ?? []
  const time = new Date(`${date}T${clock}.${fraction.slice(0, 3)}${zone}`)
  const year = time.getUTCFullYear()
  // 30 February would silently become 2 March.
  const isReal = date !== undefined && isDay(date) && year >= YEAR_MIN && year <= YEAR_MAX
  if (!isReal) throw new BadFile(`${text.slice(0, 40)} is not a time`)
  return time
}

function isDay(date: string): boolean {
  const day = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date)
}

export const timeAt = (element: Element | undefined, ...paths: string[]): Date =>
  timeOf(neededText(element, ...paths))

const INDICATORS: Readonly<Record<string, 1n | -1n>> = { CRDT: 1n, DBIT: -1n }

/** What `CdtDbtInd` makes of an amount: more of our money at the bank, or less. */
export function signOf(element: Element, fallback?: 1n | -1n): 1n | -1n {
  const code = textAt(element, 'CdtDbtInd')
  const sign = code === undefined ? fallback : INDICATORS[code]
  if (sign === undefined) throw new BadFile(`${element.name} is neither CRDT nor DBIT`)
  return sign
}
