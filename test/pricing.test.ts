/** The price of an exchange, against a model in whole-number fractions. */
import { expect } from 'chai'
import fc from 'fast-check'
import { priceExchange } from '../services/exchange/pricing.ts'
import { modelExchange, type ModelWanted, residueBelow } from './model/exchange.ts'

/** A currency of each number of digits there is, twice: both sides may have the same. */
const PAIRS = {
  0: ['JPY', 'KRW'],
  2: ['EUR', 'USD'],
  3: ['BHD', 'KWD'],
  4: ['CLF', 'UYW'],
} as const

const scale = fc.constantFrom(0, 2, 3, 4)
const digits = (most: number) =>
  fc.nat(most).chain((length) => fc.bigInt(0n, 10n ** BigInt(length)))
const mid = fc
  .tuple(digits(9), fc.oneof(fc.constant(''), fc.stringMatching(/^[0-9]{1,12}$/)))
  .map(([whole, part]) => (part === '' ? `${whole}` : `${whole}.${part}`))
  .filter((rate) => /[1-9]/.test(rate))
const plain = fc.constantFrom('1', '0.5', '1.0842', '161.57', '0.006189', '2.653', '0.37699')
const wanted: fc.Arbitrary<ModelWanted> = fc.record({
  ...{ side: fc.constantFrom('sell', 'buy'), sellScale: scale, buyScale: scale },
  amount: fc.oneof(fc.bigInt(1n, 9_999n), fc.bigInt(1n, 10n ** 15n - 1n)),
  mid: fc.oneof(mid, plain),
  spreadBps: fc.oneof(fc.constantFrom(0, 1, 50, 250, 5_000), fc.nat(5_000)),
})

function priced({ side, amount, sellScale, buyScale, mid, spreadBps }: ModelWanted) {
  const [sell, buy] = [
    PAIRS[sellScale as keyof typeof PAIRS][0],
    PAIRS[buyScale as keyof typeof PAIRS][1],
  ]
  return priceExchange({ side, sell, buy, amount }, { mid, spreadBps })
}

describe('the price of an exchange', () => {
  it('is the model’s to the last minor unit, and nothing is lost or invented', () => {
    const seen = { priced: 0, exchange_too_small: 0, exchange_too_large: 0 }
    const property = fc.property(wanted, (asked) => {
      const expected = modelExchange(asked)
      if (typeof expected === 'string') {
        seen[expected] += 1
        expect(() => priced(asked)).to.throw(expected)
        return
      }
      seen.priced += 1
      const { sell, buy, midValue, spread, residue } = priced(asked)
      const got = { sold: sell.amount, bought: buy.amount, midValue, spread, residue }
      expect(got).to.deep.equal(expected)
      expect(midValue).to.equal(buy.amount + spread + residue)
      expect(residue >= 0n && spread >= 0n && sell.amount > 0n).to.equal(true)
      const { over, under } = residueBelow(asked)
      expect(residue * under < over, `residue ${residue}`).to.equal(true)
    })
    fc.assert(property, { numRuns: Number(process.env['RUNS'] ?? 10_000) })
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).to.be.greaterThan(100)
  }).timeout(60_000)

  it('never gives who sells more than the rate says, nor who buys less than they asked', () => {
    const dear = priceExchange(
      { side: 'sell', sell: 'EUR', buy: 'USD', amount: 999n },
      { mid: '1.0842', spreadBps: 50 },
    )
    // 9.99 EUR at 1.078779 are 10.77700221 USD; at 1.0842 they are 10.831158.
    expect(dear).to.deep.equal({
      ...{ sell: { amount: 999n, currency: 'EUR' }, buy: { amount: 1_077n, currency: 'USD' } },
      ...{ midValue: 1_083n, spread: 5n, residue: 1n, rate: '1.078779' },
    })
    const exact = priceExchange(
      { side: 'buy', sell: 'EUR', buy: 'JPY', amount: 100n },
      { mid: '161.57', spreadBps: 0 },
    )
    // 0.61 EUR are 98.5577 JPY and so too little; 0.62 EUR are 100.1734.
    expect(exact.sell).to.deep.equal({ amount: 62n, currency: 'EUR' })
    expect([exact.buy.amount, exact.midValue, exact.residue]).to.deep.equal([100n, 100n, 0n])
  })

  it('rounds the mid value half to even', () => {
    const midOf = (amount: bigint) =>
      priceExchange({ side: 'sell', sell: 'EUR', buy: 'USD', amount }, { mid: '0.5', spreadBps: 0 })
    const prices = [3n, 5n, 7n, 9n].map(midOf)
    expect(prices.map(({ midValue }) => midValue)).to.deep.equal([2n, 2n, 4n, 4n])
    expect(prices.map(({ buy }) => buy.amount)).to.deep.equal([1n, 2n, 3n, 4n])
    expect(prices.map(({ residue }) => residue)).to.deep.equal([1n, 0n, 1n, 0n])
  })

  it('is none where nothing would be bought', () => {
    const rate = { mid: '0.0061', spreadBps: 0 }
    const yen = (amount: bigint) => () =>
      priceExchange({ side: 'sell', sell: 'JPY', buy: 'EUR', amount }, rate)
    expect(yen(1n)).to.throw('exchange_too_small')
    expect(yen(2n)().buy.amount).to.equal(1n)
  })
})
