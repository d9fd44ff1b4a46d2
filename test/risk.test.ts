/** Rules about payments: each kind on both sides of its threshold, and what all say together. */
import { expect } from 'chai'
import fc from 'fast-check'
import { newId } from '../ledger/index.ts'
import type { Facts, Rail } from '../services/clearance/facts.ts'
import { HITS, type Known, SCHEMAS } from '../services/risk/kinds.ts'
import { concerns, type Rule, type Verdict, VERDICTS, verdictOf } from '../services/risk/verdict.ts'

const AT = new Date('2026-03-10T12:00:00Z')

const factsOf = (more: Partial<Facts> = {}): Facts => ({
  rail: 'wallet',
  payer: {
    id: newId(),
    standing: { tier: 'basic', noPinLimit: null, securityChangedAt: null },
  } as Facts['payer'],
  payee: { kind: 'person', id: newId() },
  money: { amount: 1_000n, currency: 'EUR' },
  at: AT,
  ...more,
})

const knownOf = (more: Partial<Known> = {}, facts: Partial<Facts> = {}): Known => ({
  facts: factsOf(facts),
  recent: new Map(),
  firstPaidAt: undefined,
  countries: {},
  listed: { payer: [], payee: [] },
  ...more,
})

const ruleOf = (more: object = {}) =>
  ({
    ...{ id: newId(), kind: 'amount', parameters: { above: '0' }, rails: ['wallet'], tier: null },
    ...{ currency: null, verdict: 'refuse', whenUnavailable: 'allow', reason: 'a test' },
    ...{ validFrom: AT, validTo: null, createdBy: 'olga', endedBy: null, createdAt: AT },
    ...more,
  }) as Rule

const later = (s: number) => new Date(AT.getTime() + s * 1000)
const ago = (s: number) => later(-s)

describe('a rule', () => {
  it('concerns payments above an amount, and not those of just that', () => {
    const rule = ruleOf({ parameters: { above: '1000' } })
    const of = (amount: bigint) => factsOf({ money: { amount, currency: 'EUR' } })
    expect(concerns(rule, of(1_000n))).to.equal(false)
    expect(concerns(rule, of(1_001n))).to.equal(true)
    expect(HITS.amount({ above: '1000' }, knownOf())).to.equal('hit')
  })

  it('concerns the rails, the tier and the currency that it names, and no other', () => {
    const facts = factsOf()
    expect(concerns(ruleOf({ tier: 'basic', currency: 'EUR' }), facts)).to.equal(true)
    expect(concerns(ruleOf({ rails: ['order', 'bank'] }), facts)).to.equal(false)
    expect(concerns(ruleOf({ tier: 'known' }), facts)).to.equal(false)
    expect(concerns(ruleOf({ currency: 'USD' }), facts)).to.equal(false)
  })

  const velocity = (parameters: object, payments: bigint, amount: bigint) =>
    HITS.velocity(
      SCHEMAS.velocity.parse({ window_s: 60, ...parameters }),
      knownOf({ recent: new Map([[60, { payments, amount }]]) }),
    )

  it('of velocity lets the last one through that the maximum allows', () => {
    expect(velocity({ payments_max: 3 }, 2n, 0n)).to.equal('miss')
    expect(velocity({ payments_max: 3 }, 3n, 0n)).to.equal('hit')
    expect(velocity({ amount_max: '5000' }, 0n, 4_000n)).to.equal('miss')
    expect(velocity({ amount_max: '5000' }, 0n, 4_001n)).to.equal('hit')
    expect(velocity({ payments_max: 9, amount_max: '5000' }, 1n, 4_001n)).to.equal('hit')
    expect(HITS.velocity({ window_s: 60, payments_max: 0 }, knownOf())).to.equal('hit')
  })

  it('of new payees knows whoever was paid before, for as long as it asks', () => {
    const hit = (known_after_s: number, firstPaidAt?: Date) =>
      HITS.new_payee({ known_after_s }, knownOf({ firstPaidAt }))
    expect(hit(0)).to.equal('hit')
    expect(hit(0, AT)).to.equal('miss')
    expect(hit(60, ago(59))).to.equal('hit')
    expect(hit(60, ago(60))).to.equal('miss')
    expect(HITS.new_payee({ known_after_s: 0 }, knownOf({}, { payee: null }))).to.equal('miss')
  })

  it('of hours reads the clock of its time zone, over midnight and over daylight saving', () => {
    const hit = (from: number, to: number, time_zone: string, at: string) =>
      HITS.hour({ from, to, time_zone }, knownOf({}, { at: new Date(at) }))
    expect(hit(22, 6, 'UTC', '2026-03-10T21:59:59.999Z')).to.equal('miss')
    expect(hit(22, 6, 'UTC', '2026-03-10T22:00:00Z')).to.equal('hit')
    expect(hit(22, 6, 'UTC', '2026-03-10T00:00:00Z')).to.equal('hit')
    expect(hit(22, 6, 'UTC', '2026-03-10T06:00:00Z')).to.equal('miss')
    expect(hit(9, 10, 'Africa/Nairobi', '2026-03-10T06:30:00Z')).to.equal('hit')
    expect(hit(9, 10, 'Africa/Nairobi', '2026-03-10T09:30:00Z')).to.equal('miss')
    expect(hit(9, 10, 'Europe/Berlin', '2026-03-28T08:30:00Z')).to.equal('hit')
    expect(hit(9, 10, 'Europe/Berlin', '2026-03-29T08:30:00Z')).to.equal('miss')
  })

  it('of countries asks about the sides it names, and says when it cannot know', () => {
    const hit = (of: ('payer' | 'payee')[], countries: Known['countries'], facts = {}) =>
      HITS.country({ of, countries: ['KP', 'IR'] }, knownOf({ countries }, facts))
    expect(hit(['payer'], { payer: 'IR', payee: 'DE' })).to.equal('hit')
    expect(hit(['payee'], { payer: 'IR', payee: 'DE' })).to.equal('miss')
    expect(hit(['payee'], { payer: 'IR' })).to.equal('unavailable')
    expect(hit(['payer', 'payee'], { payer: 'IR' })).to.equal('hit')
    expect(hit(['payee'], {}, { payee: null })).to.equal('miss')
  })

  it('of lists asks about the sides it names, and says when the list cannot be asked', () => {
    const hit = (of: ('payer' | 'payee')[], listed: Known['listed']) =>
      HITS.list({ of }, knownOf({ listed }))
    expect(hit(['payer'], { payer: ['a'], payee: [] })).to.equal('hit')
    expect(hit(['payee'], { payer: ['a'], payee: [] })).to.equal('miss')
    expect(hit(['payee'], 'unavailable')).to.equal('unavailable')
  })

  for (const whenUnavailable of VERDICTS) {
    it(`says what it says without its list: ${whenUnavailable}`, () => {
      const rule = ruleOf({ kind: 'list', parameters: { of: ['payee'] }, whenUnavailable })
      const { verdict, rules } = verdictOf([rule], knownOf({ listed: 'unavailable' }))
      expect(verdict).to.equal(whenUnavailable)
      expect(rules).to.deep.equal(whenUnavailable === 'allow' ? [] : [rule.id])
    })
  }

  it('is refused when it could never be asked', () => {
    const bad: [keyof typeof SCHEMAS, object][] = [
      ['amount', {}],
      ['amount', { above: '-1' }],
      ['velocity', { window_s: 60 }],
      ['velocity', { window_s: 0, payments_max: 1 }],
      ['velocity', { window_s: 31 * 86_400 + 1, payments_max: 1 }],
      ['hour', { from: 3, to: 3, time_zone: 'UTC' }],
      ['hour', { from: 3, to: 24, time_zone: 'UTC' }],
      ['hour', { from: 3, to: 4, time_zone: 'Mars/Olympus' }],
      ['country', { of: [], countries: ['DE'] }],
      ['country', { of: ['payer'], countries: ['de'] }],
      ['list', { of: ['bank'] }],
      ['new_payee', { known_after_s: -1 }],
      ['list', { of: ['payer'], more: 1 }],
    ]
    for (const [kind, parameters] of bad) {
      expect(SCHEMAS[kind].safeParse(parameters).success, kind).to.equal(false)
    }
  })
})

