/** What people may spend: limits as dated data, exact under a crowd, given back when unused. */
import { expect } from 'chai'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, send, statusesOf, times, unchanged } from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newKey, newSubject } from './support/api.ts'
import { authorize, capture, expireAll } from './support/held.ts'
import {
  ended,
  linkedAccount,
  merchant,
  OPERATOR,
  payment,
  type Person,
  person,
  PIN,
} from './support/people.ts'
import { endRule } from './support/proposals.ts'
import { paid, refund } from './support/refunds.ts'
import { world } from './support/world.ts'

/** A tier that only this test's people are of, so that its limits bind nobody else. */
const newTier = () => `t${newSubject().slice(1, 12)}`

async function personOf(tier: string, balance: bigint): Promise<Person> {
  const somebody = await person(balance)
  const { owner } = await world()
  await owner('people').where({ id: somebody.id }).update({ tier })
  return somebody
}

async function limit(tier: string, rule: object) {
  const body = { scope: 'payer', period: 'day', currency: 'EUR', tier, ...rule }
  const made = await call(OPERATOR, 'POST', '/v1/limit_rules', { body })
  expect(made.status, made.text).to.equal(201)
  return made.body
}

const pay = (who: Person, payee: Person, amount: string, more: object = {}, key = newKey()) =>
  call(who, 'POST', '/v1/payments', { body: payment(payee, amount, more), key })

/** What the person has used of the limit of this period, as they are shown it. */
async function usedOf(who: Person, period = 'day') {
  const { body } = await call(who, 'GET', '/v1/limits')
  const found = body.data.find((one: { period: string }) => one.period === period)
  return { amount: found.amount_used, count: found.count_used }
}

