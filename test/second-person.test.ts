/** What needs a second person, and how it is done by both. */
import { expect } from 'chai'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, quiet, unchanged } from './support/abuse.ts'
import { waiting as atDesk } from './support/desk.ts'
import { comes } from './support/north-arrivals.ts'
import { call, newKey, newSubject } from './support/api.ts'
import { account, move, unit } from './support/bulk.ts'
import { authorize, payOrder } from './support/held.ts'
import { closed, openNetting } from './support/netting.ts'
import { arrives } from './support/paper-arrivals.ts'
import { paidOut, paperCustomer } from './support/paper-customer.ts'
import {
  merchant,
  OPERATOR,
  order,
  type Person,
  person,
  SECOND_OPERATOR,
} from './support/people.ts'
import { approve, together } from './support/proposals.ts'
import { dispute, funded } from './support/disputes.ts'
import { suspect, waiting } from './support/reviews.ts'
import { rule } from './support/risk.ts'
import { unknownLine } from './support/reconciliation.ts'
import { unanswered } from './support/recalls.ts'
import { world } from './support/world.ts'

/** As if the process had ended between doing it and saying so. */
async function loseResult(id: string): Promise<void> {
  const { owner } = await world()
  await owner('proposals')
    .where({ id: uuidOf(id) })
    .update({ result: null, running_until: new Date() })
}

interface Asked {
  readonly path: string
  readonly body?: object
}

const WHY = { reason: 'A test' }
const CHAT_KEY = { name: 'Chat', scopes: ['chat'] }

let days = 0
/** Each is a holiday once. */
const newDay = () => new Date(Date.UTC(2040, 0, (days += 1))).toISOString().slice(0, 10)
const idOf = (who: Person) => publicId('per', who.id)
const bulkOf = async () => {
  const [bank, wallet] = [await account('bank'), await account()]
  return { mode: 'each', units: [unit([move(bank, wallet, '10')])] }
}
const made = async (path: string, body: object) =>
  (await call(OPERATOR, 'POST', path, { body })).body

