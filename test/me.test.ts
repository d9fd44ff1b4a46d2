/** What a person is told about themselves, and how much they pay without being asked. */
import { expect } from 'chai'
import { expectProblem, times } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { payment, type Person, person, PIN } from './support/people.ts'
import { encrypted, personId, phone } from './support/phones.ts'
import { world } from './support/world.ts'

const me = async (who: Person) => (await call(who, 'GET', '/v1/me')).body
const limit = (who: Person, no_pin_limit: string, more: object = {}, key: string | null = null) =>
  call(who, 'PUT', '/v1/me', { key, body: { no_pin_limit, ...more } })

describe('a person', () => {
  it('sees who they are to us and what they can agree with', async () => {
    const ada = await person(0n, { withPin: false })
    const { sub } = ada
    const before = await me(ada)
    expect(before).to.deep.include({ id: personId(ada), alias: sub, tier: 'basic' })
    expect(before.factors).to.deep.equal({ pin: 'none', totp: false, devices: 0 })
    await call(ada, 'PUT', '/v1/pin', { body: { pin: PIN } })
    await phone(ada)
    expect((await me(ada)).factors).to.deep.equal({ pin: 'set', totp: false, devices: 1 })
    const { owner } = await world()
    const locked_until = new Date(Date.now() + 60_000)
    await owner('pins').where({ person_id: ada.id }).update({ locked_until })
    expect((await me(ada)).factors.pin).to.equal('locked')
  })

  it('lowers with a token what they pay without an approval, and it is so at once', async () => {
    const [ada, ben] = [await person(10_000n), await person()]
    expect((await me(ada)).no_pin_limit).to.equal('1000')
    const small = payment(ben, '900', { approval: undefined })
    expect((await call(ada, 'POST', '/v1/payments', { body: small })).status).to.equal(201)
    const lowered = await limit(ada, '899')
    expect([lowered.status, lowered.body.no_pin_limit]).to.deep.equal([200, '899'])
    const refused = await call(ada, 'POST', '/v1/payments', { body: small })
    expectProblem(refused, 403, 'approval_required')
  })

  it('raises it with an approval for exactly that, up to what we allow', async () => {
    const ada = await person()
    const mobile = await phone(ada)
    await limit(ada, '0')
    expectProblem(await limit(ada, '1'), 400, 'idempotency_key_missing')
    expectProblem(await limit(ada, '1', {}, newKey()), 403, 'approval_required')
    const key = newKey()
    const approval = await mobile.agree({ action: 'no_pin_limit', limit: '500' }, key)
    expectProblem(await limit(ada, '501', { approval }, key), 422, 'approval_mismatch')
    expectProblem(await limit(ada, '500', { approval }, newKey()), 422, 'approval_mismatch')
    const raised = await limit(ada, '500', { approval }, key)
    expect([raised.status, raised.body.no_pin_limit]).to.deep.equal([200, '500'])
    await limit(ada, '0')
    const again = await limit(ada, '500', { approval }, key)
    expect(again.headers.get('idempotent-replayed')).to.equal('true')
    expect((await me(ada)).no_pin_limit).to.equal('0')
    for (const pin of [PIN, undefined]) {
      const [own, act] = [newKey(), { action: 'no_pin_limit', limit: '1001' }]
      const tooHigh = pin === undefined ? await encrypted(ada, act, own) : { pin }
      const answer = await limit(ada, '1001', { approval: tooHigh }, own)
      expectProblem(answer, 422, 'no_pin_limit_too_high')
    }
  })

  it('never raises it with a token, however it is raced', async () => {
    const ada = await person()
    await limit(ada, '100')
    const race = times(20, (index) => limit(ada, index % 2 === 0 ? '50' : '90', {}, newKey()))
    await Promise.all(race)
    expect((await me(ada)).no_pin_limit).to.equal('50')
  })
})
