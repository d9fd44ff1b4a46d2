/** Orders: what they come to, how often they are paid, and how they stand in the chat. */
import { expect } from 'chai'
import fc from 'fast-check'
import { lineOf, totalsOf } from '../services/orders/lines.ts'
import { uuidOf } from '../services/ids.ts'
import { ORDER_STATUSES } from '../services/orders/states.ts'
import { ORDER_MOVES, refuseMove } from '../services/orders/status.ts'
import { modelTotals } from './model/orders.ts'
import { expectProblem, statusesOf, times, unchanged, until } from './support/abuse.ts'
import { call, newSubject } from './support/api.ts'
import { eventsOf, manualOrder, payOrder } from './support/held.ts'
import {
  merchant,
  merchantBalance,
  type Merchant,
  OPERATOR,
  order,
  person,
  walletBalance,
} from './support/people.ts'
import { world } from './support/world.ts'

const minor = fc.oneof(fc.bigInt(1n, 999n), fc.bigInt(1n, 9_999_999_999n))
const none = fc.oneof(fc.constant(0n), fc.bigInt(0n, 5_000n))
const rate = fc
  .tuple(fc.nat(99), fc.nat(9_999))
  .map(([whole, part]) => `${whole}.${String(part).padStart(4, '0')}`)
const taxed = fc.oneof(
  fc.record({ taxPercent: fc.oneof(rate, fc.constantFrom('20', '7.5')), tax: fc.constant(null) }),
  fc.record({ taxPercent: fc.constant(null), tax: fc.oneof(fc.constant(null), none) }),
)
const line = fc
  .tuple(fc.record({ quantity: fc.integer({ min: 1, max: 40 }), unitAmount: minor }), taxed)
  .map(([what, tax]) => ({ product: null, name: 'A thing', ...what, ...tax }))

const CAKES = {
  ...{ description: 'Cakes', currency: 'EUR', amount: '1880', discount: '200', shipping: '350' },
  lines: [
    { name: 'Cake', quantity: 3, unit_amount: '450', tax_percent: '20', product: 'cake-1' },
    { name: 'Candles', unit_amount: '100', tax: '10' },
  ],
}
const cakes = (more: object = {}) => ({ reference: newSubject('r'), ...CAKES, ...more })
const ask = (shop: Merchant, body: object) => call(shop, 'POST', '/v1/orders', { body })
const say = (shop: Merchant, id: string, status: string, more: object = {}) =>
  call(shop, 'POST', `/v1/orders/${id}/status`, { body: { status, ...more } })

const wallQr = (more: object = {}) => ({
  ...{ reference: newSubject('r'), description: 'At the till', currency: 'EUR' },
  ...{ usage: 'reusable', ...more },
})

describe('the total of an order', () => {
  it('is the model’s to the last minor unit, and no other is accepted', () => {
    const property = fc.property(
      fc.array(line, { minLength: 1, maxLength: 6 }),
      ...([none, none, none] as const),
      fc.constantFrom(-1n, 1n, 100n),
      (asked, discount, shipping, tax, slip) => {
        const lines = asked.map(lineOf)
        const model = modelTotals(asked, { discount, shipping, tax })
        const said = { ...model, discount, shipping }
        const { subtotal, tax: taxes } = totalsOf(lines, said)
        expect({ subtotal, tax: taxes }).to.deep.equal({ subtotal: model.subtotal, tax: model.tax })
        for (const part of ['amount', 'subtotal'] as const) {
          const wrong = () => totalsOf(lines, { ...said, [part]: said[part] + slip })
          expect(wrong, part).to.throw().with.property('code', 'order_total_mismatch')
        }
      },
    )
    fc.assert(property, { numRuns: Number(process.env['RUNS'] ?? 5_000) })
  }).timeout(60_000)

  it('is shown with what it is the sum of', async () => {
    const shop = await merchant()
    const { status, body, text } = await ask(shop, cakes())
    expect(status, text).to.equal(201)
    // 3 x 4.50 + 1.00 = 14.50; tax 20 % of 13.50 = 2.70 and 0.10.
    const { subtotal, discount, shipping, tax, amount } = body
    expect([subtotal, discount, shipping, tax, amount]).to.deep.equal([
      ...['1450', '200', '350', '280', '1880'],
    ])
    expect(body.lines[0]).to.deep.equal({
      ...{ product: 'cake-1', name: 'Cake', quantity: 3, unit_amount: '450', amount: '1350' },
      ...{ tax_percent: '20', tax: '270' },
    })
    expect((await call(shop, 'GET', `/v1/orders/${body.id}`)).body).to.deep.equal(body)
  })

  it('is refused where it is a cent off, in whatever part, and nothing is written', async () => {
    const shop = await merchant()
    const wrong = [{ amount: '1881' }, { subtotal: '1449' }, { tax: '279' }, { shipping: '0' }]
    for (const part of wrong) {
      const answer = await unchanged(() => ask(shop, cakes(part)), { except: ['claims'] })
      expectProblem(answer, 422, 'order_total_mismatch')
    }
    const bare = { ...cakes(), lines: undefined }
    expectProblem(await ask(shop, bare), 400, 'invalid_request')
  })

  it('is refused by Postgres too, whoever writes it', async () => {
    const { body } = await ask(await merchant(), cakes())
    const { owner } = await world()
    const id = (await owner('orders').where({ reference: body.reference }).first()).id
    const row = { order_id: id, name: 'One more', quantity: 2, unit_amount: '10' }
    const add = (amount: string) =>
      owner('order_lines').insert({ ...row, line: 3, amount, tax: '0' }, [])
    const refused = (work: Promise<unknown>) =>
      work.then(
        () => 'accepted',
        (error: { constraint?: string }) => error.constraint,
      )
    expect(await refused(add('20'))).to.equal('order_total_mismatch')
    expect(await refused(add('21'))).to.equal('line_is_quantity_of_units')
    const total = owner('orders').where({ id }).update({ shipping: '351' })
    expect(await refused(Promise.resolve(total))).to.equal('order_total_mismatch')
  })
})

