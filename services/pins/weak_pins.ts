/** Which PINs are tried first by whoever guesses, and so may not be chosen. */
import { COMMON_PINS } from './common_pins.ts'

/** What others may know about a person. */
export interface Known {
  readonly phoneNumber: string | undefined
  /** YYYY-MM-DD, as OpenID Connect has it; anything else tells nothing. */
  readonly birthdate: string | undefined
}

/** @param pin four to six digits. */
export function isWeakPin(pin: string, known: Known): boolean {
  return (
    isRun(pin) ||
    isRepetition(pin) ||
    isYear(pin) ||
    isDate(pin) ||
    COMMON_PINS.has(pin) ||
    digitsOf(known.phoneNumber).includes(pin) ||
    birthdays(known.birthdate).has(pin)
  )
}

/** Each digit the same step from the one before: 111111, 234567, 098765. */
function isRun(pin: string): boolean {
  const digits = [...pin].map(Number)
  const steps = digits.slice(1).map((digit, index) => (digit - (digits[index] ?? 0) + 10) % 10)
  return steps.every((step) => step === steps[0] && [0, 1, 9].includes(step))
}

/** A part again and again: 121212, 123123, 6969. Or every digit twice: 112233. */
const isRepetition = (pin: string): boolean =>
  /^(\d{1,3})\1+$/.test(pin) || /^(?:(\d)\1(?!\1)){2,3}$/.test(pin)

/**
 * A year from 1900 to 2099. In six digits only with a month, before or behind it: with any two
 * digits it would be one PIN in twenty-five, and nobody is known to choose those.
 */
const isYear = (pin: string): boolean =>
  /^(?:19|20)\d\d$/.test(pin) ||
  /^(?:19|20)\d\d(?:0[1-9]|1[0-2])$/.test(pin) ||
  /^(?:0[1-9]|1[0-2])(?:19|20)\d\d$/.test(pin)

/** Six digits that are a day, as it is written anywhere: DDMMYY, MMDDYY, YYMMDD. */
function isDate(pin: string): boolean {
  if (pin.length !== 6) return false
  const [a = '', b = '', c = ''] = pin.match(/\d\d/g) ?? []
  return isDay(a, b, c) || isDay(b, a, c) || isDay(c, b, a)
}

/** In this century or the last: 29 February is a day where either has it. */
function isDay(day: string, month: string, year: string): boolean {
  const days = MONTH_DAYS[Number(month) - 1] ?? 0
  const isLeapDay = month === '02' && day === '29'
  if (isLeapDay) return Number(year) % 4 === 0
  return Number(day) >= 1 && Number(day) <= days
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const digitsOf = (text: string | undefined): string => (text ?? '').replaceAll(/\D/g, '')

/** A birth date in every order of its parts that gives four digits or more. */
function birthdays(birthdate: string | undefined): ReadonlySet<string> {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(birthdate ?? '')
  if (found === null) return new Set()
  const [, year = '', month = '', day = ''] = found
  const parts = [day, month, year.slice(2), year, day.replace(/^0/, ''), month.replace(/^0/, '')]
  const pairs = parts.flatMap((a) => parts.map((b) => a + b))
  const all = pairs.flatMap((pair) => [pair, ...parts.map((part) => pair + part)])
  return new Set(all.filter((text) => text.length >= 4))
}
