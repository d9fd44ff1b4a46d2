/** Currencies against a second source of ISO 4217, and amounts as people read them. */
import { expect } from 'chai'
import * as dinero from 'dinero.js/currencies'
import { formatMoney, isCurrency } from '../ledger/index.ts'
import { scaleOf } from '../ledger/money.ts'

/** ISO 4217 gives the ariary and the ouguiya two digits; the library counts their fifths. */
const IN_FIFTHS = ['MGA', 'MRU']

describe('money', () => {
  it('has the digits that ISO 4217 gives every currency', () => {
    const known = Object.values(dinero).filter(({ code }) => !IN_FIFTHS.includes(code))
    const differing = known.filter(({ code, exponent }) => scaleOf(code) !== exponent)
    expect(differing.map(({ code }) => code)).to.deep.equal([])
    expect(known.length).to.be.greaterThan(150)
    for (const code of IN_FIFTHS) expect(scaleOf(code)).to.equal(2)
  })

  it('knows no currency that is not one', () => {
    expect(['XXQ', 'eur', '', 'EURO', 'constructor'].filter(isCurrency)).to.deep.equal([])
  })

  it('is written with the digits of its currency, however large', () => {
    const written = (
      [
        [1_250n, 'EUR'],
        [5n, 'EUR'],
        [-1_816n, 'EUR'],
        [1_250n, 'JPY'],
        [1_250n, 'KWD'],
        [9_007_199_254_740_993n, 'EUR'],
      ] as const
    ).map(([amount, currency]) => formatMoney({ amount, currency }))
    expect(written).to.deep.equal([
      ...['12.50 EUR', '0.05 EUR', '-18.16 EUR', '1250 JPY', '1.250 KWD'],
      '90071992547409.93 EUR',
    ])
  })
})