describe('a reusable order', () => {
  it('is paid by as many as like, each what it says, and is never paid off', async () => {
    const [shop, ...payers] = await Promise.all([merchant(), ...times(5, () => person(5_000n))])
    const { body } = await ask(shop, wallQr({ amount: '500' }))
    expect([body.usage, body.expires_at, body.state]).to.deep.equal(['reusable', null, 'open'])
    const answers = await Promise.all(payers.map((who) => payOrder(who, body.id, '500')))
    expect(statusesOf(answers)).to.deep.equal(times(5, () => 201))
    expectProblem(await payOrder(payers[0]!, body.id, '501'), 422, 'order_mismatch')
    const after = (await call(shop, 'GET', `/v1/orders/${body.id}`)).body
    expect([after.state, after.payment, after.status]).to.deep.equal(['open', null, 'pending'])
    // 1.4 % of 5.00 and 0.25 each.
    expect(await merchantBalance(shop)).to.equal(5n * (500n - 32n))
  })

  it('may leave the amount open, but not below what it costs', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(5_000n)])
    const { body } = await ask(shop, wallQr())
    expect(body.amount).to.equal(null)
    for (const amount of ['300', '1234']) {
      expect((await payOrder(ada, body.id, amount)).status).to.equal(201)
    }
    const answer = await unchanged(() => payOrder(ada, body.id, '5'))
    expectProblem(answer, 422, 'fee_exceeds_amount')
    const open = { ...cakes(), amount: undefined }
    for (const wrong of [open, { ...open, usage: 'reusable' }]) {
      expectProblem(await ask(shop, wrong), 400, 'invalid_request')
    }
  })

  it('may hold the money first, of each payer on their own', async () => {
    const [shop, ada, ben] = await Promise.all([merchant(), person(5_000n), person(5_000n)])
    const id = await manualOrder(shop, '1000', { usage: 'reusable' })
    const paid = [await payOrder(ada, id, '1000'), await payOrder(ben, id, '1000')]
    expect(paid.map(({ body }) => body.state)).to.deep.equal(['authorized', 'authorized'])
    for (const { body } of paid) {
      const path = `/v1/payments/${body.id}/capture`
      expect((await call(shop, 'POST', path, { body: {} })).status).to.equal(200)
    }
  })

  it('is nothing but withdrawn: then nobody pays it any more', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(5_000n)])
    const { body } = await ask(shop, wallQr({ amount: '500' }))
    expect((await payOrder(ada, body.id, '500')).status).to.equal(201)
    expectProblem(await say(shop, body.id, 'shipped'), 409, 'order_move_not_allowed')
    expect((await say(shop, body.id, 'canceled')).body.state).to.equal('canceled')
    expectProblem(await unchanged(() => payOrder(ada, body.id, '500')), 409, 'order_canceled')
  })

  it('is what its payments say it is: Postgres refuses another word', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(5_000n)])
    const id = await order(shop, '500')
    const { body } = await payOrder(ada, id, '500')
    const { owner } = await world()
    const row = owner('payments').where({ id: uuidOf(body.id) })
    const error = await row.update({ order_reusable: true }).then(
      () => 'accepted',
      (refusal: { constraint?: string }) => refusal.constraint,
    )
    expect(error).to.equal('usage_of_paid_order')
  })
})

