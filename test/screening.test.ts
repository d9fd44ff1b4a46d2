/** Rules at work: what a payment is answered, what is looked up for it, and what is kept of it. */
import { expect } from 'chai'
import type { Facts } from '../services/clearance/facts.ts'
import { assess } from '../services/risk/assess.ts'
import { openListIndex } from '../services/risk/list_index.ts'
import { type ListCheck } from '../services/risk/lists.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { call, newKey, newSubject } from './support/api.ts'
import { linkedAccount, merchant, OPERATOR, order, payment, person } from './support/people.ts'
import { endRule } from './support/proposals.ts'
import { assessmentsOf, knownAs, rule, tiered } from './support/risk.ts'
import { reviewOf } from './support/reviews.ts'
import { agreed, codeAt, enrolled, forgetUse } from './support/totp.ts'
import { world } from './support/world.ts'

type Ada = Awaited<ReturnType<typeof tiered>>
const pay = async (ada: Ada, amount: string, more: object = {}) =>
  call(ada, 'POST', '/v1/payments', { body: payment(await person(), amount, more) })

async function factsOf(ada: Ada, more: Partial<Facts> = {}): Promise<Facts> {
  const { api } = await world()
  const standing = await api.standings(ada.id)
  if (standing === undefined) throw new Error('nobody')
  return {
    ...{ rail: 'wallet', payer: { id: ada.id, standing }, at: new Date() },
    ...{ payee: { kind: 'person', id: (await person()).id } },
    ...{ money: { amount: 1_000n, currency: 'EUR' } },
    ...more,
  }
}

/** How many statements the API's connections run for `work`. */
async function statementsOf(work: () => Promise<unknown>): Promise<number> {
  const { api } = await world()
  let count = 0
  const counted = () => (count += 1)
  api.db.on('query', counted)
  await work()
  api.db.removeListener('query', counted)
  return count
}

describe('a payment that a rule refuses', () => {
  it('is refused without a word about why, and may be asked for again', async () => {
    const ada = await tiered(10_000n)
    const made = await rule({ tier: ada.tier, parameters: { above: '1000' }, reason: 'secret' })
    const body = payment(await person(), '1001')
    const key = newKey()
    const refused = await unchanged(() => call(ada, 'POST', '/v1/payments', { body, key }))
    expectProblem(refused, 403, 'payment_refused')
    expect(refused.text).not.to.match(/secret|rsk_|rule|risk/)
    expect((await pay(ada, '1000')).status).to.equal(201)
    const [kept, ...more] = await assessmentsOf(ada)
    expect(more).to.deep.equal([])
    expect([kept.verdict, kept.rail, kept.reasons]).to.deep.equal([
      ...['refuse', 'wallet', ['secret']],
    ])
    expect(kept.idempotency_key).to.equal(key)
    expect(JSON.stringify(kept)).not.to.contain(ada.sub)
    const ended = await endRule(`/v1/risk_rules/${made.id}`)
    expect(ended.status, ended.text).to.equal(200)
    expect((await call(ada, 'POST', '/v1/payments', { body, key })).status).to.equal(201)
  })

  it('is refused on every rail that the rule names, and on no other', async () => {
    const [ada, shop] = await Promise.all([tiered(10_000n), merchant()])
    const bank_account = await linkedAccount(ada)
    const rails = ['order', 'bank', 'top_up', 'withdrawal']
    await rule({ tier: ada.tier, rails })
    const money = { amount: '100', currency: 'EUR' }
    const own = { ...money, bank_account, approval: { pin: '274951' } }
    const bodies: [string, object][] = [
      ['/v1/payments', { ...money, order: await order(shop, '100') }],
      ['/v1/payments', payment(await person(), '100', { source: bank_account })],
      ['/v1/top_ups', own],
      ['/v1/withdrawals', own],
    ]
    for (const [path, body] of bodies) {
      expectProblem(await call(ada, 'POST', path, { body }), 403, 'payment_refused')
    }
    expect((await assessmentsOf(ada)).map(({ rail }) => rail)).to.deep.equal(rails)
    expect((await pay(ada, '100')).status).to.equal(201)
  })

  it('is refused by the strictest rule, whichever others hold it or ask for more', async () => {
    const ada = await tiered(10_000n)
    const { tier } = ada
    await rule({ tier, verdict: 'hold', reason: 'b' })
    await rule({ tier, verdict: 'step_up', reason: 'a' })
    const paid = await pay(ada, '2000')
    expect(paid.status, paid.text).to.equal(202)
    expect((await reviewOf(paid.body.id)).state).to.equal('pending')
    await rule({ tier, verdict: 'refuse', reason: 'c' })
    expectProblem(await pay(ada, '2000'), 403, 'payment_refused')
    const kept = (await assessmentsOf(ada)).map(({ verdict, reasons }) => [verdict, ...reasons])
    expect(kept).to.deep.equal([...[['hold', 'b', 'a']], ...[['refuse', 'b', 'a', 'c']]])
  })
})

