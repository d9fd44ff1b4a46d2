/** Terms as they are sent, stored and shown: one closed schema for all three. */
import { z } from 'zod'
import { ROUNDINGS } from '../../ledger/index.ts'
import { MinorUnits, Percent as PercentText } from '../http/schemas.ts'
import { type Component, FEE_RAILS, type FeeTerms, REFUND_FEES, type When } from './terms.ts'

const Percent = PercentText.describe('Decimal text: "1.4" is 1.4 %')
const Moment = z.iso.datetime({ precision: 3 })

/** So that a schedule can be read by a person, and is priced in no time. */
const [COMPONENTS_MAX, STEPS_MAX, LISTED_MAX] = [20, 20, 50]

const Rails = z.array(z.enum(FEE_RAILS)).min(1).max(FEE_RAILS.length)

const WhenIn = z
  .strictObject({
    rails: Rails.optional(),
    categories: z
      .array(z.string().regex(/^[0-9]{4}$/))
      .min(1)
      .max(LISTED_MAX)
      .optional()
      .describe('Merchant category codes, ISO 18245'),
    countries: z
      .array(z.string().regex(/^[A-Z]{2}$/))
      .min(1)
      .max(LISTED_MAX)
      .optional()
      .describe('Where the payer is from, ISO 3166-1'),
    amount_from: MinorUnits.optional().describe('Inclusive'),
    amount_to: MinorUnits.optional().describe('Inclusive'),
    from: Moment.optional(),
    until: Moment.optional().describe('The first moment of which it does not hold any more'),
  })
  .refine(({ amount_from: from, amount_to: to }) => !from || !to || BigInt(from) <= BigInt(to), {
    path: ['amount_to'],
    message: 'is less than amount_from',
  })
  .refine(({ from, until }) => !from || !until || from < until, {
    path: ['until'],
    message: 'is not after from',
  })

const ruled = {
  when: WhenIn.optional().describe('Of which payments it holds; of all, where left out'),
  instead: z.boolean().optional().describe('Takes the place of every component above it'),
}

const Steps = z
  .array(
    z.strictObject({
      up_to: MinorUnits.nullable().describe('Inclusive; null for the last step, and for it alone'),
      percent: Percent.default('0'),
      fixed: MinorUnits.default('0'),
    }),
  )
  .min(1)
  .max(STEPS_MAX)
  .refine(
    (steps) =>
      steps.every(({ up_to: to }, at) => {
        if (at === steps.length - 1) return to === null
        const before = steps[at - 1]?.up_to ?? '0'
        return to !== null && BigInt(to) > BigInt(before)
      }),
    'must grow, and end with null',
  )

const ComponentIn = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('percent'), percent: Percent, ...ruled }),
  z.strictObject({ kind: z.literal('fixed'), amount: MinorUnits, ...ruled }),
  z.strictObject({
    kind: z.literal('tiers'),
    of: z
      .enum(['payment', 'month'])
      .describe('month: what was paid this month before today counts'),
    mode: z.enum(['graduated', 'volume']).describe('volume: one step prices the whole payment'),
    steps: Steps,
    ...ruled,
  }),
])

/** Terms without the shorthand: what is stored and shown. */
export const FEE_TERMS = {
  components: z
    .array(ComponentIn)
    .max(COMPONENTS_MAX)
    .describe('Each that holds adds its part, from the top'),
  floor: MinorUnits.nullable().describe('The least fee of a payment, without tax'),
  cap: MinorUnits.nullable().describe('The most'),
  tax_percent: Percent.describe('On the fee'),
  borne_by: z.enum(['merchant', 'payer']),
  surcharge_rails: z
    .array(z.enum(FEE_RAILS))
    .max(FEE_RAILS.length)
    .describe('Where the payer bears it'),
  rounding: z.enum(ROUNDINGS).describe('Of each line by itself'),
  refund_fees: z.enum(REFUND_FEES).describe('What becomes of the fee when a payment is refunded'),
}

const Stored = z.strictObject(FEE_TERMS)

