/**
 * The fee, thought through a second time: from the terms as they are sent, in exact fractions of
 * whole numbers, one minor unit of thought at a time. Shares nothing with the product.
 */

/** A fraction; nothing here is negative. */
interface Q {
  readonly over: bigint
  readonly under: bigint
}

const times = (a: Q, b: Q): Q => ({ over: a.over * b.over, under: a.under * b.under })
const whole = (over: bigint): Q => ({ over, under: 1n })

/** '1.4' as 14 over 1000: of a hundred. */
function share(percent: string): Q {
  const digits = [...percent].filter((letter) => letter !== '.').join('')
  const places = percent.includes('.') ? percent.length - percent.indexOf('.') - 1 : 0
  return { over: BigInt(digits), under: 100n * 10n ** BigInt(places) }
}

export type ModelRounding = 'half_even' | 'half_up' | 'up' | 'down'

/** The two whole numbers beside it, and which of them is nearer. */
function toWhole({ over, under }: Q, rounding: ModelRounding): bigint {
  const low = over / under
  if (low * under === over) return low
  const high = low + 1n
  if (rounding === 'down') return low
  if (rounding === 'up') return high
  const [toLow, toHigh] = [over - low * under, high * under - over]
  if (toLow !== toHigh) return toLow < toHigh ? low : high
  if (rounding === 'half_up') return high
  return low % 2n === 0n ? low : high
}

export interface ModelWhen {
  readonly rails?: readonly string[]
  readonly categories?: readonly string[]
  readonly countries?: readonly string[]
  readonly amount_from?: string
  readonly amount_to?: string
  readonly from?: string
  readonly until?: string
}

interface ModelStep {
  readonly up_to: string | null
  readonly percent: string
  readonly fixed: string
}

export type ModelComponent = { readonly when?: ModelWhen; readonly instead?: boolean } & (
  | { readonly kind: 'percent'; readonly percent: string }
  | { readonly kind: 'fixed'; readonly amount: string }
  | {
      readonly kind: 'tiers'
      readonly of: 'payment' | 'month'
      readonly mode: 'graduated' | 'volume'
      readonly steps: readonly ModelStep[]
    }
)

export interface ModelTerms {
  readonly components: readonly ModelComponent[]
  readonly floor: string | null
  readonly cap: string | null
  readonly tax_percent: string
  readonly surcharge_rails: readonly string[]
  readonly rounding: ModelRounding
}

export interface ModelFacts {
  readonly amount: bigint
  readonly volume: bigint
  readonly rail: string
  readonly country: string | null
  readonly category: string | null
  /** RFC 3339, UTC, with milliseconds: such texts are in order as their moments are. */
  readonly at: string
}

const isAmong = (one: string | null, list: readonly string[] | undefined) =>
  list === undefined || list.some((other) => other === one)

function applies(when: ModelWhen | undefined, facts: ModelFacts): boolean {
  if (when === undefined) return true
  const { amount, at } = facts
  const tooSmall = when.amount_from !== undefined && amount < BigInt(when.amount_from)
  const tooLarge = when.amount_to !== undefined && BigInt(when.amount_to) < amount
  const tooEarly = when.from !== undefined && at < when.from
  const tooLate = when.until !== undefined && when.until <= at
  if (tooSmall || tooLarge || tooEarly || tooLate) return false
  return (
    isAmong(facts.rail, when.rails) &&
    isAmong(facts.country, when.countries) &&
    isAmong(facts.category, when.categories)
  )
}

/** Each step's share of the span from `start` to `end`: where both overlap. */
function tiered(
  { of, mode, steps }: Extract<ModelComponent, { kind: 'tiers' }>,
  { amount, volume }: ModelFacts,
  rounding: ModelRounding,
): bigint {
  const start = of === 'month' ? volume : 0n
  const end = start + amount
  const bottoms = steps.map((_, at) => (at === 0 ? 0n : BigInt(steps[at - 1]!.up_to!)))
  const tops = steps.map(({ up_to }) => (up_to === null ? end : BigInt(up_to)))
  const price = ({ percent, fixed }: ModelStep, base: bigint) =>
    toWhole(times(whole(base), share(percent)), rounding) + BigInt(fixed)
  if (mode === 'volume') {
    const reached = steps.findIndex((_, at) => bottoms[at]! < end && end <= tops[at]!)
    return price(steps[reached]!, amount)
  }
  return steps.reduce((sum, step, at) => {
    const low = bottoms[at]! > start ? bottoms[at]! : start
    const high = tops[at]! < end ? tops[at]! : end
    return high > low ? sum + price(step, high - low) : sum
  }, 0n)
}

function part(component: ModelComponent, terms: ModelTerms, facts: ModelFacts): bigint {
  if (component.kind === 'fixed') return BigInt(component.amount)
  if (component.kind === 'tiers') return tiered(component, facts, terms.rounding)
  return toWhole(times(whole(facts.amount), share(component.percent)), terms.rounding)
}

/** Fee, tax, what is left and what comes on top; undefined when nothing would be left. */
export function modelPrice(terms: ModelTerms, facts: ModelFacts) {
  const holding = terms.components.filter(({ when }) => applies(when, facts))
  const last = holding.map(({ instead }) => instead === true).lastIndexOf(true)
  const counted = last < 0 ? holding : holding.slice(last)
  let fee = counted.reduce((sum, component) => sum + part(component, terms, facts), 0n)
  if (terms.floor !== null && fee < BigInt(terms.floor)) fee = BigInt(terms.floor)
  if (terms.cap !== null && fee > BigInt(terms.cap)) fee = BigInt(terms.cap)
  const tax = toWhole(times(whole(fee), share(terms.tax_percent)), terms.rounding)
  if (fee + tax > facts.amount) return undefined
  const surcharge = terms.surcharge_rails.includes(facts.rail) ? fee + tax : 0n
  return { fee, tax, surcharge, net: facts.amount + surcharge - fee - tax }
}

/** A percentage and a fixed amount, as most merchants have them. */
export const simple = (percent: string, fixed: bigint, tax_percent = '0'): ModelTerms => ({
  components: [
    { kind: 'percent', percent },
    { kind: 'fixed', amount: fixed.toString() },
  ],
  ...{ floor: null, cap: null, tax_percent, surcharge_rails: [], rounding: 'half_even' },
})
