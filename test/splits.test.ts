/** Payments that are shared: a marketplace, its commission, and any number of beneficiaries. */
import { expect } from 'chai'
import fc from 'fast-check'
import { newId } from '../ledger/index.ts'
import { type Splits, splitsOf } from '../services/fees/splits.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { sharesOf } from './model/chart.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { call, newKey, newSubject } from './support/api.ts'
import { payOrder } from './support/held.ts'
import {
  ended,
  linkedAccount,
  type Merchant,
  merchant,
  merchantBalance,
  OPERATOR,
  person,
  PIN,
} from './support/people.ts'
import { together } from './support/proposals.ts'

const RUNS = Number(process.env['RUNS'] ?? 5_000)

/** '1.4' as 14000 of a million. */
const millionths = (percent: string): bigint => {
  const [units = '0', part = ''] = percent.split('.')
  return BigInt(units) * 10_000n + BigInt(part.padEnd(4, '0'))
}

const percentOf = (n: number) => `${Math.floor(n / 10_000)}.${String(n % 10_000).padStart(4, '0')}`

const someShare = fc.oneof(
  fc.nat(99_999).map((n) => ({ percent: percentOf(n) })),
  fc.bigInt(0n, 2_000n).map((amount) => ({ amount: `${amount}` })),
)
const thirds = fc.constantFrom(1, 2, 3).map(() => ({ percent: '33.3333' }))
const someSplits = fc.oneof(
  fc.record({
    commission: fc.option(someShare, { nil: undefined }),
    shares: fc.array(someShare, { minLength: 1, maxLength: 9 }),
  }),
  fc.record({
    commission: fc.constant(undefined),
    shares: fc.array(thirds, { minLength: 1, maxLength: 3 }),
  }),
)

describe('the shares of a payment', () => {
  it('sum to the net with what is kept, each as the model says', () => {
    const seen = { shared: 0, refused: 0, rounded: 0 }
    const net = fc.oneof(fc.bigInt(0n, 9_999n), fc.bigInt(0n, 10n ** 15n - 1n))
    const property = fc.property(someSplits, net, ({ commission, shares }, all) => {
      const beneficiaries = shares.map((share) => ({
        ...share,
        merchant: publicId('mer', newId()),
      }))
      const splits: Splits = { commission, beneficiaries }
      const parts: { percent?: string; amount?: string }[] = [commission ?? {}, ...shares]
      const first = parts.map(({ amount = '0' }) => BigInt(amount))
      const rest = all - first.reduce((sum, one) => sum + one)
      if (rest < 0n) {
        seen.refused += 1
        expect(() => splitsOf(splits, all)).to.throw('split_exceeds_net')
        return
      }
      const weights = parts.map(({ percent = '0' }) => millionths(percent))
      const nobodys = 1_000_000n - weights.reduce((sum, one) => sum + one)
      const expected = sharesOf(rest, [...weights, nobodys]).map(
        (share, at) => share + (first[at] ?? 0n),
      )
      const paid = new Map(splitsOf(splits, all).map((one) => [one.merchant, one.amount]))
      const got = beneficiaries.map((one) => paid.get(uuidOf(one.merchant)) ?? 0n)
      expect(got).to.deep.equal(expected.slice(1, -1))
      const kept = all - got.reduce((sum, one) => sum + one, 0n)
      expect(kept).to.equal((expected[0] ?? 0n) + (expected.at(-1) ?? 0n))
      expect(got.every((one) => one >= 0n) && kept >= 0n).to.equal(true)
      seen.shared += 1
      if (weights.some((weight) => (rest * weight) % 1_000_000n !== 0n)) seen.rounded += 1
    })
    fc.assert(property, { numRuns: RUNS })
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).to.be.greaterThan(RUNS / 100)
  }).timeout(600_000)
})

const orderOf = (shop: Merchant, amount: string, splits: object, more: object = {}) =>
  call(shop, 'POST', '/v1/orders', {
    body: {
      ...{ reference: newSubject('r'), description: 'Two things', amount, currency: 'EUR' },
      ...{ splits, ...more },
    },
  })
const splitsSeenBy = (who: typeof OPERATOR, id: string) =>
  call(who, 'GET', `/v1/payments/${id}/splits`)

const town = () => Promise.all([merchant({ percent: '1', fixed: '0' }), merchant(), merchant()])

