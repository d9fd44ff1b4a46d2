/** Fee terms and payments to price: made up, and as the product and its model each want them. */
import fc from 'fast-check'
import type { FeeSchedule, Priced } from '../../services/fees/terms.ts'
import { termsOf } from '../../services/fees/terms_schema.ts'
import type { ModelComponent, ModelFacts, ModelTerms, ModelWhen } from '../model/fees.ts'

const DAYS = ['2026-10-01', '2026-10-15', '2026-11-01'].map((day) => `${day}T00:00:00.000Z`)

const percent = fc.oneof(
  fc
    .tuple(fc.nat(100), fc.nat(9_999))
    .map(([units, part]) => (units === 100 ? '100' : `${units}.${String(part).padStart(4, '0')}`)),
  fc.constantFrom('0', '1.4', '2.5', '0.22', '0.5'),
)
const tax = fc.constantFrom('0', '20', '7.7', '19', '33.3333')
const small = fc.bigInt(0n, 50n).map(String)
const fixed = fc.oneof(small, fc.bigInt(0n, 10_000_000n).map(String))
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

/** Without the keys that say nothing, as JSON has them. */
const dense = (value: object) => JSON.parse(JSON.stringify(value))

const bounds = fc
  .uniqueArray(fc.bigInt(1n, 100_000n), { minLength: 2, maxLength: 2 })
  .map((both) => both.toSorted((a, b) => (a < b ? -1 : 1)).map(String) as [string, string])
const span = fc
  .constantFrom([0, 1], [0, 2], [1, 2])
  .map(([a = 0, b = 0]) => [DAYS[a]!, DAYS[b]!] as const)

const when: fc.Arbitrary<ModelWhen> = fc
  .record({
    rails: some(fc.constantFrom(['wallet'], ['bank'], ['wallet', 'bank'])),
    categories: some(fc.constantFrom(['5812'], ['4511', '5812'])),
    countries: some(fc.constantFrom(['DE'], ['FR', 'DE'])),
    band: some(bounds),
    span: some(span),
  })
  .map(({ band, span: dates, ...rest }) =>
    dense({
      ...rest,
      ...(band && { amount_from: band[0], amount_to: band[1] }),
      ...(dates && { from: dates[0], until: dates[1] }),
    }),
  )

const steps = fc
  .tuple(
    fc.uniqueArray(fc.oneof(fc.bigInt(1n, 5_000n), fc.bigInt(1n, 10_000_000n)), { maxLength: 4 }),
    fc.array(fc.record({ percent, fixed: fc.oneof(small, fc.constant('0')) }), { minLength: 5 }),
  )
  .map(([tops, prices]) => {
    const sorted = [...tops].sort((a, b) => (a < b ? -1 : 1)).map(String)
    return [...sorted, null].map((up_to, at) => ({ up_to, ...prices[at]! }))
  })

const component: fc.Arbitrary<ModelComponent> = fc
  .tuple(
    fc.oneof(
      fc.record({ kind: fc.constant('percent' as const), percent }),
      fc.record({ kind: fc.constant('fixed' as const), amount: fixed }),
      fc.record({
        kind: fc.constant('tiers' as const),
        of: fc.constantFrom('payment' as const, 'month' as const),
        mode: fc.constantFrom('graduated' as const, 'volume' as const),
        steps,
      }),
    ),
    fc.record({ when: some(when), instead: some(fc.boolean()) }),
  )
  .map(([own, ruled]) => dense({ ...own, ...ruled }))

const bound = fc.option(fc.bigInt(0n, 1_000n), { nil: null })

export const modelTerms: fc.Arbitrary<ModelTerms> = fc
  .record({
    components: fc.array(component, { maxLength: 5 }),
    floor: bound,
    over: bound,
    tax_percent: tax,
    surcharge_rails: fc.constantFrom([], ['bank'], ['wallet', 'bank']),
    rounding: fc.constantFrom('half_even', 'half_up', 'up', 'down'),
  })
  .map(({ floor, over, ...terms }) => ({
    ...terms,
    floor: floor === null ? null : `${floor}`,
    cap: over === null ? null : `${(floor ?? 0n) + over}`,
  }))

export const modelFacts: fc.Arbitrary<ModelFacts> = fc.record({
  amount: fc.oneof(
    fc.bigInt(1n, 999n),
    fc.bigInt(1_000n, 200_000n),
    fc.bigInt(1n, 999_999_999_999_999n),
  ),
  volume: fc.oneof(fc.constant(0n), fc.bigInt(0n, 10_000n), fc.bigInt(0n, 20_000_000n)),
  rail: fc.constantFrom('wallet', 'bank'),
  country: fc.constantFrom(null, 'DE', 'FR', 'US'),
  category: fc.constantFrom(null, '5812', '4511', '7995'),
  at: fc.constantFrom(...DAYS, '2026-10-14T23:59:59.999Z', '2026-09-30T12:00:00.000Z'),
})

export const scheduleFrom = (terms: ModelTerms, refund_fees = 'keep'): FeeSchedule => {
  const borne_by = terms.surcharge_rails.length > 0 ? 'payer' : 'merchant'
  const own = termsOf({ ...terms, borne_by, refund_fees })
  return { id: 'fee', version: 1, currency: 'EUR', ...own }
}

export const pricedFrom = ({ at, rail, ...facts }: ModelFacts): Priced => ({
  ...{ ...facts, currency: 'EUR', at: new Date(at) },
  rail: rail as Priced['rail'],
})

export const factsWith = (more: Partial<ModelFacts> = {}): ModelFacts => ({
  ...{ amount: 1_000n, volume: 0n, rail: 'wallet', country: null, category: null },
  ...{ at: '2026-10-10T00:00:00.000Z', ...more },
})