describe('all rules together', () => {
  /** What a rule is to say, and how it is made to say it. */
  const said = fc.record({
    verdict: fc.constantFrom('step_up', 'hold', 'refuse'),
    whenUnavailable: fc.constantFrom(...VERDICTS),
    /** Whether its side is on the list; whether it asks at all. */
    side: fc.constantFrom('payer', 'payee'),
    rail: fc.constantFrom<Rail>('wallet', 'order'),
  })

  it('say what the strictest of them says, and name exactly those that spoke', () => {
    fc.assert(
      fc.property(
        fc.array(said, { maxLength: 8 }),
        fc.constantFrom('payer', 'nobody', 'unavailable'),
        (all, listed) => {
          const rules = all.map(({ side, rail, ...rest }) =>
            ruleOf({ kind: 'list', parameters: { of: [side] }, rails: [rail], ...rest }),
          )
          const facts = factsOf()
          const known = knownOf({
            facts,
            listed:
              listed === 'unavailable'
                ? 'unavailable'
                : { payer: listed === 'payer' ? ['x'] : [], payee: [] },
          })
          const judged = verdictOf(
            rules.filter((rule) => concerns(rule, facts)),
            known,
          )
          // The model: each rule in words of its own, then the largest number.
          const numbers: Record<string, number> = { allow: 0, step_up: 1, hold: 2, refuse: 3 }
          const spoken = all.map((one) => {
            if (one.rail !== 'wallet') return 0
            if (listed === 'unavailable') return numbers[one.whenUnavailable] ?? 0
            return listed === 'payer' && one.side === 'payer' ? (numbers[one.verdict] ?? 0) : 0
          })
          expect(numbers[judged.verdict]).to.equal(Math.max(0, ...spoken))
          expect(judged.rules).to.deep.equal(
            rules.filter((_, at) => spoken[at] !== 0).map(({ id }) => id),
          )
        },
      ),
      { numRuns: Number(process.env['RUNS'] ?? 300) },
    )
  })

  it('name each reason once', () => {
    const rules = (['hold', 'refuse', 'step_up'] as Verdict[]).map((verdict) => ruleOf({ verdict }))
    expect(verdictOf(rules, knownOf()).reasons).to.deep.equal(['a test'])
    expect(verdictOf([], knownOf())).to.deep.equal({ verdict: 'allow', rules: [], reasons: [] })
  })
})
