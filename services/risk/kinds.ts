/**
 * The kinds of rules: what each is told, what must be known to answer it, and the answer. Pure.
 * What a maximum allows is allowed; one more hits.
 */
import { z } from 'zod'
import type { Facts } from '../clearance/facts.ts'

export type Side = 'payer' | 'payee'

/** What a payer has asked for lately: how often, and minor units of the payment's currency. */
export interface Recent {
  readonly payments: bigint
  readonly amount: bigint
}

/** What is known of a payment when it is judged. What no rule asks for may be left out. */
export interface Known {
  readonly facts: Facts
  /** By the length of the window in seconds. The payment itself is not among them. */
  readonly recent: ReadonlyMap<number, Recent>
  /** When the payer first paid the payee; undefined if never. */
  readonly firstPaidAt: Date | undefined
  /** ISO 3166-1; missing where nobody has said. */
  readonly countries: Readonly<Partial<Record<Side, string>>>
  /** The entries of the sanctions list that match, or that it could not be asked. */
  readonly listed: Readonly<Record<Side, readonly string[]>> | 'unavailable'
}

const MONTH_S = 31 * 86_400
const AmountText = z.string().regex(/^(0|[1-9][0-9]{0,14})$/)

/** Of every kind: only payments of more than so many minor units are judged. */
const above = AmountText.optional()
const sides = z
  .array(z.enum(['payer', 'payee']))
  .min(1)
  .max(2)

function isTimeZone(name: string): boolean {
  try {
    return hourIn(name, new Date(0)) >= 0
  } catch {
    return false
  }
}

export const SCHEMAS = {
  amount: z.strictObject({ above: AmountText }),
  velocity: z
    .strictObject({
      window_s: z.int().min(1).max(MONTH_S),
      payments_max: z.int().min(0).max(100_000).optional(),
      amount_max: AmountText.optional(),
      above,
    })
    .refine((given) => given.payments_max !== undefined || given.amount_max !== undefined, {
      path: ['payments_max'],
      message: 'either payments_max or amount_max is needed',
    }),
  new_payee: z.strictObject({ known_after_s: z.int().min(0).max(MONTH_S).default(0), above }),
  hour: z
    .strictObject({
      from: z.int().min(0).max(23),
      to: z.int().min(0).max(23),
      time_zone: z.string().max(64).refine(isTimeZone, 'is no time zone'),
      above,
    })
    .refine(({ from, to }) => from !== to, { path: ['to'], message: 'is no later than from' }),
  country: z.strictObject({
    of: sides,
    countries: z
      .array(z.string().regex(/^[A-Z]{2}$/))
      .min(1)
      .max(250),
    above,
  }),
  list: z.strictObject({ of: sides, above }),
} as const

export type RuleKind = keyof typeof SCHEMAS
export const RULE_KINDS = Object.keys(SCHEMAS) as RuleKind[]
export type Parameters = { readonly [K in RuleKind]: z.infer<(typeof SCHEMAS)[K]> }

/** `unavailable`: what would tell is not known; each rule says what that means. */
export type Hit = 'hit' | 'miss' | 'unavailable'

/** A rule of which it is already known that it concerns the payment. */
export const HITS: {
  readonly [K in RuleKind]: (parameters: Parameters[K], known: Known) => Hit
} = {
  amount: () => 'hit',
  velocity: ({ window_s, payments_max, amount_max }, { facts, recent }) => {
    const { payments, amount } = recent.get(window_s) ?? NOTHING
    const isTooOften = payments_max !== undefined && payments + 1n > BigInt(payments_max)
    const isTooMuch = amount_max !== undefined && amount + facts.money.amount > BigInt(amount_max)
    return hitIf(isTooOften || isTooMuch)
  },
  new_payee: ({ known_after_s }, { facts, firstPaidAt }) => {
    if (facts.payee === null) return 'miss'
    const known_ms = firstPaidAt === undefined ? -1 : facts.at.getTime() - firstPaidAt.getTime()
    return hitIf(known_ms < known_after_s * 1000)
  },
  hour: ({ from, to, time_zone }, { facts }) => {
    const hour = hourIn(time_zone, facts.at)
    return hitIf(from < to ? from <= hour && hour < to : from <= hour || hour < to)
  },
  country: ({ of, countries }, known) =>
    strictestHit(
      sidesOf(of, known).map((side) => {
        const country = known.countries[side]
        return country === undefined ? 'unavailable' : hitIf(countries.includes(country))
      }),
    ),
  list: ({ of }, known) => {
    const { listed } = known
    if (listed === 'unavailable') return 'unavailable'
    return hitIf(sidesOf(of, known).some((side) => listed[side].length > 0))
  },
}

const NOTHING: Recent = { payments: 0n, amount: 0n }
const hitIf = (isHit: boolean): Hit => (isHit ? 'hit' : 'miss')

/** Where a person moves money of their own there is no payee to ask about. */
const sidesOf = (of: readonly Side[], { facts }: Known) =>
  of.filter((side) => side === 'payer' || facts.payee !== null)

function strictestHit(hits: readonly Hit[]): Hit {
  if (hits.includes('hit')) return 'hit'
  return hits.includes('unavailable') ? 'unavailable' : 'miss'
}

/** The hour, 0 to 23, that clocks show there. */
function hourIn(timeZone: string, at: Date): number {
  const format = FORMATS.get(timeZone) ?? formatOf(timeZone)
  FORMATS.set(timeZone, format)
  return Number(format.format(at))
}

/** By time zone: there are some hundred, and making one is slow. */
const FORMATS = new Map<string, Intl.DateTimeFormat>()
const formatOf = (timeZone: string) =>
  new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', hourCycle: 'h23' })