describe('a payment for which a rule wants a second factor', () => {
  it('says which is missing and, in a word, why', async () => {
    const ada = await tiered(10_000n)
    await rule({ tier: ada.tier, verdict: 'step_up', reason: 'secret' })
    const asked = await unchanged(() => pay(ada, '2000'))
    expectProblem(asked, 403, 'step_up_required')
    expect(JSON.parse(asked.text)).to.deep.include({ reasons: ['risk'] })
    expect(asked.text).not.to.contain('secret')
    expect((await assessmentsOf(ada)).map(({ verdict }) => verdict)).to.deep.equal(['step_up'])
  })

  it('goes through with it', async () => {
    const ada = await enrolled(10_000n)
    const tier = newSubject('t')
    await knownAs(ada, { tier })
    await rule({ tier, verdict: 'step_up' })
    const ben = await person()
    const body = (totp?: string) => payment(ben, '2000', agreed(totp))
    const without = await call(ada, 'POST', '/v1/payments', { body: body() })
    expectProblem(without, 403, 'step_up_required')
    await forgetUse(ada)
    const code = codeAt(ada.secret, new Date())
    const paid = await call(ada, 'POST', '/v1/payments', { body: body(code) })
    expect(paid.status, paid.text).to.equal(201)
  })
})

describe('a rule at work', () => {
  it('counts what the payer asked for lately, and how much it was', async () => {
    const ada = await tiered(100_000n)
    const parameters = { window_s: 3_600, payments_max: 2 }
    await rule({ tier: ada.tier, kind: 'velocity', parameters, currency: null })
    for (const status of [201, 201, 403]) expect((await pay(ada, '100')).status).to.equal(status)
    const eve = await tiered(100_000n)
    const sum = { window_s: 3_600, amount_max: '5000' }
    await rule({ tier: eve.tier, kind: 'velocity', parameters: sum })
    expect((await pay(eve, '4000')).status).to.equal(201)
    expectProblem(await pay(eve, '1001'), 403, 'payment_refused')
    expect((await pay(eve, '1000')).status).to.equal(201)
  })

  it('forgets what is longer ago than its window', async () => {
    const ada = await tiered(100_000n)
    const parameters = { window_s: 60, payments_max: 1 }
    await rule({ tier: ada.tier, kind: 'velocity', parameters, currency: null })
    expect((await pay(ada, '100')).status).to.equal(201)
    const { api } = await world()
    const at = (s: number) => new Date(Date.now() + s * 1000)
    const judged = async (s: number) =>
      (await assess(api, await factsOf(ada, { at: at(s) }), newKey())).verdict
    expect(await judged(50)).to.equal('refuse')
    expect(await judged(61)).to.equal('allow')
  })

  it('knows a payee once a payment to them was completed', async () => {
    const [ada, ben] = await Promise.all([tiered(10_000n), person()])
    const { tier } = ada
    const body = () => payment(ben, '1000')
    const first = await rule({ tier, kind: 'new_payee', parameters: {}, currency: null })
    expectProblem(await call(ada, 'POST', '/v1/payments', { body: body() }), 403, 'payment_refused')
    await endRule(`/v1/risk_rules/${first.id}`)
    expect((await call(ada, 'POST', '/v1/payments', { body: body() })).status).to.equal(201)
    await rule({ tier, kind: 'new_payee', parameters: {}, currency: null })
    expect((await call(ada, 'POST', '/v1/payments', { body: body() })).status).to.equal(201)
    expectProblem(await pay(ada, '1000'), 403, 'payment_refused')
  })

  it('asks for the country of both, which operators tell', async () => {
    const [ada, ben, shop] = await Promise.all([tiered(10_000n), person(), merchant()])
    const { tier } = ada
    const parameters = { of: ['payer', 'payee'], countries: ['KP'] }
    const rails = ['wallet', 'order']
    await rule({
      tier,
      kind: 'country',
      parameters,
      currency: null,
      rails,
      when_unavailable: 'hold',
    })
    const paid = async () =>
      (await call(ada, 'POST', '/v1/payments', { body: payment(ben, '10') })).status
    expect(await paid()).to.equal(202)
    await knownAs(ada, { country: 'DE' })
    await knownAs(ben, { country: 'FR' })
    expect(await paid()).to.equal(201)
    await knownAs(ben, { country: 'KP' })
    expect(await paid()).to.equal(403)
    await call(OPERATOR, 'PUT', `/v1/merchants/${shop.id}`, { body: { country: 'KP' } })
    const bought = { order: await order(shop, '100'), amount: '100', currency: 'EUR' }
    expectProblem(await call(ada, 'POST', '/v1/payments', { body: bought }), 403, 'payment_refused')
  })

  it('asks the list for the names of both, and says what it must when there is none', async () => {
    const [ada, ben] = await Promise.all([tiered(10_000n), person()])
    const { api } = await world()
    const index = openListIndex()
    index.add(ben.sub, 'entry-1')
    const asked: string[] = []
    const lists: ListCheck = {
      async check(names) {
        asked.push(...names)
        return names.flatMap((name) => index.entriesOf(name)).map((entry) => ({ entry }))
      },
      isFailing: () => false,
    }
    const { tier } = ada
    const about = { tier, kind: 'list', currency: null, when_unavailable: 'hold' }
    await rule({ ...about, parameters: { of: ['payer', 'payee'] } })
    const facts = await factsOf(ada, { payee: { kind: 'person', id: ben.id } })
    const listed = { ...api, screen: { ...api.screen, lists } }
    const { verdict } = await assess(listed, facts, newKey())
    expect([verdict, asked]).to.deep.equal(['refuse', [ada.sub, ben.sub]])
    expect((await assess(listed, await factsOf(ada), newKey())).verdict).to.equal('allow')
    expect((await assess(api, facts, newKey())).verdict).to.equal('hold')
    const [hit, unavailable] = await assessmentsOf(ada)
    expect(hit.facts.listed).to.deep.equal({ payer: [], payee: ['entry-1'] })
    expect(unavailable.facts.listed).to.equal(null)
  })

  it('binds from when it begins to when it ends', async () => {
    const ada = await tiered(10_000n)
    const { api } = await world()
    const from = new Date(Date.now() + 60_000)
    const made = await rule({ tier: ada.tier, valid_from: from.toISOString() })
    const judged = async (at: number) =>
      (await assess(api, await factsOf(ada, { at: new Date(at) }), newKey())).verdict
    expect(await judged(from.getTime() - 1)).to.equal('allow')
    expect(await judged(from.getTime())).to.equal('refuse')
    const ended = await endRule(`/v1/risk_rules/${made.id}`)
    expect(ended.body).to.include({ valid_to: made.valid_from, ended_by: OPERATOR.sub })
    expect(await judged(from.getTime())).to.equal('allow')
    const again = await endRule(`/v1/risk_rules/${made.id}`)
    expectProblem(again, 404, 'not_found')
  })

  it('costs payments that it is not about nothing: not one statement', async () => {
    const ada = await tiered(10_000n)
    const { api } = await world()
    const facts = await factsOf(ada)
    const others = { tier: newSubject('t'), currency: null }
    await rule({ ...others, kind: 'velocity', parameters: { window_s: 60, payments_max: 1 } })
    await api.screen.rules.at(new Date())
    expect(await statementsOf(() => assess(api, facts, newKey()))).to.equal(0)
    await rule({ tier: ada.tier, kind: 'hour', parameters: { from: 0, to: 23, time_zone: 'UTC' } })
    await rule({ tier: ada.tier, parameters: { above: '1000' } })
    await api.screen.rules.at(new Date())
    const noon = { ...facts, at: new Date('2026-01-01T23:30:00Z') }
    expect(await statementsOf(() => assess(api, noon, newKey()))).to.equal(0)
    expect(await statementsOf(() => pay(ada, '100'))).to.be.greaterThan(0)
  })

  it('looks up for many payments at once what one would', async () => {
    const ada = await tiered(10_000n)
    const { api } = await world()
    const parameters = { window_s: 60, payments_max: 9 }
    await rule({ tier: ada.tier, kind: 'velocity', parameters, currency: null })
    await api.screen.rules.at(new Date())
    const facts = await factsOf(ada)
    const all = () => Promise.all(Array.from({ length: 50 }, () => assess(api, facts, newKey())))
    expect(await statementsOf(all)).to.be.within(1, 2)
  })
})
