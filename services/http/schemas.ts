/**
 * Shapes that many calls share. A wrong shape is 400; a well-formed wrong value is refused later.
 */
import { z } from 'zod'
import { isCurrency, type Money } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { idOut, type Kind, uuidOf } from '../ids.ts'

/**
 * Text that somebody counts with. What does not look like it is asked nothing else: the checks of
 * whatever it is a part of read it as a number.
 */
const numeral = (pattern: RegExp) => z.string().regex(pattern, { abort: true })

/** Minor units as text: numbers lose digits, signs and exponents invite mistakes. */
export const Amount = numeral(/^[1-9][0-9]{0,14}$/).describe(
  'Minor units, as text: "1250" is 12.50 EUR',
)

/** An amount, or none. */
export const MinorUnits = numeral(/^(0|[1-9][0-9]{0,14})$/)

/** From 0 to 100, with four decimals at most. */
export const Percent = numeral(/^(100|[0-9]{1,2}(\.[0-9]{1,4})?)$/)

export const CurrencyCode = z
  .string()
  .regex(/^[A-Z]{3}$/)
  .describe('ISO 4217 code')

/** What the longest text of anybody's may have; most may have less. */
export const TEXT_LENGTH_MAX = 140

/** Text people write: no control characters, no half characters. */
export const text = (lengthMax: number) =>
  z
    .string()
    .min(1)
    .max(lengthMax)
    .refine((value) => value.isWellFormed(), 'is not well-formed Unicode')
    // oxlint-disable-next-line no-control-regex -- control characters are what is refused
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'contains control characters')

export const Timestamp = z.iso.datetime({ precision: 3 }).describe('RFC 3339, UTC')

export const MoneyOut = z
  .strictObject({ amount: z.string().regex(/^-?[0-9]+$/), currency: CurrencyCode })
  .meta({ id: 'Money', description: 'Minor units of an ISO 4217 currency' })

export const PAGE_MAX = 100

/** `?limit=&cursor=`. The cursor is the id of the last item of the page before. */
export const pageQuery = (kind: Kind) =>
  z.strictObject({
    limit: z
      .string()
      .regex(/^[1-9][0-9]{0,2}$/)
      .default('20')
      .transform((digits) => Math.min(Number(digits), PAGE_MAX)),
    cursor: idOut(kind).transform(uuidOf).optional(),
  })

export const listOf = (item: z.ZodType) =>
  z.strictObject({ data: z.array(item), next_cursor: z.string().nullable() })

/** A page, with the cursor of the next one when this one is full. */
export function page<T extends { id: string }>(data: readonly T[], limit: number) {
  return { data, next_cursor: data.length < limit ? null : (data.at(-1)?.id ?? null) }
}

/** @throws {ServiceError} `currency_unknown` unless ISO 4217 knows it. */
export function moneyOf({ amount, currency }: { amount: string; currency: string }): Money {
  if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
  return { amount: BigInt(amount), currency }
}

export const moneyOut = ({ amount, currency }: Money) => ({ amount: amount.toString(), currency })
