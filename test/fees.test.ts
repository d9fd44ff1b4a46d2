/** The fee of a merchant payment, against a model in whole-number fractions. */
import { expect } from 'chai'
import fc from 'fast-check'
import { percentOf } from '../ledger/index.ts'
import { type FeeSchedule, priceOf } from '../services/merchants/fees.ts'
import { modelPercent, modelPrice } from './model/fees.ts'

const percent = fc
  .tuple(fc.nat(100), fc.nat(9_999))
  .map(([whole, part]) => (whole === 100 ? '100' : `${whole}.${String(part).padStart(4, '0')}`))
const amount = fc.oneof(fc.bigInt(1n, 999n), fc.bigInt(1n, 999_999_999_999_999n))
const schedule = fc.record({
  percent: fc.oneof(percent, fc.constantFrom('0', '1.4', '2.5', '0.22')),
  fixed: fc.oneof(fc.bigInt(0n, 50n), fc.bigInt(0n, 10_000_000n)),
  taxPercent: fc.oneof(percent, fc.constantFrom('0', '20', '7.7')),
})
const full = (own: Omit<FeeSchedule, 'id' | 'currency'>): FeeSchedule => ({
  ...{ id: 'fee', currency: 'EUR', ...own },
})

describe('the fee', () => {
  it('is the model’s to the last minor unit, and its lines sum to it (abuse 29)', () => {
    const property = fc.property(schedule, amount, (own, gross) => {
      const expected = modelPrice(own, gross)
      if (expected === undefined) {
        expect(() => priceOf(full(own), { amount: gross, currency: 'EUR' })).to.throw('fee_exceeds')
        return
      }
      const { lines, fee, tax, net } = priceOf(full(own), { amount: gross, currency: 'EUR' })
      expect({ fee, tax, net }).to.deep.equal(expected)
      expect(net + fee + tax).to.equal(gross)
      expect(lines.reduce((sum, line) => sum + line.amount, 0n)).to.equal(fee + tax)
    })
    fc.assert(property, { numRuns: Number(process.env['RUNS'] ?? 10_000) })
  }).timeout(60_000)

  it('rounds half to even', () => {
    const halves = [50n, 150n, 250n, 350n].map((one) => percentOf(one, '1', 'half_even'))
    expect(halves).to.deep.equal([0n, 2n, 2n, 4n])
  })

  it('takes no cent too many where a float would: 0.22 % of 550.00 is 1.21', () => {
    expect(percentOf(55_000n, '0.22', 'half_even')).to.equal(121n)
    expect(modelPercent(55_000n, '0.22')).to.equal(121n)
  })

  it('explains itself in sentences', () => {
    const own = full({ percent: '1.4', fixed: 25n, taxPercent: '20' })
    const { lines } = priceOf(own, { amount: 860n, currency: 'EUR' })
    expect(lines.map((line) => `${line.amount} ${line.description}`)).to.deep.equal([
      '12 1.4 % of 8.60 EUR',
      '25 0.25 EUR per payment',
      '7 20 % tax on 0.37 EUR',
    ])
  })
})
