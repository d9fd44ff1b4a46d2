/** Payments held for a review: what everybody sees meanwhile, and each way in which it ends. */
import { expect } from 'chai'
import { publicId, uuidOf } from '../services/ids.ts'
import { newId } from '../ledger/index.ts'
import {
  expectProblem,
  instructionOf,
  quiet,
  statusesOf,
  times,
  unchanged,
} from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { balances, capture, eventsOf, manualOrder, takings } from './support/held.ts'
import {
  ended,
  linkedAccount,
  merchant,
  merchantBalance,
  OPERATOR,
  order,
  payment,
  person,
  SECOND_OPERATOR,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { decide, reviewOf, runOut, suspect, waiting } from './support/reviews.ts'
import { world } from './support/world.ts'

const DAY_S = 86_400
/** What is sealed of the payer's approval with what made the payment. */
async function evidenceOf(id: string): Promise<Buffer | null> {
  const { owner } = await world()
  const { transfer_id } = await owner('payments')
    .where({ id: uuidOf(id) })
    .first()
  return (await owner('transfers').where({ id: transfer_id }).first()).evidence
}
const stateOf = async (who: { sub: string; scope: string }, id: string) =>
  (await call(who, 'GET', `/v1/payments/${id}`)).body

describe('a payment in review', () => {
  it('holds the payer’s money, and the payee knows nothing of it', async () => {
    const [ada, ben] = await Promise.all([suspect(10_000n), person()])
    const { payment: paid } = await waiting(ada, '4000', { payee: ben.alias })
    expect(await balances(ada)).to.deep.equal({ posted: '10000', available: '6000' })
    expect(paid.timeline.map(({ state }: { state: string }) => state)).to.deep.equal([
      ...['created', 'review'],
    ])
    expectProblem(await call(ben, 'GET', `/v1/payments/${paid.id}`), 404, 'not_found')
    expect((await call(ben, 'GET', '/v1/payments')).body.data).to.deep.equal([])
    expect(await walletBalance(ben)).to.equal(0n)
    expect(await eventsOf(paid.id)).to.deep.equal(['payment.review'])
  })

  it('tells nobody but operators why', async () => {
    const ada = await suspect(10_000n)
    const { payment: paid, review, text } = await waiting(ada, '4000')
    expect(text).not.to.contain('looks odd')
    expect(text).not.to.contain(ada.rule.id)
    const shown = await call(OPERATOR, 'GET', `/v1/reviews/${review}`)
    expect(shown.status, shown.text).to.equal(200)
    expect(shown.body.rules).to.deep.equal([ada.rule.id])
    expect(shown.body.reasons).to.deep.equal(['looks odd'])
    expect(shown.body.payment.payer.name).to.be.a('string')
    expect(shown.body.facts).to.include({ amount: '4000', currency: 'EUR', tier: ada.tier })
    expect(shown.body.payment.id).to.equal(paid.id)
    expectProblem(
      await call(OPERATOR, 'GET', `/v1/reviews/${publicId('rev', newId())}`),
      404,
      'not_found',
    )
    for (const who of [ada, await merchant()]) {
      const answer = await call(who, 'GET', '/v1/reviews')
      expectProblem(answer, 403, 'forbidden')
    }
  })

  it('is answered again as it was, under its key', async () => {
    const ada = await suspect(10_000n)
    const body = payment(await person(), '4000')
    const key = newKey()
    const first = await call(ada, 'POST', '/v1/payments', { body, key })
    const again = await call(ada, 'POST', '/v1/payments', { body, key })
    expect([again.status, again.text]).to.deep.equal([202, first.text])
    expect(await balances(ada)).to.deep.equal({ posted: '10000', available: '6000' })
  })

  it('is in a queue, what is due first coming first, page by page', async () => {
    const ada = await suspect(10_000n)
    const made: string[] = []
    for (const amount of ['2001', '2002', '2003']) {
      made.push((await waiting(ada, amount)).review)
    }
    const found: string[] = []
    let cursor = ''
    do {
      const { body } = await call(OPERATOR, 'GET', `/v1/reviews?limit=2${cursor}`)
      const due = body.data.map(({ due_at }: { due_at: string }) => due_at)
      expect(due).to.deep.equal(due.toSorted())
      found.push(...body.data.map(({ id }: { id: string }) => id))
      cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`
    } while (cursor !== '')
    expect(found.filter((id) => made.includes(id))).to.deep.equal(made)
    expect(new Set(found).size).to.equal(found.length)
  })
})

describe('a review', () => {
  it('that releases pays the person, and only then do they know', async () => {
    const [ada, ben] = await Promise.all([suspect(10_000n), person()])
    const { payment: paid, review } = await waiting(ada, '4000', { payee: ben.alias })
    const evidence = await evidenceOf(paid.id)
    const released = await decide(review, 'release')
    expect(released.status, released.text).to.equal(200)
    expect(evidence).to.have.length(32)
    expect(await evidenceOf(paid.id)).to.deep.equal(evidence)
    expect(released.body).to.include({ state: 'released', decided_by: OPERATOR.sub })
    expect(released.body.approved_by).to.equal(SECOND_OPERATOR.sub)
    expect(released.body.payment.state).to.equal('completed')
    expect(await balances(ada)).to.deep.equal({ posted: '6000', available: '6000' })
    expect(await walletBalance(ben)).to.equal(4_000n)
    const seen = await stateOf(ben, paid.id)
    expect(seen.timeline.map(({ state }: { state: string }) => state)).to.deep.equal([
      ...['created', 'review', 'completed'],
    ])
    expect(await eventsOf(paid.id)).to.deep.equal(['payment.review', 'payment.completed'])
  })

  it('that releases an order charges the fee then, and the payment can be reversed', async () => {
    const [ada, shop] = await Promise.all([suspect(10_000n), merchant({ percent: '10' })])
    const id = await order(shop, '4000')
    const { payment: paid, review } = await waiting(ada, '4000', { order: id })
    expect(await merchantBalance(shop)).to.equal(0n)
    const seen = await call(shop, 'GET', `/v1/orders/${id}`)
    expect([seen.body.state, seen.body.payment]).to.deep.equal(['processing', null])
    const events = await call(shop, 'GET', '/v1/events')
    expect(events.text).not.to.contain(paid.id)
    expect((await decide(review, 'release')).status).to.equal(200)
    expect(await merchantBalance(shop)).to.equal(3_575n)
    expect((await call(shop, 'GET', `/v1/orders/${id}`)).body.state).to.equal('paid')
    expect((await call(shop, 'GET', '/v1/events')).text).to.contain(paid.id)
    const body = { payment: paid.id, reason: 'A mistake' }
    const reversed = await together('/v1/ledger/reversals', { body })
    expect(reversed.status, reversed.text).to.equal(201)
    expect(await merchantBalance(shop)).to.equal(0n)
    expect(await balances(ada)).to.deep.equal({ posted: '10000', available: '10000' })
  })

  it('that releases an order of manual capture holds the money for the merchant', async () => {
    const [ada, shop] = await Promise.all([suspect(10_000n), merchant()])
    const id = await manualOrder(shop, '4000', { capture_within_s: 3 * DAY_S })
    const { payment: paid, review } = await waiting(ada, '4000', { order: id })
    expectProblem(await capture(shop, paid.id), 404, 'not_found')
    const released = await decide(review, 'release')
    expect(released.body.payment.state, released.text).to.equal('authorized')
    expect(await balances(ada)).to.deep.equal({ posted: '10000', available: '6000' })
    // The review's own deadline means nothing any more.
    await runOut(2 * DAY_S)
    expect((await stateOf(ada, paid.id)).state).to.equal('authorized')
    const taken = await capture(shop, paid.id, { amount: '3000', final: true })
    expect(taken.status, taken.text).to.equal(200)
    expect((await takings(shop)).pending).to.equal(0n)
    expect(await balances(ada)).to.deep.equal({ posted: '7000', available: '7000' })
  })

  it('that releases a payment from a bank tells the bank, which had not heard of it', async () => {
    const [ada, ben] = await Promise.all([suspect(0n), person()])
    const source = await linkedAccount(ada)
    const { payment: paid, review } = await waiting(ada, '4000', { payee: ben.alias, source })
    expect(await instructionOf(paid.id)).to.equal(undefined)
    const released = await decide(review, 'release')
    expect(released.body.payment.state, released.text).to.equal('processing')
    expect(await evidenceOf(paid.id)).to.have.length(32)
    const done = await ended(ada, `/v1/payments/${paid.id}`)
    expect(done.timeline.map(({ state }: { state: string }) => state)).to.deep.equal([
      ...['created', 'review', 'processing', 'completed'],
    ])
    expect(await walletBalance(ben)).to.equal(4_000n)
    await quiet()
  })

  it('that refuses gives the money back, and the order to the next payment', async () => {
    const [ada, shop] = await Promise.all([suspect(10_000n), merchant()])
    const id = await order(shop, '4000')
    const { payment: paid, review, body } = await waiting(ada, '4000', { order: id })
    expectProblem(await call(ada, 'POST', '/v1/payments', { body }), 409, 'order_already_paid')
    const refused = await decide(review, 'refuse')
    expect(refused.body.payment).to.include({ state: 'failed', failure: 'review_refused' })
    expect(refused.body.reason).to.equal('I asked them')
    expect(await balances(ada)).to.deep.equal({ posted: '10000', available: '10000' })
    expectProblem(await call(shop, 'GET', `/v1/payments/${paid.id}`), 404, 'not_found')
    expect((await call(shop, 'GET', '/v1/events')).text).not.to.contain(paid.id)
    expect((await call(ada, 'POST', '/v1/payments', { body })).status).to.equal(202)
  })

  it('that nobody decides in time gives the money back', async () => {
    const ada = await suspect(10_000n)
    const source = await linkedAccount(ada)
    const [held, unheld] = [await waiting(ada, '4000'), await waiting(ada, '3000', { source })]
    await runOut(DAY_S - 60)
    expect((await stateOf(ada, held.payment.id)).state).to.equal('review')
    expect((await stateOf(ada, unheld.payment.id)).state).to.equal('review')
    await runOut(DAY_S + 60)
    for (const { payment: paid, review } of [held, unheld]) {
      expect(await stateOf(ada, paid.id)).to.include({ state: 'failed', failure: 'review_expired' })
      expectProblem(await decide(review, 'release'), 409, 'payment_not_in_review')
      expect((await reviewOf(paid.id)).state).to.equal('expired')
    }
    expect(await balances(ada)).to.deep.equal({ posted: '10000', available: '10000' })
  })

  it('ends when the payer takes the payment back', async () => {
    const ada = await suspect(10_000n)
    const source = await linkedAccount(ada)
    for (const more of [{}, { source }]) {
      const { payment: paid, review } = await waiting(ada, '4000', more)
      const canceled = await call(ada, 'POST', `/v1/payments/${paid.id}/cancel`)
      expect(canceled.status, canceled.text).to.equal(200)
      expect(canceled.body.state).to.equal('canceled')
      expect(await balances(ada)).to.deep.equal({ posted: '10000', available: '10000' })
      expect((await reviewOf(paid.id)).state).to.equal('canceled')
      const late = () => decide(review, 'release')
      expectProblem(await unchanged(late), 409, 'payment_not_in_review')
    }
  })

  it('is not decided by who is no operator, and costs who has too little nothing', async () => {
    const ada = await suspect(1_000n)
    const { review } = await waiting(ada, '900')
    await unchanged(async () => {
      for (const what of ['release', 'refuse']) {
        const path = `/v1/reviews/${review}/${what}`
        expectProblem(await call(ada, 'POST', path, { body: { reason: 'x' } }), 403, 'forbidden')
      }
    })
    const body = payment(await person(), '5000')
    expectProblem(await call(ada, 'POST', '/v1/payments', { body }), 402, 'insufficient_funds')
    expect((await decide(review, 'refuse')).status).to.equal(200)
  })

  it('ends in one way, whoever comes at once: operators, the payer, the clock', async () => {
    const shop = await merchant()
    for (const round of times(6, (index) => index)) {
      const ada = await suspect(10_000n)
      const more = round % 2 === 0 ? {} : { order: await order(shop, '4000') }
      const { payment: paid, review } = await waiting(ada, '4000', more)
      const [answers] = await Promise.all([
        Promise.all([
          ...times(3, () => decide(review, 'release')),
          ...times(3, () => decide(review, 'refuse')),
          ...times(3, () => call(ada, 'POST', `/v1/payments/${paid.id}/cancel`)),
        ]),
        ...(round > 2 ? [runOut(DAY_S + 60)] : []),
      ])
      const { state } = await reviewOf(paid.id)
      const won = statusesOf(answers).filter((status) => status === 200)
      expect(won, JSON.stringify(answers)).to.have.length(state === 'expired' ? 0 : 1)
      expect(statusesOf(answers).every((status) => status === 200 || status === 409)).to.equal(true)
      const left = state === 'released' ? '6000' : '10000'
      expect(await balances(ada)).to.deep.equal({ posted: left, available: left })
      const events = await eventsOf(paid.id)
      expect(events).to.have.length(2)
    }
  })

  it('is decided once under its key, and answered again', async () => {
    const ada = await suspect(10_000n)
    const { review } = await waiting(ada, '4000')
    const key = newKey()
    const answers = await Promise.all(times(5, () => decide(review, 'release', key)))
    expect(new Set(answers.map(({ text }) => text)).size).to.equal(1)
    expect(answers[0]?.status).to.equal(200)
    expect((await balances(ada)).posted).to.equal('6000')
  })
})