/** Everything that takes two, each about something of its own. */
const ACTIONS: Readonly<Record<string, () => Promise<Asked>>> = {
  'POST /v1/staff': async () => ({
    path: '/v1/staff',
    body: { merchant: (await merchant()).id, subject: newSubject('m') },
  }),
  'POST /v1/chat_keys': async () => ({ path: '/v1/chat_keys', body: CHAT_KEY }),
  'POST /v1/chat_keys/:id/rotate': async () => {
    const { body } = await together('/v1/chat_keys', { body: CHAT_KEY })
    return { path: `/v1/chat_keys/${body.id}/rotate` }
  },
  'POST /v1/ledger/bulk': async () => ({ path: '/v1/ledger/bulk', body: await bulkOf() }),
  'POST /v1/ledger/reversals': async () => {
    const done = await together('/v1/ledger/bulk', { body: await bulkOf() })
    return { path: '/v1/ledger/reversals', body: { unit: done.body.results[0].unit, ...WHY } }
  },
  'POST /v1/payments/:id/void': async () => {
    const { id } = await authorize(await person(6_000n), await merchant(), '6000')
    return { path: `/v1/payments/${id}/void` }
  },
  'POST /v1/merchants/:id/fee_schedules': async () => ({
    path: `/v1/merchants/${(await merchant()).id}/fee_schedules`,
    body: { percent: '2', fixed: '0', currency: 'EUR' },
  }),
  'POST /v1/merchants/:id/refund_limit': async () => ({
    path: `/v1/merchants/${(await merchant()).id}/refund_limit`,
    body: { amount: '1', currency: 'EUR', ...WHY },
  }),
  'POST /v1/merchants/:id/reserve_rules': async () => ({
    path: `/v1/merchants/${(await merchant()).id}/reserve_rules`,
    body: { currency: 'EUR', kind: 'fixed', amount: '5000' },
  }),
  'POST /v1/merchants/:id/dispute_terms': async () => ({
    path: `/v1/merchants/${(await merchant()).id}/dispute_terms`,
    body: { currency: 'EUR', fee: '1500', evidence_days: 10 },
  }),
  'POST /v1/payments/:id/disputes': async () => ({
    path: `/v1/payments/${(await funded('6000')).id}/disputes`,
    body: { amount: '100', reason: 'other' },
  }),
  'POST /v1/disputes/:id/resolve': async () => {
    const { payer, id } = await funded('6000')
    const { body } = await dispute(payer, id)
    return { path: `/v1/disputes/${body.id}/resolve`, body: { outcome: 'won', note: 'A test' } }
  },
  'POST /v1/merchants/:id/activate': async () => {
    const { id } = await merchant()
    await call(OPERATOR, 'POST', `/v1/merchants/${id}/suspend`, { body: WHY })
    return { path: `/v1/merchants/${id}/activate`, body: WHY }
  },
  'POST /v1/fee_schedules/:id/activate': async () => {
    const price = { percent: '2', fixed: '0', currency: 'EUR', merchant: (await merchant()).id }
    const { id } = await made('/v1/fee_schedules', price)
    return { path: `/v1/fee_schedules/${id}/activate`, body: {} }
  },
  'POST /v1/banks/:bank/own_accounts': async () => ({
    path: '/v1/banks/north/own_accounts',
    body: { number: `OWN-${newKey().slice(-12).toUpperCase()}`, holder: 'Florin' },
  }),
  'POST /v1/netting_windows/:id/settle': async () => {
    await openNetting()
    return { path: `/v1/netting_windows/${(await closed()).id}/settle` }
  },
  'POST /v1/limit_rules/:id/end': async () => {
    const terms = { scope: 'payer', period: 'day', count_max: 1, tier: newSubject('t') }
    const { id } = await made('/v1/limit_rules', terms)
    return { path: `/v1/limit_rules/${id}/end`, body: WHY }
  },
  'POST /v1/step_up_rules/:id/end': async () => {
    const { id } = await made('/v1/step_up_rules', { kind: 'amount', tier: newSubject('t') })
    return { path: `/v1/step_up_rules/${id}/end`, body: WHY }
  },
  'POST /v1/risk_rules/:id/end': async () => {
    const { id } = await rule({ tier: newSubject('t') })
    return { path: `/v1/risk_rules/${id}/end`, body: WHY }
  },
  'POST /v1/reviews/:id/release': async () => {
    const { review } = await waiting(await suspect(5_000n), '4000')
    return { path: `/v1/reviews/${review}/release`, body: WHY }
  },
  'POST /v1/instructions/:id/resolve': async () => ({
    path: `/v1/instructions/${(await atDesk()).id}/resolve`,
    body: { outcome: 'rejected', evidence: 'A letter' },
  }),
  'POST /v1/instructions/:id/reopen': async () => ({
    path: `/v1/instructions/${(await atDesk()).id}/reopen`,
    body: WHY,
  }),
  'POST /v1/instructions/:id/recalls': async () => {
    const { id } = await paidOut(await paperCustomer(), '1000')
    const path = `/v1/instructions/${publicId('ins', id)}/recalls`
    return { path, body: { reason: 'DUPL', note: 'A test' } }
  },
  'POST /v1/recalls/:id/resolve': async () => ({
    path: `/v1/recalls/${(await unanswered(await paperCustomer(), '1000')).recallId}/resolve`,
    body: { outcome: 'refused', evidence: 'A letter' },
  }),
  'POST /v1/incoming_money/:id/return': async () => ({
    path: `/v1/incoming_money/${await comes('1200')}/return`,
    body: { note: 'A test' },
  }),
  'POST /v1/incoming_money/:id/match': async () => ({
    path: `/v1/incoming_money/${(await arrives(undefined)).id}/match`,
    body: { person: publicId('per', (await person()).id) },
  }),
  'PUT /v1/people/:id': async () => ({
    path: `/v1/people/${idOf(await person())}`,
    body: { tier: newSubject('t'), ...WHY },
  }),
  'POST /v1/reconciliation_items/:id/resolve': async () => {
    const { id } = await unknownLine()
    return { path: `/v1/reconciliation_items/${id}/resolve`, body: { how: 'correct', ...WHY } }
  },
  'POST /v1/merchants/:id/settlement_schedules': async () => ({
    path: `/v1/merchants/${(await merchant()).id}/settlement_schedules`,
    body: {
      ...{ currency: 'EUR', frequency: 'daily', cut_off: '17:00', time_zone: 'Asia/Kolkata' },
      ...{ delay_days: 1, calendar: 'weekends' },
    },
  }),
  'POST /v1/holidays': async () => ({
    path: '/v1/holidays',
    body: { calendar: 'friday_saturday', day: newDay(), name: 'A test' },
  }),
  'POST /v1/people/:id/pin/reset': async () => ({
    path: `/v1/people/${idOf(await person())}/pin/reset`,
    body: WHY,
  }),
  'POST /v1/people/:id/erasure': async () => ({
    path: `/v1/people/${idOf(await person())}/erasure`,
    body: WHY,
  }),
}

describe('a second person', () => {
  it('agrees to all that moves money by hand, loosens a rule or cannot be undone', async () => {
    const { routes } = await world()
    const asked = routes.endpoints.filter(({ secondPerson }) => secondPerson !== undefined)
    const names = asked.map(({ method, path }) => `${method} ${path}`)
    expect(names).to.have.members(Object.keys(ACTIONS))
    for (const one of asked) {
      expect(one.idempotency, `${one.path}: its handle must answer a claim`).to.equal('required')
      expect(one.answers[202], one.path).not.to.equal(undefined)
    }
  })

  for (const [name, prepare] of Object.entries(ACTIONS)) {
    it(`agrees to ${name}: nothing before, and once though a process ends`, async () => {
      const { path, body } = await prepare()
      await quiet()
      const [method] = name.split(' ') as ['POST' | 'PUT']
      const ask = () => call(OPERATOR, method, path, { body, key: newKey() })
      const proposed = await unchanged(ask, { except: ['claims', 'proposals'] })
      expect(proposed.status, proposed.text).to.equal(202)
      expect(proposed.body.action).to.equal(name)
      const { id } = proposed.body
      const done = await approve(id)
      expect(done.body.state, done.text).to.equal('approved')
      expect(done.body.result.status, done.text).to.be.lessThan(300)
      await quiet()
      await loseResult(id)
      const third = { sub: 'third', scope: 'operator' }
      const again = await unchanged(() => approve(id, third))
      expect(again.body.result).to.deep.equal(done.body.result)
    })
  }

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
    expect(made.body).to.deep.include({ merchant: shop.id, version: 2, state: 'active' })
    expect(made.body.components).to.deep.equal([
      { kind: 'percent', percent: '2.5' },
      { kind: 'fixed', amount: '5' },
    ])
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