describe('a limit', () => {
  it('is a ceiling for one payment', async () => {
    const tier = newTier()
    const [ada, ben] = [await personOf(tier, 10_000n), await person()]
    await limit(tier, { period: 'payment', amount_max: '3000' })
    expect((await pay(ada, ben, '3000')).status).to.equal(201)
    expectProblem(await pay(ada, ben, '3001'), 422, 'limit_exceeded')
  })

  for (const period of ['day', 'week', 'month']) {
    it(`is a ceiling for the ${period}, by amount and by count`, async () => {
      const tier = newTier()
      const [ada, ben] = [await personOf(tier, 10_000n), await person()]
      await limit(tier, { period, amount_max: '5000' })
      await limit(tier, { period, currency: null, count_max: 3 })
      expect((await pay(ada, ben, '3000')).status).to.equal(201)
      expectProblem(await pay(ada, ben, '2001'), 422, 'limit_exceeded')
      expect((await pay(ada, ben, '1000')).status).to.equal(201)
      expect((await pay(ada, ben, '1')).status).to.equal(201)
      expectProblem(await pay(ada, ben, '1'), 422, 'limit_exceeded')
      expect(await usedOf(ada, period)).to.deep.equal({ amount: '4001', count: 3 })
    })
  }

  it('lets through exactly what it allows, when a crowd comes in by two processes', async () => {
    const tier = newTier()
    const [ada, ben] = [await personOf(tier, 100_000n), await person()]
    await limit(tier, { amount_max: '2500' })
    const bodies = times(60, () => payment(ben, '100', { approval: undefined }))
    const answers = await Promise.all(
      bodies.map((body, index) =>
        index % 2 === 0
          ? call(ada, 'POST', '/v1/payments', { body, key: newKey() })
          : send(ada, 'POST', '/v1/payments', {
              bytes: Buffer.from(JSON.stringify(body)),
              apiUrl: second.apiUrl,
            }),
      ),
    )
    expect(statusesOf(answers).filter((status) => status === 201)).to.have.length(25)
    expect(statusesOf(answers).filter((status) => status === 422)).to.have.length(35)
    expect(await usedOf(ada)).to.deep.equal({ amount: '2500', count: 25 })
  })
  let second: SecondApi
  withSecondApi((api) => (second = api))

  it('is final for its key, and uses nothing up when something else is in the way', async () => {
    const tier = newTier()
    const [ada, ben] = [await personOf(tier, 1_000n), await person()]
    const rule = await limit(tier, { amount_max: '2000' })
    expectProblem(await pay(ada, ben, '1500'), 402, 'insufficient_funds')
    expect(await usedOf(ada)).to.deep.equal({ amount: '0', count: 0 })
    const key = newKey()
    expectProblem(await pay(ada, ben, '2001', {}, key), 422, 'limit_exceeded')
    expect((await endRule(`/v1/limit_rules/${rule.id}`)).status).to.equal(200)
    const again = await pay(ada, ben, '2001', {}, key)
    expectProblem(again, 422, 'limit_exceeded')
    expect(again.headers.get('idempotent-replayed')).to.equal('true')
    expectProblem(await pay(ada, ben, '2001'), 402, 'insufficient_funds')
  })

  it('binds its tier, its rails, and each payee by itself', async () => {
    const tier = newTier()
    const [ada, ben, cyd] = [await personOf(tier, 10_000n), await person(), await person()]
    await limit(tier, { scope: 'payee', amount_max: '1000' })
    await limit(tier, { rails: ['withdrawal'], amount_max: '500' })
    expect((await pay(ada, ben, '1000')).status).to.equal(201)
    expectProblem(await pay(ada, ben, '1'), 422, 'limit_exceeded')
    expect((await pay(ada, cyd, '1000')).status).to.equal(201)
    const body = { bank_account: await linkedAccount(ada), amount: '501', currency: 'EUR' }
    const approval = { pin: PIN }
    const withdraw = (amount: string) =>
      call(ada, 'POST', '/v1/withdrawals', { body: { ...body, amount, approval } })
    expectProblem(await withdraw('501'), 422, 'limit_exceeded')
    expect((await withdraw('500')).status).to.equal(202)
    expect((await pay(await person(5_000n), ben, '2000')).status).to.equal(201)
  })

  it('does not bind before it begins, nor after it has ended', async () => {
    const tier = newTier()
    const [ada, ben] = [await personOf(tier, 10_000n), await person()]
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString()
    const rule = await limit(tier, { amount_max: '0', valid_from: tomorrow })
    expect(rule.valid_from).to.equal(tomorrow)
    expect((await pay(ada, ben, '100')).status).to.equal(201)
    const now = await limit(tier, { amount_max: '0' })
    expectProblem(await pay(ada, ben, '100'), 422, 'limit_exceeded')
    expect((await endRule(`/v1/limit_rules/${now.id}`)).status).to.equal(200)
    expect((await pay(ada, ben, '100')).status).to.equal(201)
    expectProblem(await endRule(`/v1/limit_rules/${now.id}`), 404, 'not_found')
    const never = await endRule(`/v1/limit_rules/${rule.id}`)
    expect(never.body.valid_to, 'it never begins').to.equal(tomorrow)
    expectProblem(await endRule(`/v1/limit_rules/${rule.id}`), 404, 'not_found')
  })

  it('is reduced for a while after a factor was changed', async () => {
    const tier = newTier()
    const [ada, ben] = [await personOf(tier, 10_000n), await person()]
    await limit(tier, { period: 'payment', amount_max: '100', after_change: true })
    expect((await pay(ada, ben, '101')).status).to.equal(201)
    const { owner, config } = await world()
    const changed = (ago_s: number) =>
      owner('people')
        .where({ id: ada.id })
        .update({ security_changed_at: new Date(Date.now() - ago_s * 1000) })
    await changed(config.REDUCED_LIMITS_S - 60)
    expectProblem(await pay(ada, ben, '101'), 422, 'limit_exceeded')
    await changed(config.REDUCED_LIMITS_S + 60)
    expect((await pay(ada, ben, '101')).status).to.equal(201)
  })
})