describe('how an order stands in the chat', () => {
  it('moves as the table says, and in no other way', () => {
    const allowed = ORDER_STATUSES.flatMap((status) =>
      ORDER_MOVES.filter((to) => {
        try {
          refuseMove({ status, payment: undefined, reusable: false }, to)
          return true
        } catch {
          return false
        }
      }).map((to) => `${status} > ${to}`),
    )
    expect(allowed).to.deep.equal([
      ...['pending > processing', 'pending > partially_shipped', 'pending > shipped'],
      ...['pending > completed', 'pending > canceled'],
      ...['processing > partially_shipped', 'processing > shipped', 'processing > completed'],
      ...['processing > canceled', 'partially_shipped > partially_shipped'],
      ...['partially_shipped > shipped', 'partially_shipped > completed', 'shipped > completed'],
    ])
  })

  it('follows the payment, then the merchant, each step an event with the order', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(5_000n)])
    const id = await order(shop, '2000')
    const statusOf = async () => (await call(ada, 'GET', `/v1/orders/${id}`)).body.status
    expect(await statusOf()).to.equal('pending')
    await payOrder(ada, id, '2000')
    expect(await statusOf()).to.equal('processing')
    expectProblem(await say(shop, id, 'canceled'), 409, 'order_already_paid')
    await say(shop, id, 'partially_shipped', { description: 'One parcel' })
    const shipped = await say(shop, id, 'shipped', { description: 'The other' })
    expect([shipped.body.status_description, shipped.body.state]).to.deep.equal([
      ...['The other', 'paid'],
    ])
    await say(shop, id, 'completed')
    expectProblem(await unchanged(() => say(shop, id, 'shipped')), 409, 'order_move_not_allowed')
    expect(await eventsOf(id)).to.deep.equal([
      ...['order.created', 'order.partially_shipped', 'order.shipped', 'order.completed'],
    ])
    const unpaid = await order(shop, '2000')
    await say(shop, unpaid, 'processing')
    expect(await eventsOf(unpaid)).to.deep.equal(['order.created', 'order.processing'])
    const { owner } = await world()
    const [told] = await owner('events').where({ object_id: id, type: 'order.shipped' })
    expect(told.data).to.deep.equal(shipped.body)
  })

  it('is said once, however often one key comes, and by its merchant alone', async () => {
    const [shop, rival] = await Promise.all([merchant(), merchant()])
    const id = await order(shop, '2000')
    const request = { body: { status: 'shipped' }, key: `status-${newSubject()}` }
    const path = `/v1/orders/${id}/status`
    const answers = await Promise.all(times(3, () => call(shop, 'POST', path, request)))
    expect(new Set(answers.map(({ text }) => text)).size).to.equal(1)
    expect(await eventsOf(id)).to.deep.equal(['order.created', 'order.shipped'])
    expectProblem(await unchanged(() => say(rival, id, 'completed')), 404, 'not_found')
  })

  it('is paid or canceled, never both, whoever is faster', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(50_000n)])
    for (const id of await Promise.all(times(12, () => order(shop, '1000')))) {
      const [paid, canceled] = await Promise.all([
        payOrder(ada, id, '1000'),
        say(shop, id, 'canceled'),
      ])
      const { body } = await call(shop, 'GET', `/v1/orders/${id}`)
      const isPaid = paid.status === 201
      expect([paid.status, canceled.status]).to.deep.equal(isPaid ? [201, 409] : [409, 200])
      const refusal = isPaid ? canceled.body.code : paid.body.code
      expect(refusal).to.equal(isPaid ? 'order_already_paid' : 'order_canceled')
      expect(body.state).to.equal(isPaid ? 'paid' : 'canceled')
    }
  })

  it('makes a payment wait while it is being canceled, and then refuses it', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(5_000n)])
    const id = await order(shop, '1000')
    const { owner } = await world()
    const canceling = await owner.transaction()
    await canceling('orders')
      .where({ id: uuidOf(id) })
      .forUpdate()
      .first('id')
    await canceling('orders')
      .where({ id: uuidOf(id) })
      .update({ status: 'canceled' })
    const paying = payOrder(ada, id, '1000')
    await until(async () => {
      const { rows } = await owner.raw('SELECT FROM pg_locks WHERE NOT granted')
      return rows.length > 0
    })
    await canceling.commit()
    expectProblem(await paying, 409, 'order_canceled')
    expect(await walletBalance(ada)).to.equal(5_000n)
  })
})

describe('the orders of a merchant', () => {
  it('are listed newest first, or by their reference; those of others are not', async () => {
    const [shop, rival] = await Promise.all([merchant(), merchant()])
    const asked = []
    for (const more of [{}, {}, { lines: undefined, discount: undefined, shipping: undefined }]) {
      asked.push((await ask(shop, cakes(more))).body)
    }
    await order(rival, '100')
    const first = (await call(shop, 'GET', '/v1/orders?limit=2')).body
    expect(first.data).to.deep.equal([asked[2], asked[1]])
    const next = await call(shop, 'GET', `/v1/orders?limit=2&cursor=${first.next_cursor}`)
    expect(next.body).to.deep.equal({ data: [asked[0]], next_cursor: null })
    const path = `/v1/orders?reference=${asked[1].reference}`
    expect((await call(shop, 'GET', path)).body.data).to.deep.equal([asked[1]])
    expect((await call(rival, 'GET', path)).body.data).to.deep.equal([])
    expect((await call(OPERATOR, 'GET', path)).body.data).to.deep.equal([asked[1]])
  })
})