describe('an order with beneficiaries', () => {
  it('is shared in the unit of its payment, net of the fee, to the last cent', async () => {
    const [ada, [market, baker, farmer]] = await Promise.all([person(20_000n), town()])
    const splits = {
      commission: { percent: '33.3333' },
      beneficiaries: [
        { merchant: baker.id, percent: '33.3333' },
        { merchant: farmer.id, amount: '500' },
      ],
    }
    const made = await orderOf(market, '10001', splits)
    expect(made.status, made.text).to.equal(201)
    const { body: paid, status, text } = await payOrder(ada, made.body.id, '10001')
    expect(status, text).to.equal(201)
    // 100.01 less the fee of 1.00 less 5.00 is 94.01; of the rest three thirds are 31.33
    expect(await merchantBalance(baker)).to.equal(3_133n)
    expect(await merchantBalance(farmer)).to.equal(500n)
    expect(await merchantBalance(market)).to.equal(10_001n - 100n - 3_133n - 500n)
    const all = await splitsSeenBy(market, paid.id)
    expect(all.body).to.deep.equal({
      ...{ payment: paid.id, currency: 'EUR', kept: '6268' },
      data: [
        { merchant: baker.id, amount: '3133', returned: '0' },
        { merchant: farmer.id, amount: '500', returned: '0' },
      ],
    })
    expect((await splitsSeenBy(OPERATOR, paid.id)).body).to.deep.equal(all.body)
    const own = await splitsSeenBy(farmer, paid.id)
    expect([own.body.kept, own.body.data]).to.deep.equal([
      null,
      [{ merchant: farmer.id, amount: '500', returned: '0' }],
    ])
    expectProblem(await splitsSeenBy(await merchant(), paid.id), 404, 'not_found')
    const seen = await call(ada, 'GET', `/v1/orders/${made.body.id}`)
    expect(seen.text).not.to.contain(baker.id)
  })

  it('is shared when the bank has paid, and given back by all when it is reversed', async () => {
    const [ada, [market, baker]] = await Promise.all([person(20_000n), town()])
    const splits = { beneficiaries: [{ merchant: baker.id, percent: '90' }] }
    const [one, two] = [
      await orderOf(market, '1000', splits),
      await orderOf(market, '2000', splits),
    ]
    const source = await linkedAccount(ada)
    const body = { order: one.body.id, amount: '1000', currency: 'EUR', source }
    const accepted = await call(ada, 'POST', '/v1/payments', {
      ...{ key: newKey(), body: { ...body, approval: { pin: PIN } } },
    })
    expect(accepted.status, accepted.text).to.equal(202)
    expect((await ended(ada, `/v1/payments/${accepted.body.id}`)).state).to.equal('completed')
    expect([await merchantBalance(baker), await merchantBalance(market)]).to.deep.equal([891n, 99n])
    const paid = await payOrder(ada, two.body.id, '2000')
    expect(await merchantBalance(baker)).to.equal(891n + 1_782n)
    const back = { payment: paid.body.id, reason: 'A mistake' }
    const reversed = await together('/v1/ledger/reversals', { body: back })
    expect(reversed.status, reversed.text).to.equal(201)
    expect([await merchantBalance(baker), await merchantBalance(market)]).to.deep.equal([891n, 99n])
  })

  it('is not paid once a beneficiary is suspended', async () => {
    const [ada, [market, baker]] = await Promise.all([person(20_000n), town()])
    const splits = { beneficiaries: [{ merchant: baker.id, percent: '90' }] }
    const made = await orderOf(market, '1000', splits, { usage: 'reusable' })
    expect((await payOrder(ada, made.body.id, '1000')).status).to.equal(201)
    const body = { reason: 'Complaints' }
    const suspended = await call(OPERATOR, 'POST', `/v1/merchants/${baker.id}/suspend`, { body })
    expect(suspended.status, suspended.text).to.equal(200)
    const refused = await payOrder(ada, made.body.id, '1000')
    expectProblem(refused, 409, 'merchant_not_active')
    expect(await merchantBalance(baker)).to.equal(891n)
  })

  it('is refused where it could not be shared', async () => {
    const [market, baker] = await town()
    const to = (share: object, id = baker.id) => ({ beneficiaries: [{ merchant: id, ...share }] })
    const one = to({ percent: '50' }).beneficiaries[0]
    await unchanged(async () => {
      for (const wrong of [
        { beneficiaries: [] },
        { beneficiaries: [one, one] },
        to({}),
        to({ percent: '1', amount: '1' }),
        { ...to({ percent: '60' }), commission: { percent: '40.0001' } },
        { ...to({ percent: '60' }), commission: {} },
      ]) {
        expectProblem(await orderOf(market, '1000', wrong), 400, 'invalid_request')
      }
      const nobody = to({ percent: '1' }, publicId('mer', newId()))
      expectProblem(await orderOf(market, '1000', nobody), 422, 'beneficiary_not_found')
      const itself = to({ percent: '1' }, market.id)
      expectProblem(await orderOf(market, '1000', itself), 422, 'beneficiary_not_found')
      // The fee of 0.10 leaves 9.90.
      expectProblem(await orderOf(market, '1000', to({ amount: '991' })), 422, 'split_exceeds_net')
    })
    expect((await orderOf(market, '1000', to({ amount: '990' }))).status).to.equal(201)
  })
})
