/** Taking back: a payer before any bank has heard, an operator before it is settled. */
import { expect } from 'chai'
import { claimOf, newId } from '../ledger/index.ts'
import { merchantAccountOf } from '../services/books/chart.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { moveOwnMoney } from '../services/payments/own_money.ts'
import { advanceInstruction } from '../services/banking/advance.ts'
import { DEPENDANTS } from '../services/handlers.ts'
import { expectProblem, instructionOf, quiet, times, unchanged, until } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { madeUp } from './support/event-checks.ts'
import { authorize, balances, capture, eventsOf, payOrder, takings } from './support/held.ts'
import {
  ended,
  linkedAccount,
  merchant,
  OPERATOR,
  order,
  payment,
  type Person,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

const reverse = (body: object, key = newKey()) =>
  together('/v1/ledger/reversals', { body: { reason: 'A mistake', ...body }, key })

const EUR = { amount: '5000', currency: 'EUR', approval: { pin: PIN } }

describe('a reversal by an operator', () => {
  before(quiet)

  it('moves back all that a payment moved, the fee too, and frees its order', async () => {
    const [ada, shop] = await Promise.all([person(5_000n), merchant({ tax_percent: '20' })])
    const id = await order(shop, '5000')
    const paid = await payOrder(ada, id, '5000')
    const done = await reverse({ payment: paid.body.id })
    expect(done.status, done.text).to.equal(201)
    expect(done.body.payment).to.equal(paid.body.id)
    expect(await walletBalance(ada)).to.equal(5_000n)
    expect(await takings(shop)).to.deep.equal({ posted: 0n, pending: 0n })
    const { body } = await call(ada, 'GET', `/v1/payments/${paid.body.id}`)
    expect(body.timeline.map(({ state }: { state: string }) => state)).to.deep.equal([
      ...['created', 'completed', 'reversed'],
    ])
    expect(await eventsOf(body.id)).to.deep.equal(['payment.completed', 'payment.reversed'])
    expect((await call(ada, 'GET', `/v1/orders/${id}`)).body.state).to.equal('open')
    expect((await payOrder(ada, id, '5000')).status).to.equal(201)
    const entries = await call(ada, 'GET', '/v1/accounts')
    const path = `/v1/accounts/${entries.body.data[0].id}/entries`
    const { body: statement } = await call(ada, 'GET', path)
    expect(statement.data[1].kind).to.equal('reversal')
  })

  it('moves back every capture of a payment', async () => {
    const [ada, shop] = await Promise.all([person(6_000n), merchant({ tax_percent: '20' })])
    const { id } = await authorize(ada, shop, '6000')
    expectProblem(await reverse({ payment: id }), 409, 'payment_not_completed')
    for (const amount of ['1000', '2000']) await capture(shop, id, { amount })
    await call(shop, 'POST', `/v1/payments/${id}/void`)
    expect((await reverse({ payment: id })).status).to.equal(201)
    expect(await balances(ada)).to.deep.equal({ posted: '6000', available: '6000' })
    expect(await takings(shop)).to.deep.equal({ posted: 0n, pending: 0n })
  })

  it('is made once, by whatever name and however many ask (abuse 55)', async () => {
    const [ada, ben] = await Promise.all([person(9_000n), person(9_000n)])
    const { body } = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '5000') })
    const { owner } = await world()
    const { transfer_id } = await owner('payments')
      .where({ id: uuidOf(body.id) })
      .first()
    const names = [{ payment: body.id }, { unit: publicId('trf', transfer_id) }]
    const answers = await Promise.all(times(10, (index) => reverse(names[index % 2] ?? {})))
    expect(answers.filter(({ status }) => status === 201)).to.have.length(1)
    const late = answers.filter(({ status }) => status !== 201)
    for (const answer of late) expectProblem(answer, 409, 'already_reversed')
    expect([await walletBalance(ada), await walletBalance(ben)]).to.deep.equal([9_000n, 9_000n])
  })

  it('moves back a unit that nothing of the business rests on', async () => {
    const ada = await person(9_000n)
    const { body } = await call(ada, 'GET', '/v1/accounts')
    const { body: statement } = await call(ada, 'GET', `/v1/accounts/${body.data[0].id}/entries`)
    const unit = statement.data[0].transfer
    const done = await reverse({ unit })
    expect([done.status, done.body.original, done.body.payment]).to.deep.equal([201, unit, null])
    expect(await walletBalance(ada)).to.equal(0n)
    expectProblem(await reverse({ unit }), 409, 'already_reversed')
  })

  it('is refused, and changes nothing, when the payee has spent the money', async () => {
    const [ada, ben, eve] = await Promise.all([person(5_000n), person(), person()])
    const { body } = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '5000') })
    await call(ben, 'POST', '/v1/payments', { body: payment(eve, '1') })
    const key = newKey()
    const work = async () =>
      expectProblem(await reverse({ payment: body.id }, key), 402, 'insufficient_funds')
    await unchanged(work, { except: ['claims', 'proposals'] })
    await call(eve, 'POST', '/v1/payments', { body: payment(ben, '1') })
    await unchanged(work)
    expect((await reverse({ payment: body.id })).status).to.equal(201)
  })

  it('is refused for what is settled, also when both come at once', async () => {
    const [ada, shop] = await Promise.all([person(50_000n), merchant()])
    await linkedAccount(shop)
    const paid = await Promise.all(
      times(8, async () => (await payOrder(ada, await order(shop, '5000'), '5000')).body.id),
    )
    const [settled, ...reversed] = await Promise.all([
      call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } }),
      ...paid.map((id) => reverse({ payment: id })),
    ])
    for (const answer of reversed) expect([201, 402, 409], answer.text).to.include(answer.status)
    expect([202, 402, 409], settled.text).to.include(settled.status)
    await quiet()
    const again = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    expect([202, 422], again.text).to.include(again.status)
    await quiet()
    for (const id of paid) {
      const answer = await reverse({ payment: id })
      expect(['payment_settled', 'already_reversed'], answer.text).to.include(answer.body.code)
    }
  })

  it('is refused when a batch takes the payment in meanwhile', async () => {
    const [ada, shop] = await Promise.all([person(15_000n), merchant()])
    await linkedAccount(shop)
    const pay = async () => (await payOrder(ada, await order(shop, '5000'), '5000')).body.id
    await pay()
    const settled = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    await quiet()
    const late = await pay()
    const { owner, worker } = await world()
    const { to_entry, carried_out } = settled.body
    const id = await merchantAccountOf(worker, uuidOf(shop.id), 'EUR')
    const waiting =
      "SELECT FROM pg_locks WHERE NOT granted AND locktype IN ('tuple', 'transactionid')"
    const { answer } = await owner.transaction(async (trx) => {
      await trx('accounts').where({ id }).forNoKeyUpdate().first()
      const answer = reverse({ payment: late })
      await until(async () => (await owner.raw(waiting)).rows.length > 0)
      const batch = newId()
      madeUp.add(publicId('set', batch))
      await trx('settlements').insert({
        ...{ id: batch, merchant_id: uuidOf(shop.id), account_id: id, currency: 'EUR' },
        // The payout of the first batch, then the payment and its fee.
        ...{ number: 2, from_entry: to_entry, to_entry: Number(to_entry) + 3, state: 'carried' },
        ...{ payments: 1, gross: 5000, fee: 95, tax: 0, refunds: 0, fees_returned: 0 },
        ...{ reserves: 0, disputes: 0, reversals: 0, returned_payouts: 0, splits: 0, other: 0 },
        ...{ net: 4905, carried_in: carried_out, total: 4905, payout: 0, carried_out: 4905 },
        ...{ created_at: new Date(), changed_at: new Date() },
      })
      return { answer }
    })
    expectProblem(await answer, 409, 'payment_settled')
    expect((await call(ada, 'GET', `/v1/payments/${late}`)).body.state).to.equal('completed')
  })

  it('is refused for what a bank has moved, and for what something rests on', async () => {
    const [ada, ben] = await Promise.all([person(), person()])
    const source = await linkedAccount(ada)
    const top = { bank_account: source, ...EUR }
    const asked = await call(ada, 'POST', '/v1/top_ups', { body: top })
    const toBen = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '700', { source }) })
    for (const { body } of [asked, toBen]) {
      expect((await ended(ada, `/v1/payments/${body.id}`)).state).to.equal('completed')
      expectProblem(await reverse({ payment: body.id }), 409, 'not_reversible')
    }
    const { transfer_id } = await instructionOf(asked.body.id)
    const unit = publicId('trf', transfer_id)
    expectProblem(await reverse({ unit }), 409, 'not_reversible')
    await quiet()
  })

  it('is asked for by operators alone, of what there is, with a reason', async () => {
    const ada = await person()
    const body = { reason: 'x', payment: publicId('pay', newId()) }
    await unchanged(async () => {
      const path = '/v1/ledger/reversals'
      expectProblem(await call(ada, 'POST', path, { body }), 403, 'forbidden')
      expectProblem(await call(OPERATOR, 'POST', path, { body }), 404, 'not_found')
      const unit = publicId('trf', newId())
      expectProblem(await reverse({ unit }), 404, 'not_found')
      for (const wrong of [
        ...[{}, { ...body, unit }, { payment: unit }, { ...body, amount: '1' }],
        ...[
          { ...body, reason: '' },
          { ...body, reason: 'x'.repeat(201) },
          { ...body, reason: 5 },
        ],
      ]) {
        const answer = await call(OPERATOR, 'POST', path, { body: wrong })
        expectProblem(answer, 400, 'invalid_request')
      }
      const keyless = await call(OPERATOR, 'POST', path, { body, key: null })
      expectProblem(keyless, 400, 'idempotency_key_missing')
    })
  })
})