describe('what was used up of a limit', () => {
  it('comes back when the bank refuses', async () => {
    const tier = newTier()
    const [ada, ben] = [await personOf(tier, 0n), await person()]
    await limit(tier, { amount_max: '5000' })
    const source = await linkedAccount(ada)
    const made = await pay(ada, ben, '591', { source })
    expect(made.status, made.text).to.equal(202)
    expect(await usedOf(ada)).to.deep.equal({ amount: '591', count: 1 })
    const payment_ = await ended(ada, `/v1/payments/${made.body.id}`)
    expect(payment_.state).to.equal('failed')
    expect(await usedOf(ada)).to.deep.equal({ amount: '0', count: 0 })
  })

  it('comes back when a hold is voided or runs out, and for what is not captured', async () => {
    const tier = newTier()
    const [ada, shop] = [await personOf(tier, 10_000n), await merchant()]
    await limit(tier, { amount_max: '9000' })
    const [voided, partly, expiring] = [
      await authorize(ada, shop, '3000'),
      await authorize(ada, shop, '2000'),
      await authorize(ada, shop, '1000', { capture_within_s: 60 }),
    ]
    expect(await usedOf(ada)).to.deep.equal({ amount: '6000', count: 3 })
    await call(shop, 'POST', `/v1/payments/${voided.id}/void`)
    expect(await usedOf(ada)).to.deep.equal({ amount: '3000', count: 2 })
    await capture(shop, partly.id, { amount: '500', final: true })
    expect(await usedOf(ada)).to.deep.equal({ amount: '1500', count: 2 })
    await expireAll(3_600)
    expect((await call(ada, 'GET', `/v1/payments/${expiring.id}`)).body.state).to.equal('expired')
    expect(await usedOf(ada)).to.deep.equal({ amount: '500', count: 1 })
  })

  it('does not come back with a refund, in part or whole: spending is counted gross', async () => {
    const tier = newTier()
    const free = { percent: '0', fixed: '0' }
    const [ada, shop] = [await personOf(tier, 3_000n), await merchant(free)]
    await limit(tier, { amount_max: '1000' })
    const id = await paid(ada, shop, '1000')
    for (const amount of ['400', '600']) {
      expect((await refund(shop, id, { amount })).status).to.equal(201)
      expect(await usedOf(ada)).to.deep.equal({ amount: '1000', count: 1 })
    }
    expect((await call(ada, 'GET', `/v1/payments/${id}`)).body.state).to.equal('refunded')
    expectProblem(await pay(ada, await person(), '1'), 422, 'limit_exceeded')
  })

  it('is the sum of what was paid, in the books and in the quota', async () => {
    const tier = newTier()
    const [ada, ben] = [await personOf(tier, 50_000n), await person()]
    await limit(tier, { amount_max: '3000' })
    await Promise.all(
      times(60, (index) => pay(ada, ben, `${100 + index}`, { approval: undefined })),
    )
    const { owner } = await world()
    const rows = await owner('payments').where({ payer_id: ada.id })
    const paid = rows.reduce((sum, row) => sum + BigInt(row.amount), 0n)
    expect(await usedOf(ada)).to.deep.equal({ amount: `${paid}`, count: rows.length })
    expect(paid <= 3_000n && paid > 2_841n, `${paid}`).to.equal(true)
  })
})

describe('a payment without an approval', () => {
  it('is within the person’s own limit for it, and with others within the day’s', async () => {
    const [ada, ben] = [await person(20_000n), await person()]
    const { owner, config } = await world()
    const bare = { approval: undefined }
    expect([config.NO_PIN_LIMIT, config.NO_PIN_DAY_LIMIT]).to.deep.equal([1_000, 5_000])
    for (const _ of times(5, () => 0)) {
      expect((await pay(ada, ben, '1000', bare)).status).to.equal(201)
    }
    const key = newKey()
    await unchanged(async () => {
      expectProblem(await pay(ada, ben, '1', bare, key), 403, 'approval_required')
    })
    // Not final: the same request may come again, with an approval.
    expect((await pay(ada, ben, '1', {}, key)).status).to.equal(201)
    const [cyd] = [await person(5_000n)]
    await owner('people').where({ id: cyd.id }).update({ no_pin_limit: '10' })
    expectProblem(await pay(cyd, ben, '11', bare), 403, 'approval_required')
    expect((await pay(cyd, ben, '10', bare)).status).to.equal(201)
  })

  it('leaves no more than the day’s sum to a crowd', async () => {
    const [ada, ben] = [await person(20_000n), await person()]
    const answers = await Promise.all(
      times(20, () => pay(ada, ben, '1000', { approval: undefined })),
    )
    expect(statusesOf(answers).filter((status) => status === 201)).to.have.length(5)
    expect(statusesOf(answers).filter((status) => status === 403)).to.have.length(15)
  })
})

describe('rules of limits', () => {
  it('are listed, and only an operator may change them', async () => {
    const tier = newTier()
    const made = await limit(tier, { amount_max: '100', rails: ['wallet'] })
    const { body } = await call(OPERATOR, 'GET', '/v1/limit_rules')
    expect(body.data[0]).to.deep.equal(made)
    const ada = await person()
    const rule = { scope: 'payer', period: 'day', currency: 'EUR', amount_max: '1' }
    await unchanged(async () => {
      expectProblem(await call(ada, 'POST', '/v1/limit_rules', { body: rule }), 403, 'forbidden')
      const without = { ...rule, amount_max: undefined }
      const none = await call(OPERATOR, 'POST', '/v1/limit_rules', { body: without })
      expectProblem(none, 400, 'invalid_request')
      const anyCurrency = await call(OPERATOR, 'POST', '/v1/limit_rules', {
        body: { ...rule, currency: undefined },
      })
      expectProblem(anyCurrency, 400, 'invalid_request')
      const unheard = await call(OPERATOR, 'POST', '/v1/limit_rules', {
        body: { ...rule, currency: 'XXQ' },
      })
      expectProblem(unheard, 422, 'currency_unknown')
      const nobody = publicId('lim', uuidOf(made.id).replace(/^./, '1'))
      expectProblem(await endRule(`/v1/limit_rules/${nobody}`), 404, 'not_found')
    })
  })
})
