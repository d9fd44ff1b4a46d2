/** A merchant gives money back: never more than it took, and a refusal changes nothing. */
import { expect } from 'chai'
import { expectProblem, times, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { count } from './support/books.ts'
import { authorize, balances, capture, eventsOf, takings } from './support/held.ts'
import { merchant, OPERATOR, payment, person, walletBalance } from './support/people.ts'
import { together } from './support/proposals.ts'
import { paid, refund, sale } from './support/refunds.ts'

const GIVE_BACK = { refund_fees: 'give_back' }
const CHAT = { sub: 'chat', scope: 'chat' }
const stateOf = async (who: Parameters<typeof call>[0], id: string) => {
  const { body } = await call(who, 'GET', `/v1/payments/${id}`)
  const timeline = body.timeline.map(({ state }: { state: string }) => state)
  return { state: body.state, refunded: body.refunded, timeline }
}

type Who = Parameters<typeof call>[0]
const shownTo = async (who: Who, id: string) => (await call(who, 'GET', `/v1/refunds/${id}`)).body
const toldTo = async (who: Who, id: string) => {
  const { body } = await call(who, 'GET', '/v1/events?limit=50')
  return body.data.find(({ object }: { object: string }) => object === id)?.data
}

describe('a refund', () => {
  it('gives all back to the payer’s wallet, and the fee where the price says so', async () => {
    const fees = { tax_percent: '20', refund_fees: 'give_back' }
    const { payer, shop, id } = await sale('5000', fees)
    const done = await refund(shop, id, { reason: 'Broken' })
    expect(done.status, done.text).to.equal(201)
    expect(done.body).to.include({ payment: id, amount: '5000', reason: 'Broken' })
    expect(done.body).to.include({ fee_returned: '95', tax_returned: '19' })
    expect(done.body.paid_from).to.deep.equal({ balance: '4886', reserve: '0', limit: '0' })
    expect(await walletBalance(payer)).to.equal(5_000n)
    expect(await takings(shop)).to.deep.equal({ posted: 0n, pending: 0n })
    expect(await stateOf(payer, id)).to.deep.equal({
      ...{ state: 'refunded', refunded: '5000' },
      timeline: ['created', 'completed', 'refunded'],
    })
    expect(await eventsOf(done.body.id)).to.deep.equal(['refund.completed'])
  })

  it('may be of a part, several times, until nothing is left', async () => {
    const { payer, shop, id } = await sale('5000', { percent: '2', fixed: '0' })
    await paid(await person(1_000n), shop, '1000')
    for (const amount of ['1000', '1500']) {
      const done = await refund(shop, id, { amount })
      expect([done.status, done.body.amount, done.body.fee_returned]).to.deep.equal([
        ...[201, amount, '0'],
      ])
    }
    expect((await stateOf(shop, id)).state).to.equal('partially_refunded')
    expectProblem(await refund(shop, id, { amount: '2501' }), 422, 'refund_exceeds_capture')
    expect((await refund(shop, id)).body.amount).to.equal('2500')
    expect((await stateOf(shop, id)).timeline).to.deep.equal([
      ...['created', 'completed', 'partially_refunded', 'partially_refunded', 'refunded'],
    ])
    expectProblem(await refund(shop, id), 422, 'refund_exceeds_capture')
    expectProblem(await refund(shop, id, { amount: '1' }), 422, 'refund_exceeds_capture')
    expect(await walletBalance(payer)).to.equal(5_000n)
  })

  it('keeps the fixed part of the fee where the price says pro rata', async () => {
    const fees = { percent: '2', fixed: '25', tax_percent: '10', refund_fees: 'pro_rata' }
    const { shop, id } = await sale('5000', fees)
    await paid(await person(9_000n), shop, '9000')
    const parts = []
    for (const amount of ['2500', '2500']) {
      const { body } = await refund(shop, id, { amount })
      parts.push([body.fee_returned, body.tax_returned])
    }
    // Of 100 + 25 and 12 tax: 100, and 12 * 100 / 125 = 9.6; half of it first.
    expect(parts).to.deep.equal([
      ['50', '5'],
      ['50', '5'],
    ])
  })

  it('keeps it there too where it is a part of a step', async () => {
    const steps = [{ up_to: null, percent: '1.4', fixed: '25' }]
    const tiers = { kind: 'tiers', of: 'payment', mode: 'volume', steps }
    const fees = { components: [tiers], tax_percent: '0', refund_fees: 'pro_rata' }
    const { shop, id } = await sale('10000', fees)
    await paid(await person(9_000n), shop, '9000')
    const { body, text } = await refund(shop, id)
    expect([body.fee_returned, body.tax_returned], text).to.deep.equal(['140', '0'])
  })

  it('is shown to both sides, operators and chat, and what paid for it only to some', async () => {
    const { payer, shop, id } = await sale('5000', { refund_fees: 'give_back' })
    const { body } = await refund(shop, id, { amount: '100' })
    const [stranger, rival] = await Promise.all([person(), merchant()])
    for (const who of [shop, OPERATOR]) {
      const read = await call(who, 'GET', `/v1/refunds/${body.id}`)
      expect(read.body).to.deep.equal(body)
    }
    for (const who of [payer, CHAT]) {
      const read = await call(who, 'GET', `/v1/payments/${id}/refunds`)
      expect(read.body).to.deep.equal({
        data: [{ ...body, paid_from: null, shares_returned: null }],
      })
    }
    expect(await toldTo(CHAT, body.id)).to.deep.equal(await shownTo(CHAT, body.id))
    for (const who of [shop, OPERATOR]) expect(await toldTo(who, body.id)).to.deep.equal(body)
    for (const who of [stranger, rival]) {
      expectProblem(await call(who, 'GET', `/v1/refunds/${body.id}`), 404, 'not_found')
      expectProblem(await call(who, 'GET', `/v1/payments/${id}/refunds`), 404, 'not_found')
    }
    expectProblem(await refund(rival, id), 404, 'not_found')
  })

  it('is made once for its key', async () => {
    const { payer, shop, id } = await sale('5000', { refund_fees: 'give_back' })
    const key = newKey()
    const answers = await Promise.all(times(8, () => refund(shop, id, { amount: '700' }, key)))
    const made = answers.filter(({ status }) => status === 201)
    expect(new Set(made.map(({ text }) => text)).size).to.equal(1)
    expect(await walletBalance(payer)).to.equal(700n)
    expectProblem(await refund(shop, id, { amount: '701' }, key), 422, 'idempotency_key_reused')
  })

  it('of a tenth succeeds ten times, of fifty that are asked for at once', async () => {
    const { payer, shop, id } = await sale('5000', { refund_fees: 'give_back', tax_percent: '7' })
    const answers = await Promise.all(times(50, () => refund(shop, id, { amount: '500' })))
    const codes = answers.map(({ status, body }) => (status === 201 ? 'made' : body.code))
    expect(count(codes, 'made')).to.equal(10)
    expect(count(codes, 'refund_exceeds_capture')).to.equal(40)
    expect(await walletBalance(payer)).to.equal(5_000n)
    expect(await takings(shop)).to.deep.equal({ posted: 0n, pending: 0n })
  })

  it('is of what was captured, also while the rest is still held', async () => {
    const [payer, shop] = await Promise.all([person(6_000n), merchant(GIVE_BACK)])
    const { id } = await authorize(payer, shop, '6000')
    expectProblem(await refund(shop, id), 409, 'payment_not_completed')
    await capture(shop, id, { amount: '2000' })
    expectProblem(await refund(shop, id, { amount: '2001' }), 422, 'refund_exceeds_capture')
    expect((await refund(shop, id, { amount: '500' })).status).to.equal(201)
    expect(await balances(payer)).to.deep.equal({ posted: '4500', available: '500' })
    await capture(shop, id, { amount: '1000', final: true })
    const last = await refund(shop, id)
    expect(last.body.amount).to.equal('2500')
    expect(await balances(payer)).to.deep.equal({ posted: '6000', available: '6000' })
    expect(await takings(shop)).to.deep.equal({ posted: 0n, pending: 0n })
    expect((await stateOf(shop, id)).state).to.equal('refunded')
  })
})

describe('a refund that is refused', () => {
  it('changes nothing when the merchant has not enough, and is answered so again', async () => {
    const { payer, shop, id } = await sale('5000')
    const key = newKey()
    const work = async () =>
      expectProblem(await refund(shop, id, {}, key), 402, 'insufficient_funds')
    await unchanged(work, { except: ['claims'] })
    await unchanged(work)
    await paid(await person(1_000n), shop, '1000')
    await unchanged(work)
    expect((await refund(shop, id)).status).to.equal(201)
    expect(await walletBalance(payer)).to.equal(5_000n)
  })

  it('changes nothing when it is more than was taken, or nothing was (abuse 55)', async () => {
    const { shop, id } = await sale('5000')
    const [ada, ben] = await Promise.all([person(5_000n), person()])
    const between = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    const held = await authorize(ada, shop, '4000')
    await unchanged(async () => {
      const more = await refund(shop, id, { amount: '5001' })
      expectProblem(more, 422, 'refund_exceeds_capture')
      expectProblem(await refund(shop, held.id), 409, 'payment_not_completed')
      expectProblem(await refund(shop, between.body.id), 404, 'not_found')
      for (const amount of ['0', '-1', '1.5', '']) {
        expectProblem(await refund(shop, id, { amount }), 400, 'invalid_request')
      }
    })
  })

  it('is of a reversed payment, and what was refunded is not reversed', async () => {
    const reversal = (payment: string) =>
      together('/v1/ledger/reversals', { body: { payment, reason: 'A mistake' } })
    const [one, two] = [await sale('5000'), await sale('5000')]
    expect((await reversal(one.id)).status).to.equal(201)
    expect((await refund(two.shop, two.id, { amount: '1' })).status).to.equal(201)
    await unchanged(
      async () => {
        expectProblem(await refund(one.shop, one.id), 409, 'payment_not_completed')
        expectProblem(await reversal(two.id), 409, 'payment_refunded')
      },
      { except: ['claims', 'proposals'] },
    )
  })
})
