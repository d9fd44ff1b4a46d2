/**
 * Reads what a stranger wrote. Every reader throws an Error that says what is wrong; none guesses.
 * Fields we do not know are ignored: a bank may add some without asking us.
 */
import { isCurrency, type Money } from '../../ledger/money.ts'

export type Fields = Readonly<Record<string, unknown>>

export const REFERENCE = /^[A-Z0-9]{1,35}$/
export const EVENT_ID = /^[A-Za-z0-9_-]{1,64}$/
/** Words for people: one line, at most as long as a line of a bank statement. */
export const LINE_OF_TEXT = /^[^\p{Cc}\p{Cs}]{1,140}$/u

const AMOUNT = /^[1-9][0-9]{0,14}$/
const SIGNED_AMOUNT = /^-?[1-9][0-9]{0,14}$/
const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/
const DEPTH_MAX = 8

/** One JSON object from UTF-8. A key written twice is refused: two readers may see two things. */
export function parseFields(json: Uint8Array): Fields {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(json)
  const value: unknown = JSON.parse(text)
  if (keysIn(value) !== keysWrittenIn(text)) throw new Error('a key is written twice')
  return asFields(value)
}

export function asFields(value: unknown): Fields {
  if (!isFields(value)) throw new Error('not an object')
  return value
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function textOf(fields: Fields, name: string, pattern: RegExp): string {
  const value = fields[name]
  if (typeof value !== 'string' || !pattern.test(value)) throw new Error(`bad ${name}`)
  return value
}

export function oneOf<const T extends string>(
  fields: Fields,
  name: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((one) => one === fields[name])
  if (found === undefined) throw new Error(`bad ${name}`)
  return found
}

export function currencyOf(fields: Fields): string {
  const currency = textOf(fields, 'currency', /^[A-Z]{3}$/)
  if (!isCurrency(currency)) throw new Error('bad currency')
  return currency
}

/** From `amount`, minor units as text, and `currency`. Never nothing, never negative. */
export function moneyOf(fields: Fields): Money {
  return { amount: BigInt(textOf(fields, 'amount', AMOUNT)), currency: currencyOf(fields) }
}

export const signedAmountOf = (fields: Fields): bigint =>
  BigInt(textOf(fields, 'amount', SIGNED_AMOUNT))

const YEAR_MIN = 1970
const YEAR_MAX = 9998

export function timeOf(fields: Fields, name: string): Date {
  const time = new Date(textOf(fields, name, UTC_TIME))
  // The calendars of programs and databases part ways at the edges of time.
  const year = time.getUTCFullYear()
  if (!(year >= YEAR_MIN && year <= YEAR_MAX)) throw new Error(`bad ${name}`)
  return time
}

function keysIn(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth === DEPTH_MAX) throw new Error('nested too deeply')
  const inside = Object.values(value).map((child) => keysIn(child, depth + 1))
  const own = Array.isArray(value) ? 0 : inside.length
  return inside.reduce((sum, keys) => sum + keys, own)
}

/** In valid JSON, a string that a colon follows is a key, and nothing else is. */
function keysWrittenIn(json: string): number {
  const strings = json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g)
  return [...strings].filter(([, colon]) => colon !== undefined).length
}
