/** Operators write rules, end them, see them, and say who somebody is; nobody else does. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { publicId } from '../services/ids.ts'
import { expectProblem } from './support/abuse.ts'
import { call, newSubject, type Who } from './support/api.ts'
import { merchant, OPERATOR } from './support/people.ts'
import { endRule, together } from './support/proposals.ts'
import { knownAs, newRule, rule, tiered } from './support/risk.ts'
import { world } from './support/world.ts'

describe('operators', () => {
  it('see the rules in force or ahead, and all of them when they ask', async () => {
    const made = await rule({ tier: newSubject('t') })
    const listed = async (query: string) =>
      (await call(OPERATOR, 'GET', `/v1/risk_rules?limit=5${query}`)).body.data
    expect((await listed(''))[0]).to.deep.equal(made)
    await endRule(`/v1/risk_rules/${made.id}`)
    expect((await listed('')).map(({ id }: { id: string }) => id)).not.to.include(made.id)
    expect((await listed('&state=all'))[0]).to.include({ id: made.id, ended_by: OPERATOR.sub })
    const nothing = publicId('rsk', newId())
    expectProblem(await endRule(`/v1/risk_rules/${nothing}`), 404, 'not_found')
  })

  it('cannot write a rule that could never be meant', async () => {
    const velocity = { kind: 'velocity', parameters: { window_s: 60, payments_max: 1 } }
    const bad = [
      { parameters: {} },
      { parameters: { above: '0', more: 1 } },
      { rails: [] },
      { rails: ['wallet', 'wallet'] },
      { currency: null },
      { verdict: 'allow' },
      { verdict: 'hold', rails: ['wallet', 'withdrawal'] },
      { when_unavailable: 'hold', rails: ['exchange'] },
      { ...velocity, rails: ['exchange'] },
      { ...velocity, parameters: { window_s: 60, amount_max: '5' }, currency: null },
      { kind: 'new_payee', parameters: {}, rails: ['top_up'] },
      { valid_from: '2020-01-01T00:00:00Z' },
      { tier: 'Not A Tier' },
    ]
    const { owner } = await world()
    const count = async () => (await owner('risk_rules').count({ count: '*' }))[0]?.['count']
    const before = await count()
    for (const more of bad) {
      const answer = await call(OPERATOR, 'POST', '/v1/risk_rules', { body: newRule(more) })
      expect(answer.status, `${JSON.stringify(more)}: ${answer.text}`).to.equal(400)
      expectProblem(answer, 400, 'invalid_request')
    }
    expect(await count()).to.equal(before)
  })

  it('alone may write, end and see rules, and say who somebody is', async () => {
    const [ada, shop] = await Promise.all([tiered(0n), merchant()])
    const made = await rule({ tier: ada.tier })
    for (const who of [ada, shop]) {
      const answers = await Promise.all([
        call(who, 'POST', '/v1/risk_rules', { body: newRule({}) }),
        call(who, 'GET', '/v1/risk_rules'),
        call(who, 'POST', `/v1/risk_rules/${made.id}/end`),
        call(who, 'PUT', `/v1/people/${publicId('per', ada.id)}`, { body: { tier: 'vip' } }),
      ])
      for (const answer of answers) expectProblem(answer, 403, 'forbidden')
    }
    const where = (who: Who) =>
      call(who, 'PUT', `/v1/merchants/${shop.id}`, { body: { country: 'DE' } })
    expectProblem(await where(ada), 403, 'forbidden')
    // A merchant says so itself, but only as long as nobody has looked at it.
    expectProblem(await where(shop), 409, 'merchant_not_draft')
    const nobody = `/v1/people/${publicId('per', newId())}`
    const body = { tier: 'vip', reason: 'A test' }
    expectProblem(await together(nobody, { method: 'PUT', body }), 404, 'not_found')
    const empty = await knownAs(ada, {})
    expectProblem(empty, 400, 'invalid_request')
  })
})
