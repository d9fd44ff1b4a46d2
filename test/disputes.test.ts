/** Contested payments: where their money is at each step, and what can happen in which state. */
import { expect } from 'chai'
import {
  type DisputeEvent,
  type DisputeState,
  NEXT,
  nextState,
} from '../services/disputes/machine.ts'
import { expectProblem, times, unchanged } from './support/abuse.ts'
import { call, newKey, type Who } from './support/api.ts'
import {
  answer,
  decide,
  dispute,
  disputeTerms,
  expireIn,
  funded,
  ours,
} from './support/disputes.ts'
import { eventsOf } from './support/held.ts'
import {
  merchant,
  OPERATOR,
  payment,
  person,
  type Person,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { lendTo, paid, refund } from './support/refunds.ts'
import { keep, money, reserveRule } from './support/reserves.ts'

const CHAT = { sub: 'chat', scope: 'chat' }
const SHA = 'ab'.repeat(32)

const read = async (id: string) => (await call(OPERATOR, 'GET', `/v1/disputes/${id}`)).body
const disputedOf = async (who: Person, id: string) =>
  (await call(who, 'GET', `/v1/payments/${id}`)).body.disputed

/** A dispute of 4000 of a payment of 6000; the shop has 12000 before it. */
async function opened() {
  const { payer, shop, id } = await funded('6000')
  const before = await ours('suspense')
  const done = await dispute(payer, id, { amount: '4000', reason: 'not_received' })
  expect(done.status, done.text).to.equal(201)
  return { payer, shop, payment: id, id: done.body.id as string, body: done.body, before }
}

describe('the states of a dispute', () => {
  it('say what comes of everything in each, and nothing goes on from where it ended', () => {
    const states = Object.keys(NEXT) as DisputeState[]
    const events = Object.keys(NEXT.needs_evidence) as DisputeEvent[]
    expect([states.length, events.length]).to.deep.equal([5, 6])
    const moves = states.flatMap((state) => {
      expect(Object.keys(NEXT[state]), state).to.have.members(events)
      return events
        .filter((event) => nextState(state, event) !== 'refused')
        .map((event) => `${state} ${event} ${nextState(state, event)}`)
    })
    expect(moves.filter((move) => !/^(needs_evidence|under_review) /.test(move))).to.deep.equal([
      'lost reverse reversed',
    ])
    expect(moves.filter((move) => move.includes('expire'))).to.deep.equal([
      'needs_evidence expire lost',
    ])
  })
})

describe('a dispute', () => {
  it('takes the money from the merchant, and what it costs, until it is decided', async () => {
    const { payer, shop, id } = await funded('6000')
    await disputeTerms(shop, '1500', 10)
    const [suspense, fees] = [await ours('suspense'), await ours('fees')]
    const done = await dispute(payer, id, { amount: '4000', reason: 'not_received' })
    expect(done.body).to.include({ state: 'needs_evidence', amount: '4000', fee: '1500' })
    expect(done.body).to.include({ payment: id, opened_by: 'payer', paid_from: null })
    expect(await money(shop)).to.deep.equal({ balance: 6_500n, reserve: 0n })
    expect(await ours('suspense')).to.equal(suspense + 4_000n)
    expect(await ours('fees')).to.equal(fees + 1_500n)
    expect(await walletBalance(payer)).to.equal(0n)
    expect(await disputedOf(payer, id)).to.equal('4000')
    const days = (Date.parse(done.body.evidence_due_at) - Date.parse(done.body.created_at)) / 864e5
    expect(days).to.equal(10)
    expect(await eventsOf(done.body.id)).to.deep.equal(['dispute.opened'])
  })

  it('that is won gives the merchant its money back', async () => {
    const { payer, shop, id, before, payment: of } = await opened()
    const said = await answer(shop, id, { file: { name: 'slip.pdf', sha256: SHA } })
    expect(said.body.state, said.text).to.equal('under_review')
    expect((await answer(shop, id, { text: 'And signed for' })).status).to.equal(200)
    const done = await decide(id, 'won')
    expect([done.status, done.body.state]).to.deep.equal([200, 'won'])
    expect(await money(shop)).to.deep.equal({ balance: 12_000n, reserve: 0n })
    expect(await ours('suspense')).to.equal(before)
    expect([await walletBalance(payer), await disputedOf(payer, of)]).to.deep.equal([0n, '0'])
    const told = await read(id)
    expect(told.evidence.map(({ text }: { text: string }) => text)).to.deep.equal([
      ...['It came', 'And signed for'],
    ])
    expect(told.evidence[0].file).to.deep.equal({ name: 'slip.pdf', sha256: SHA })
    expect(told.timeline.map(({ event }: { event: string }) => event)).to.deep.equal([
      ...['open', 'submit', 'submit', 'win'],
    ])
    expect(await eventsOf(id)).to.deep.equal([
      ...['dispute.opened', 'dispute.evidence_submitted', 'dispute.evidence_submitted'],
      'dispute.won',
    ])
  })

  it('that is lost gives the payer the money, and stays so for refunds', async () => {
    const { payer, shop, id, before, payment: of } = await opened()
    const done = await decide(id, 'lost')
    expect(done.body.state, done.text).to.equal('lost')
    expect(await walletBalance(payer)).to.equal(4_000n)
    expect(await money(shop)).to.deep.equal({ balance: 8_000n, reserve: 0n })
    expect(await ours('suspense')).to.equal(before)
    expectProblem(await refund(shop, of, { amount: '2001' }), 422, 'refund_exceeds_capture')
    expect((await refund(shop, of)).body.amount).to.equal('2000')
    expectProblem(await dispute(payer, of), 409, 'dispute_exists')
  })

  it('is lost by who does not answer in time, once, and not by who has answered', async () => {
    const [silent, heard] = [await opened(), await opened()]
    await answer(heard.shop, heard.id)
    await expireIn(13)
    expect((await read(silent.id)).state).to.equal('needs_evidence')
    await Promise.all([expireIn(15), expireIn(15)])
    const told = await read(silent.id)
    expect([told.state, told.timeline.at(-1).event]).to.deep.equal(['lost', 'expire'])
    expect(await walletBalance(silent.payer)).to.equal(4_000n)
    expect((await read(heard.id)).state).to.equal('under_review')
    expectProblem(await answer(silent.shop, silent.id), 409, 'dispute_decided')
  })

  it('may be accepted by its merchant', async () => {
    const { payer, shop, id } = await opened()
    const done = await call(shop, 'POST', `/v1/disputes/${id}/accept`)
    expect([done.status, done.body.state]).to.deep.equal([200, 'lost'])
    expect(await walletBalance(payer)).to.equal(4_000n)
    expectProblem(await call(shop, 'POST', `/v1/disputes/${id}/accept`), 409, 'dispute_decided')
  })

  it('that was lost may be reversed: the payer pays what is there, and we the rest', async () => {
    const { payer, shop, id, payment: of } = await opened()
    await decide(id, 'lost')
    await call(payer, 'POST', '/v1/payments', { body: payment(await person(), '1500') })
    const loss = await ours('loss')
    const done = await decide(id, 'reversed')
    expect([done.status, done.body.state]).to.deep.equal([200, 'reversed'])
    expect(await money(shop)).to.deep.equal({ balance: 12_000n, reserve: 0n })
    expect([await walletBalance(payer), await ours('loss')]).to.deep.equal([0n, loss + 1_500n])
    expect(await disputedOf(payer, of)).to.equal('0')
    expectProblem(await decide(id, 'reversed'), 409, 'dispute_decided')
    expect(await eventsOf(id)).to.deep.equal([
      ...['dispute.opened', 'dispute.lost', 'dispute.reversed'],
    ])
  })

  it('is paid for from balance, then reserve, then credit, as a refund is', async () => {
    const [ada, shop] = await Promise.all([person(10_000n), merchant({ percent: '0', fixed: '0' })])
    await reserveRule(shop, { kind: 'rolling', percent: '10', days: 30 })
    await disputeTerms(shop, '700', 14)
    const id = await paid(ada, shop, '10000')
    await keep(shop)
    await unchanged(async () => expectProblem(await dispute(ada, id), 402, 'insufficient_funds'), {
      except: ['claims'],
    })
    await lendTo(shop, '700')
    const done = await dispute(ada, id)
    expect(done.status, done.text).to.equal(201)
    const told = await read(done.body.id)
    expect(told.paid_from).to.deep.equal({ balance: '9000', reserve: '1000', limit: '700' })
    expect(await money(shop)).to.deep.equal({ balance: -700n, reserve: 0n })
    await decide(done.body.id, 'won')
    expect(await money(shop)).to.deep.equal({ balance: 9_300n, reserve: 0n })
  })

  it('goes by terms that the merchant may read, newest first', async () => {
    const shop = await merchant()
    const read = async (who: Who) =>
      (await call(who, 'GET', `/v1/merchants/${shop.id}/dispute_terms`)).body.data
    expect(await read(shop)).to.deep.equal([])
    await disputeTerms(shop, '1500', 10)
    await disputeTerms(shop, '700', 14)
    const [newest, first, ...others] = await read(shop)
    const told = { merchant: shop.id, currency: 'EUR' }
    expect(newest).to.deep.include({ ...told, fee: '700', evidence_days: 14 })
    expect(first).to.deep.include({ ...told, fee: '1500', evidence_days: 10 })
    expect(newest.valid_from > first.valid_from).to.equal(true)
    expect(others).to.deep.equal([])
    expect(await read(OPERATOR)).to.deep.equal([newest, first])
  })

  it('is seen by both sides, operators and chat, and by nobody else', async () => {
    const { payer, shop, id } = await opened()
    await answer(shop, id)
    const full = await read(id)
    expect((await call(shop, 'GET', `/v1/disputes/${id}`)).body).to.deep.equal(full)
    for (const who of [payer, CHAT]) {
      const { body } = await call(who, 'GET', `/v1/disputes/${id}`)
      expect(body).to.deep.equal({ ...full, paid_from: null, evidence: null })
    }
    const [stranger, rival] = await Promise.all([person(), merchant()])
    for (const who of [stranger, rival]) {
      expectProblem(await call(who, 'GET', `/v1/disputes/${id}`), 404, 'not_found')
    }
    expectProblem(await answer(rival, id), 404, 'not_found')
    expect((await call(rival, 'GET', '/v1/disputes')).body.data).to.deep.equal([])
    const { timeline: _timeline, evidence: _evidence, ...listed } = full
    expect((await call(shop, 'GET', '/v1/disputes')).body.data).to.deep.equal([listed])
    const toldTo = async (who: Who) => {
      const events = (await call(who, 'GET', '/v1/events?limit=50')).body.data
      return events.filter(({ object }: { object: string }) => object === id)
    }
    const [chat, everything] = [await toldTo(CHAT), await toldTo(OPERATOR)]
    expect(everything[0].data).to.deep.equal(listed)
    expect(await toldTo(shop)).to.deep.equal(everything)
    expect(chat).to.deep.equal(
      everything.map((event: { data: object }) => {
        return { ...event, data: { ...event.data, paid_from: null } }
      }),
    )
  })

  it('is opened by an operator only together with another', async () => {
    const { id } = await funded('6000')
    const done = await together(`/v1/payments/${id}/disputes`, { body: { reason: 'duplicate' } })
    expect([done.status, done.body.opened_by, done.body.amount]).to.deep.equal([
      ...[201, OPERATOR.sub, '6000'],
    ])
  })
})

describe('a dispute that is refused', () => {
  it('changes nothing: too much, too late, twice, between people, or somebody else’s', async () => {
    const { payer, shop, id } = await funded('6000')
    const { payer: eve } = await funded('100')
    const given = await call(eve, 'POST', '/v1/payments', { body: payment(payer, '1') })
    expect(given.status).to.equal(402)
    const [ada, ben] = await Promise.all([person(100n), person()])
    const between = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    await refund(shop, id, { amount: '2000' })
    await unchanged(async () => {
      expectProblem(await dispute(payer, id, { amount: '4001' }), 422, 'refund_exceeds_capture')
      expectProblem(await dispute(ada, between.body.id), 422, 'not_disputable')
      expectProblem(await dispute(ben, id), 404, 'not_found')
    })
    expect((await dispute(payer, id, { amount: '1' })).status).to.equal(201)
    await unchanged(async () =>
      expectProblem(await dispute(payer, id, { amount: '1' }), 409, 'dispute_exists'),
    )
  })

  it('keeps the wallet open that may get the money, and needs one that is', async () => {
    const { payer, id } = await funded('6000')
    const wallet = (await call(payer, 'GET', '/v1/accounts')).body.data[0].id
    const path = `/v1/ledger/accounts/${wallet}/close`
    const close = () => call(OPERATOR, 'POST', path, { body: { reason: 'A test' } })
    const opened = await dispute(payer, id)
    expectProblem(await close(), 409, 'account_not_empty')
    expect((await decide(opened.body.id, 'won')).status).to.equal(200)
    expect((await close()).body.state).to.equal('closed')
    const again = await together(`/v1/payments/${id}/disputes`, { body: { reason: 'other' } })
    expectProblem(again, 409, 'account_closed')
  })

  it('never lets refunds and disputes together pass what was taken, in a crowd', async () => {
    const { payer, shop, id } = await funded('6000')
    const asked = times(30, (index) =>
      index % 3 === 0
        ? dispute(payer, id, { amount: '1000' }, newKey())
        : refund(shop, id, { amount: '1000' }),
    )
    const answers = await Promise.all(asked)
    expect(answers.filter(({ status }) => status === 201).length).to.be.within(6, 6)
    const { body } = await call(payer, 'GET', `/v1/payments/${id}`)
    expect(BigInt(body.refunded) + BigInt(body.disputed)).to.equal(6_000n)
    expect(await walletBalance(payer)).to.equal(BigInt(body.refunded))
  })
})