/** What may be left out, and the shorthand for one percentage and one fixed amount. */
export const NEW_FEE_TERMS = {
  components: FEE_TERMS.components.min(1).optional(),
  percent: Percent.optional().describe('With fixed, in place of components'),
  fixed: MinorUnits.optional().describe('Minor units, for each payment'),
  floor: FEE_TERMS.floor.default(null),
  cap: FEE_TERMS.cap.default(null),
  tax_percent: FEE_TERMS.tax_percent.default('0'),
  borne_by: FEE_TERMS.borne_by.default('merchant'),
  surcharge_rails: FEE_TERMS.surcharge_rails.default([]),
  rounding: FEE_TERMS.rounding.default('half_even'),
  refund_fees: FEE_TERMS.refund_fees.default('keep'),
}

type Given = z.output<z.ZodObject<typeof NEW_FEE_TERMS>>
export type StoredTerms = z.output<typeof Stored>

/** What of the terms contradicts something else of them: where, and why. */
export function contradictions(given: Given): { path: string[]; message: string }[] {
  const { components, percent, fixed, floor, cap, borne_by, surcharge_rails } = given
  const isShort = percent !== undefined && fixed !== undefined
  const isMixed = (percent ?? fixed) !== undefined && components !== undefined
  const found: [isWrong: boolean, path: string, message: string][] = [
    [
      isMixed || (components === undefined && !isShort),
      ...(['components', 'either components, or percent and fixed'] as const),
    ],
    [
      floor !== null && cap !== null && BigInt(floor) > BigInt(cap),
      ...(['cap', 'is less than the floor'] as const),
    ],
    [
      (borne_by === 'payer') !== surcharge_rails.length > 0,
      ...(['surcharge_rails', 'lists where the payer bears the fee, and nothing else'] as const),
    ],
  ]
  return found
    .filter(([isWrong]) => isWrong)
    .map(([, path, message]) => ({ path: [path], message }))
}

/** The terms in full, as they are stored. */
export function storedTerms(given: Given): StoredTerms {
  const { components, percent = '0', fixed = '0', ...rest } = given
  const short = [
    { kind: 'percent' as const, percent },
    { kind: 'fixed' as const, amount: fixed },
  ]
  const terms = { ...rest, components: components ?? short }
  return Stored.parse({ ...terms, surcharge_rails: [...new Set(rest.surcharge_rails)] })
}

/** @param stored as `storedTerms` made it, perhaps long ago. */
export function termsOf(stored: unknown): FeeTerms {
  const terms = Stored.parse(stored)
  const { tax_percent: taxPercent, surcharge_rails: surchargeRails, rounding } = terms
  return {
    components: terms.components.map(componentOf),
    ...{ floor: amountOf(terms.floor) ?? null, cap: amountOf(terms.cap) ?? null },
    ...{ taxPercent, surchargeRails, rounding, refundFees: terms.refund_fees },
  }
}

const amountOf = (text: string | null | undefined) => (text ? BigInt(text) : undefined)
const momentOf = (text: string | undefined) => (text ? new Date(text) : undefined)

function componentOf(stored: z.output<typeof ComponentIn>): Component {
  const ruled = { when: stored.when && whenOf(stored.when), instead: stored.instead }
  if (stored.kind === 'percent') return { kind: 'percent', percent: stored.percent, ...ruled }
  if (stored.kind === 'fixed') return { kind: 'fixed', amount: BigInt(stored.amount), ...ruled }
  const steps = stored.steps.map(({ up_to, percent, fixed }) => ({
    ...{ upTo: amountOf(up_to) ?? null, percent, fixed: BigInt(fixed) },
  }))
  return { kind: 'tiers', of: stored.of, mode: stored.mode, steps, ...ruled }
}

const whenOf = (when: z.output<typeof WhenIn>): When => ({
  ...{ rails: when.rails, categories: when.categories, countries: when.countries },
  ...{ amountFrom: amountOf(when.amount_from), amountTo: amountOf(when.amount_to) },
  ...{ from: momentOf(when.from), until: momentOf(when.until) },
})