describe('a payment that its payer takes back', () => {
  /** Asked for an hour from now, so that no worker looks at it. */
  async function asked(who: Person, kind: 'top_up' | 'withdrawal', account: string) {
    const { api } = await world()
    const later = { ...api, now: () => new Date(Date.now() + 3_600_000) }
    const { answer } = await moveOwnMoney(
      { ...later, queue: { ...api.queue, ring: async () => {} } },
      kind,
      { id: who.id, name: who.sub, alias: who.sub },
      {
        money: { amount: 5_000n, currency: 'EUR' },
        bankAccount: uuidOf(account),
        approval: { pin: PIN },
      },
      { claim: claimOf('test', 'test', newKey(), ''), key: newKey(), standing: undefined },
    )
    return JSON.parse(answer).id as string
  }
  const cancel = (who: Person, id: string) => call(who, 'POST', `/v1/payments/${id}/cancel`)

  it('has not left: what was set apart for the bank is as it was before', async () => {
    const ada = await person(9_000n)
    const account = await linkedAccount(ada)
    for (const kind of ['withdrawal', 'top_up'] as const) {
      const id = await asked(ada, kind, account)
      const [first, second] = [await cancel(ada, id), await cancel(ada, id)]
      expect([first.status, first.body.state], first.text).to.deep.equal([200, 'canceled'])
      expectProblem(second, 409, 'payment_not_cancelable')
      expect(await balances(ada)).to.deep.equal({ posted: '9000', available: '9000' })
      expect((await instructionOf(id)).state).to.equal('rejected')
      expect(await eventsOf(id)).to.deep.equal(['payment.processing', 'payment.canceled'])
    }
  })

  it('is taken back or sent, never both, when a worker comes at the same time', async () => {
    const ada = await person(90_000n)
    const account = await linkedAccount(ada)
    const { worker } = await world()
    for (const id of await Promise.all(times(6, () => asked(ada, 'withdrawal', account)))) {
      const later = { ...worker, now: () => new Date(Date.now() + 3_700_000) }
      const instruction = await instructionOf(id)
      const [answer] = await Promise.all([
        cancel(ada, id),
        advanceInstruction(later, DEPENDANTS, instruction.id),
      ])
      const { submissions } = await instructionOf(id)
      expect(submissions, answer.text).to.equal(answer.status === 200 ? 0 : 1)
      if (answer.status !== 200) expectProblem(answer, 409, 'payment_not_cancelable')
    }
    await quiet()
  })

  it('is not one that is done, held for a merchant, or somebody else’s', async () => {
    const [ada, ben, shop] = await Promise.all([person(9_000n), person(), merchant()])
    const { body } = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '500') })
    const held = await authorize(ada, shop, '5000')
    await unchanged(async () => {
      expectProblem(await cancel(ada, body.id), 409, 'payment_not_cancelable')
      expectProblem(await cancel(ada, held.id), 409, 'payment_is_held')
      expectProblem(await cancel(ben, body.id), 404, 'not_found')
      expectProblem(await cancel(ben, publicId('pay', newId())), 404, 'not_found')
    })
  })
})
