/** The fee of a merchant payment, against a model in exact fractions. */
import { expect } from 'chai'
import fc from 'fast-check'
import { percentOf } from '../ledger/index.ts'
import { isExcessive } from '../services/fees/bounds.ts'
import { chargeOf, priceOf } from '../services/fees/price.ts'
import { type ModelTerms, modelPrice, simple } from './model/fees.ts'
import { factsWith, modelFacts, modelTerms, pricedFrom, scheduleFrom } from './support/fees.ts'

const RUNS = Number(process.env['RUNS'] ?? 5_000)
const PLAIN = simple('1.4', 25n, '20')

const said = (terms: ModelTerms, facts = factsWith()) =>
  priceOf(scheduleFrom(terms), pricedFrom(facts)).lines.map(
    ({ kind, amount, description }) => `${kind} ${amount}: ${description}`,
  )

describe('the fee', () => {
  it('is the model’s to the last minor unit, and its lines sum to it (abuse 29)', () => {
    const seen = { priced: 0, refused: 0, floor: 0, cap: 0, tiers: 0, surcharge: 0 }
    const property = fc.property(modelTerms, modelFacts, (terms, facts) => {
      const [schedule, priced] = [scheduleFrom(terms), pricedFrom(facts)]
      const expected = modelPrice(terms, facts)
      if (expected === undefined) {
        seen.refused += 1
        expect(() => priceOf(schedule, priced)).to.throw('fee_exceeds_amount')
        return
      }
      seen.priced += 1
      const { lines, ...charge } = priceOf(schedule, priced)
      expect(charge).to.deep.equal(expected)
      expect(chargeOf(schedule, priced)).to.deep.equal(expected)
      const { fee, tax, net, surcharge } = expected
      expect(net + fee + tax).to.equal(facts.amount + surcharge)
      expect(fee <= facts.amount && fee >= 0n && tax >= 0n && net >= 0n).to.equal(true)
      if (terms.floor !== null) expect(fee >= BigInt(terms.floor)).to.equal(true)
      if (terms.cap !== null) expect(fee <= BigInt(terms.cap)).to.equal(true)
      expect(lines.reduce((sum, line) => sum + line.amount, 0n)).to.equal(fee + tax)
      for (const { kind, amount } of lines) expect(amount < 0n).to.equal(kind === 'cap')
      if (surcharge > 0n) seen.surcharge += 1
      for (const kind of ['floor', 'cap', 'tiers'] as const) {
        if (lines.some((line) => line.kind === kind)) seen[kind] += 1
      }
    })
    fc.assert(property, { numRuns: RUNS })
    // A property that never meets a cap proves nothing about caps.
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).to.be.greaterThan(RUNS / 50)
  }).timeout(600_000)

  it('rounds half to even, or as it is named', () => {
    const halves = [50n, 150n, 250n, 350n, 351n, 349n]
    const all = (rounding: 'half_even' | 'half_up' | 'up' | 'down') =>
      halves.map((one) => percentOf(one, '1', rounding))
    expect(all('half_even')).to.deep.equal([0n, 2n, 2n, 4n, 4n, 3n])
    expect(all('half_up')).to.deep.equal([1n, 2n, 3n, 4n, 4n, 3n])
    expect(all('up')).to.deep.equal([1n, 2n, 3n, 4n, 4n, 4n])
    expect(all('down')).to.deep.equal([0n, 1n, 2n, 3n, 3n, 3n])
  })

  it('takes no cent too many where a float would: 0.22 % of 550.00 is 1.21', () => {
    expect(percentOf(55_000n, '0.22', 'half_even')).to.equal(121n)
    expect(modelPrice(simple('0.22', 0n), factsWith({ amount: 55_000n }))?.fee).to.equal(121n)
  })

  it('explains itself in sentences', () => {
    expect(said(PLAIN, factsWith({ amount: 860n }))).to.deep.equal([
      'percent 12: 1.4 % of 8.60 EUR',
      'fixed 25: 0.25 EUR per payment',
      'tax 7: 20 % tax on 0.37 EUR',
    ])
    const bounded = { ...PLAIN, floor: '50', cap: '60', tax_percent: '0' }
    expect(said(bounded, factsWith({ amount: 860n })).at(-1)).to.equal(
      'floor 13: Raised to the least, 0.50 EUR per payment',
    )
    expect(said(bounded, factsWith({ amount: 8_600n })).at(-1)).to.equal(
      'cap -85: Lowered to the most, 0.60 EUR per payment',
    )
  })

  it('says of each step how much lies in it, and why', () => {
    const steps = [
      { up_to: '100000', percent: '2', fixed: '0' },
      { up_to: null, percent: '1', fixed: '10' },
    ]
    const before = '900.00 EUR before today'
    const tiers = (of: 'payment' | 'month', mode: 'graduated' | 'volume') =>
      said(
        { ...simple('0', 0n), components: [{ kind: 'tiers', of, mode, steps }] },
        factsWith({ amount: 15_000n, volume: 90_000n }),
      )
    expect(tiers('month', 'graduated')).to.deep.equal([
      'tiers 200: 2 % of 100.00 EUR ' +
        `(the part of the month’s turnover up to 1000.00 EUR; ${before})`,
      `tiers 50: 1 % of 50.00 EUR (the part of the month’s turnover beyond 1000.00 EUR; ${before})`,
      'fixed 10: 0.10 EUR per payment ' +
        `(the part of the month’s turnover beyond 1000.00 EUR; ${before})`,
    ])
    expect(tiers('month', 'volume')).to.deep.equal([
      `tiers 150: 1 % of 150.00 EUR (a month’s turnover beyond 1000.00 EUR; ${before})`,
      `fixed 10: 0.10 EUR per payment (a month’s turnover beyond 1000.00 EUR; ${before})`,
    ])
    expect(tiers('payment', 'volume')).to.deep.equal([
      'tiers 300: 2 % of 150.00 EUR (a payment up to 1000.00 EUR)',
    ])
  })

  it('gives a promotion the place of what stands above it, and adds what stands below', () => {
    const until = '2026-11-01T00:00:00.000Z'
    const terms: ModelTerms = {
      ...PLAIN,
      tax_percent: '0',
      components: [
        ...PLAIN.components,
        { kind: 'percent', percent: '0.5', instead: true, when: { until } },
        { kind: 'percent', percent: '1', when: { countries: ['US'] } },
      ],
    }
    expect(said(terms, factsWith({ country: 'US' }))).to.deep.equal([
      'percent 5: 0.5 % of 10.00 EUR (before 2026-11-01)',
      'percent 10: 1 % of 10.00 EUR (payer from US)',
    ])
    expect(said(terms, factsWith({ at: until }))).to.deep.equal([
      'percent 14: 1.4 % of 10.00 EUR',
      'fixed 25: 0.25 EUR per payment',
    ])
  })

  it('is refused where it can be seen that it exceeds payments of any size', () => {
    const excessive = (terms: ModelTerms) => isExcessive(scheduleFrom(terms))
    expect(excessive(simple('100', 0n))).to.equal(false)
    expect(excessive(simple('100', 0n, '0.0001'))).to.equal(true)
    expect(excessive({ ...simple('100', 0n, '20'), cap: '100' })).to.equal(false)
    const twice = { ...PLAIN, components: [...simple('60', 0n).components] }
    expect(excessive({ ...twice, tax_percent: '0' })).to.equal(false)
    const more = { kind: 'percent' as const, percent: '50' }
    expect(excessive({ ...twice, components: [...twice.components, more] })).to.equal(true)
    const promotion = { ...more, instead: true }
    expect(excessive({ ...twice, components: [...twice.components, promotion] })).to.equal(false)
    const dead = { kind: 'percent' as const, percent: '100' }
    const taxed = { ...PLAIN, components: [dead, promotion], tax_percent: '20' }
    expect(excessive(taxed), 'what never holds').to.equal(false)
    const property = fc.property(modelTerms, (terms) => {
      if (!excessive(terms)) return
      const always = terms.components.every(({ when }) => when === undefined)
      if (!always || terms.components.some(({ kind }) => kind === 'tiers')) return
      const facts = factsWith({ amount: 999_999_999_999_999n })
      expect(modelPrice({ ...terms, rounding: 'up' }, facts), JSON.stringify(terms)).to.equal(
        undefined,
      )
    })
    fc.assert(property, { numRuns: RUNS })
  })
})
