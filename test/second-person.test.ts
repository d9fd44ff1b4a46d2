/** What needs a second person, and how it is done by both. */
import { expect } from 'chai'
import { uuidOf } from '../services/ids.ts'
import { expectProblem } from './support/abuse.ts'
import { call } from './support/api.ts'
import { account, move, unit } from './support/bulk.ts'
import { authorize, payOrder } from './support/held.ts'
import { merchant, OPERATOR, order, person, SECOND_OPERATOR } from './support/people.ts'
import { approve, together } from './support/proposals.ts'
import { world } from './support/world.ts'

describe('a second person', () => {
  it('agrees to every call by which money moves by hand, and to each change of price', async () => {
    const { routes } = await world()
    const asked = routes.endpoints.filter(({ secondPerson }) => secondPerson !== undefined)
    expect(asked.map(({ method, path }) => `${method} ${path}`)).to.include.members([
      'POST /v1/ledger/bulk',
      'POST /v1/ledger/reversals',
      'POST /v1/payments/:id/void',
      'POST /v1/reviews/:id/release',
      'POST /v1/merchants/:id/fee_schedules',
    ])
    for (const one of asked) {
      expect(one.idempotency, `${one.path}: its handle must answer a claim`).to.equal('required')
      expect(one.answers[202], one.path).not.to.equal(undefined)
    }
  })

  it('agrees to a release by an operator; a merchant lets go alone', async () => {
    const [ada, shop] = [await person(12_000n), await merchant()]
    const [one, other] = [await authorize(ada, shop, '6000'), await authorize(ada, shop, '6000')]
    const alone = await call(shop, 'POST', `/v1/payments/${one.id}/void`)
    expect([alone.status, alone.body.state], alone.text).to.deep.equal([200, 'canceled'])
    const path = `/v1/payments/${other.id}/void`
    const proposed = await call(OPERATOR, 'POST', path)
    expect([proposed.status, proposed.body.state]).to.deep.equal([202, 'pending'])
    const { body } = await call(shop, 'GET', `/v1/payments/${other.id}`)
    expect(body.state).to.equal('authorized')
    const done = await approve(proposed.body.id)
    expect(done.body.result.body.state, done.text).to.equal('canceled')
  })

  it('agrees to a price, which counts from its moment on', async () => {
    const [ada, shop] = [await person(50_000n), await merchant({ percent: '1', fixed: '0' })]
    const feeOf = async () => (await payOrder(ada, await order(shop, '10000'), '10000')).body.fee
    expect(await feeOf()).to.equal('100')
    const path = `/v1/merchants/${shop.id}/fee_schedules`
    const price = { percent: '2.5', fixed: '5', tax_percent: '0', currency: 'EUR' }
    const made = await together(path, { body: price })
    expect(made.status, made.text).to.equal(201)
    expect(made.body).to.deep.include({ ...price, merchant: shop.id })
    expect(await feeOf()).to.equal('255')
    const valid_from = new Date(Date.now() + 3_600_000).toISOString()
    const later = await together(path, { body: { ...price, percent: '50', valid_from } })
    expect(later.body.valid_from).to.equal(valid_from)
    expect(await feeOf()).to.equal('255')
    const twice = await together(path, { body: { ...price, valid_from } })
    expectProblem(twice, 409, 'fee_schedule_exists')
  })

  it('is named with the first in what was reversed', async () => {
    const [bank, wallet] = [await account('bank'), await account()]
    const units = [unit([move(bank, wallet, '10')])]
    const done = await together('/v1/ledger/bulk', { body: { mode: 'each', units } })
    const body = { unit: done.body.results[0].unit, reason: 'A mistake' }
    const back = await together('/v1/ledger/reversals', { body })
    const { owner } = await world()
    const row = await owner('reversals')
      .where({ id: uuidOf(back.body.id) })
      .first()
    expect([row.operator, row.approved_by]).to.deep.equal([OPERATOR.sub, SECOND_OPERATOR.sub])
  })
})
