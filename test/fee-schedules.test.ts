/** Fee schedules from draft to payment: versions, previews, turnover, and who bears the fee. */
import { expect } from 'chai'
import { merchantAccountOf } from '../services/books/chart.ts'
import { monthTurnover } from '../services/fees/turnover.ts'
import { uuidOf } from '../services/ids.ts'
import { modelPrice, simple } from './model/fees.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { factsWith } from './support/fees.ts'
import { manualOrder, payOrder } from './support/held.ts'
import {
  ended,
  linkedAccount,
  merchant,
  merchantBalance,
  OPERATOR,
  order,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

const draft = (body: object) => call(OPERATOR, 'POST', '/v1/fee_schedules', { body, key: newKey() })
const change = (shop: { id: string }, body: object) =>
  together(`/v1/merchants/${shop.id}/fee_schedules`, { body: { currency: 'EUR', ...body } })
const quote = (who: typeof OPERATOR, body: object) => call(who, 'POST', '/v1/fee_quotes', { body })

const PERCENT = { kind: 'percent', percent: '2' }

describe('a fee schedule', () => {
  it('is a draft that prices nothing, until two operators put it in force', async () => {
    const [ada, shop] = [await person(50_000n), await merchant({ percent: '1', fixed: '0' })]
    const { status, text, body } = await draft({
      ...{ merchant: shop.id, currency: 'EUR', components: [PERCENT], floor: '30' },
      ...{ tax_percent: '20', refund_fees: 'pro_rata' },
    })
    expect(status, text).to.equal(201)
    expect(body).to.deep.include({ version: 2, state: 'draft', valid_from: null, floor: '30' })
    expect(body).to.deep.include({ refund_fees: 'pro_rata', rounding: 'half_even', cap: null })
    const paid = await payOrder(ada, await order(shop, '10000'), '10000')
    expect([paid.body.fee, paid.body.tax]).to.deep.equal(['100', '0'])
    const active = await together(`/v1/fee_schedules/${body.id}/activate`, { body: {} })
    expect(active.body).to.deep.include({ id: body.id, state: 'active', version: 2 })
    expect(active.body.activated_by).not.to.equal(active.body.approved_by)
    const then = await payOrder(ada, await order(shop, '1000'), '1000')
    expect([then.body.fee, then.body.tax, then.body.fee_schedule]).to.deep.equal([
      ...['30', '6', body.id],
    ])
    expect(then.body.fee_lines.map((line: { kind: string }) => line.kind)).to.deep.equal([
      ...['percent', 'floor', 'tax'],
    ])
    const again = await call(OPERATOR, 'POST', `/v1/fee_schedules/${body.id}/activate`, {
      ...{ body: {}, key: newKey() },
    })
    expectProblem(again, 409, 'fee_schedule_in_force')
  })

  it('is listed by version; a merchant sees no drafts and nobody else’s', async () => {
    const [shop, other] = [await merchant(), await merchant()]
    await change(shop, { percent: '2', fixed: '0' })
    await draft({ merchant: shop.id, currency: 'EUR', components: [PERCENT] })
    await draft({ merchant: other.id, currency: 'EUR', components: [PERCENT] })
    const listed = async (who: typeof OPERATOR, query: string) => {
      const { body } = await call(who, 'GET', `/v1/fee_schedules?${query}`)
      return body.data.map(({ merchant: of, version, state }: Record<string, unknown>) => {
        return [of, version, state]
      })
    }
    const [one, two] = [
      [shop.id, 1, 'active'],
      [shop.id, 2, 'active'],
    ]
    expect(await listed(OPERATOR, `merchant=${shop.id}`)).to.deep.equal([
      ...[[shop.id, 3, 'draft'], two, one],
    ])
    expect(await listed(shop, `merchant=${shop.id}`)).to.deep.equal([two, one])
    expect(await listed(shop, `merchant=${other.id}`)).to.deep.equal([])
    expect(await listed(OPERATOR, `merchant=${shop.id}&currency=USD`)).to.deep.equal([])
  })

  it('is refused where it contradicts itself, or takes all there is', async () => {
    const shop = await merchant()
    const terms = { merchant: shop.id, currency: 'EUR', components: [PERCENT] }
    const tiers = (...tops: (string | null)[]) => ({
      ...{ kind: 'tiers', of: 'month', mode: 'volume' },
      steps: tops.map((up_to) => ({ up_to, percent: '1' })),
    })
    for (const more of [
      { percent: '1', fixed: '0' },
      { components: undefined, percent: '1' },
      { components: undefined },
      { floor: '2', cap: '1' },
      { borne_by: 'payer' },
      { surcharge_rails: ['bank'] },
      { rounding: 'somehow' },
      { components: [{ ...PERCENT, amount: '1' }] },
      { components: [{ ...PERCENT, when: { amount_from: '2', amount_to: '1' } }] },
      { components: [tiers('5', '5', null)] },
      { components: [tiers(null, '5')] },
      { components: [tiers('5')] },
    ]) {
      const refused = await draft({ ...terms, ...more })
      expectProblem(refused, 400, 'invalid_request')
    }
    const all = { components: [PERCENT, { kind: 'percent', percent: '99' }] }
    await unchanged(async () =>
      expectProblem(await draft({ ...terms, ...all }), 422, 'fee_terms_excessive'),
    )
    expect((await draft({ ...terms, ...all, cap: '500' })).status).to.equal(201)
  })

  it('prices whoever has none of their own as all others, by category and country', async () => {
    const { owner } = await world()
    const [ada, shop] = [await person(10_000n), await merchant()]
    await owner('merchants')
      .where({ id: uuidOf(shop.id) })
      .update({ category: '5812' })
    await owner('people').where({ id: ada.id }).update({ country: 'CH' })
    const standard = await draft({
      currency: 'EUR',
      components: [
        { kind: 'percent', percent: '3' },
        { ...PERCENT, instead: true, when: { categories: ['5812'] } },
        { kind: 'fixed', amount: '7', when: { countries: ['CH'], rails: ['wallet'] } },
      ],
    })
    expect(standard.body.merchant).to.equal(null)
    // Not put in force: it would price other tests' merchants. A preview is as good.
    const ask = { merchant: shop.id, fee_schedule: standard.body.id, currency: 'EUR' }
    const asked = { ...ask, amount: '10000', country: 'CH' }
    const { body } = await quote(OPERATOR, asked)
    expect([body.fee, body.net, body.total]).to.deep.equal(['207', '9793', '10000'])
    const descriptions = body.fee_lines.map((line: { description: string }) => line.description)
    expect(descriptions).to.deep.equal([
      '2 % of 100.00 EUR (category 5812)',
      '0.07 EUR per payment (paid from a wallet; payer from CH)',
    ])
    expect((await quote(OPERATOR, { ...asked, rail: 'bank' })).body.fee).to.equal('200')
    await change(shop, { components: standard.body.components })
    const paid = await payOrder(ada, await order(shop, '10000'), '10000')
    expect(paid.body.fee, paid.text).to.equal('207')
    const row = await owner('payments')
      .where({ id: uuidOf(paid.body.id) })
      .first()
    expect([row.fee_country, row.fee_category]).to.deep.equal(['CH', '5812'])
  })
})

describe('a preview of a fee', () => {
  it('is what the payment then costs, and changes nothing', async () => {
    const [ada, shop] = [await person(50_000n), await merchant({ tax_percent: '19' })]
    const ask = { amount: '8600', currency: 'EUR' }
    const { status, text, body } = await unchanged(() => quote(shop, ask))
    expect(status, text).to.equal(200)
    const paid = await payOrder(ada, await order(shop, '8600'), '8600')
    for (const name of ['fee', 'tax', 'net', 'fee_lines', 'fee_schedule']) {
      expect(body[name], name).to.deep.equal(paid.body[name])
    }
    const expected = modelPrice(simple('1.4', 25n, '19'), factsWith({ amount: 8_600n }))
    expect([body.fee, body.tax]).to.deep.equal([`${expected?.fee}`, `${expected?.tax}`])
    expectProblem(await quote(shop, { ...ask, amount: '10' }), 422, 'fee_exceeds_amount')
    expectProblem(await quote(shop, { ...ask, currency: 'USD' }), 422, 'fee_schedule_not_found')
    expectProblem(await quote(shop, { ...ask, merchant: shop.id }), 403, 'forbidden')
    expectProblem(await quote(shop, { currency: 'EUR' }), 400, 'invalid_request')
    expectProblem(await quote(OPERATOR, ask), 400, 'invalid_request')
    expectProblem(await quote(ada, ask), 400, 'invalid_request')
  })

  it('tells a payer what they bear, and nothing of the merchant’s price', async () => {
    const [ada, shop] = [await person(), await merchant()]
    const { body } = await quote(ada, { order: await order(shop, '8600') })
    expect(body).to.deep.equal({
      ...{ amount: '8600', currency: 'EUR', surcharge: '0', total: '8600', fee_lines: [] },
    })
  })
})

describe('a surcharge', () => {
  const terms = {
    ...{ components: [PERCENT], tax_percent: '10' },
    ...{ borne_by: 'payer', surcharge_rails: ['bank'] },
  }

  it('is the payer’s on the rails that are listed, and part of what is agreed to', async () => {
    const [ada, shop] = [await person(50_000n), await merchant()]
    await change(shop, terms)
    const id = await order(shop, '10000')
    const { body } = await quote(ada, { order: id, rail: 'bank' })
    expect([body.surcharge, body.total]).to.deep.equal(['220', '10220'])
    expect(body.fee_lines).to.have.length(2)
    const source = await linkedAccount(ada)
    const pay = (amount: string, more: object = { source }) =>
      call(ada, 'POST', '/v1/payments', {
        ...{ key: newKey() },
        body: { order: id, amount, currency: 'EUR', approval: { pin: PIN }, ...more },
      })
    expectProblem(await pay('10000'), 422, 'order_mismatch')
    expectProblem(await pay('10220', {}), 422, 'order_mismatch')
    const accepted = await pay('10220')
    expect(accepted.status, accepted.text).to.equal(202)
    const paid = await ended(ada, `/v1/payments/${accepted.body.id}`)
    expect(paid).to.deep.include({ state: 'completed', amount: '10220', surcharge: '220' })
    expect(paid).to.deep.include({ fee: '200', tax: '20', net: '10000' })
    expect(await merchantBalance(shop)).to.equal(10_000n)
    expect(await walletBalance(ada)).to.equal(50_000n)
  })

  it('is the merchant’s on all others, and where money is only held', async () => {
    const [ada, shop] = [await person(50_000n), await merchant()]
    await change(shop, { ...terms, surcharge_rails: ['wallet'] })
    const held = await payOrder(ada, await manualOrder(shop, '10000'), '10000')
    expect(held.body).to.deep.include({ state: 'authorized', surcharge: '0' })
    const captured = await call(shop, 'POST', `/v1/payments/${held.body.id}/capture`, {
      ...{ body: {}, key: newKey() },
    })
    expect(captured.body).to.deep.include({ fee: '200', tax: '20', net: '9780' })
    const paid = await payOrder(ada, await order(shop, '1000'), '1022')
    expect(paid.body, paid.text).to.deep.include({ surcharge: '22', net: '1000' })
  })
})

describe('the turnover of a month', () => {
  const DAY_MS = 86_400_000

  it('is what was paid before today; each payment counts on exactly one day', async () => {
    const { api } = await world()
    const [ada, shop] = [await person(50_000n), await merchant()]
    const now = api.now()
    const inDays = (days: number) => new Date(now.getTime() + days * DAY_MS)
    const turnover = (at: Date) => monthTurnover(api, uuidOf(shop.id), 'EUR', at)
    const pay = async (amount: string) => payOrder(ada, await order(shop, amount), amount)
    for (const amount of ['5000', '700']) await pay(amount)
    expect(await turnover(now)).to.equal(0n)
    // As if two days had begun since, unless a month begins with one of them.
    const isNew = (at: Date) => at.getUTCMonth() !== now.getUTCMonth()
    const [next, afterNext] = [inDays(1), inDays(2)]
    expect(await turnover(next)).to.equal(isNew(next) ? 0n : 5_700n)
    await pay('300')
    expect(await turnover(next)).to.equal(isNew(next) ? 0n : 5_700n)
    if (isNew(next)) return
    expect(await turnover(afterNext)).to.equal(isNew(afterNext) ? 0n : 6_000n)
    const account = await merchantAccountOf(api, uuidOf(shop.id), 'EUR')
    api.memory.forget(`turnover ${account} ${next.toISOString().slice(0, 10)}`)
    expect(await turnover(next)).to.equal(5_700n)
  })

  it('prices by its steps, and stands with the payment', async () => {
    const { api, owner } = await world()
    const [ada, shop] = [await person(50_000n), await merchant()]
    const steps = [
      { up_to: '100000', percent: '2' },
      { up_to: null, percent: '1' },
    ]
    await change(shop, { components: [{ kind: 'tiers', of: 'month', mode: 'graduated', steps }] })
    const today = api.now().toISOString().slice(0, 10)
    const first = `${today.slice(0, 8)}01`
    const account = await merchantAccountOf(api, uuidOf(shop.id), 'EUR')
    if (today !== first) {
      await owner('merchant_turnover').insert([
        { account_id: account, day: first, last_entry: 0, paid: 0 },
        { account_id: account, day: today, last_entry: 0, paid: 90_000 },
      ])
    }
    const volume = today === first ? 0n : 90_000n
    const paid = await payOrder(ada, await order(shop, '15000'), '15000')
    expect(paid.body.fee, paid.text).to.equal(volume === 0n ? '300' : '250')
    const row = await owner('payments')
      .where({ id: uuidOf(paid.body.id) })
      .first()
    expect(row.fee_volume).to.equal(volume)
  })
})
