/** When a payment needs a second factor: rules by their dates, and what is asked for. */
import { expect } from 'chai'
import { uuidOf } from '../services/ids.ts'
import { stepUpReasons } from '../services/step_up/reasons.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call, newKey } from './support/api.ts'
import { merchant, OPERATOR, order, payment, person, PIN, walletBalance } from './support/people.ts'
import { enrolment, paymentOf, payBy, phone } from './support/phones.ts'
import { endRule } from './support/proposals.ts'
import { LARGE, pay, payAt, rule, tierOf, withCode, withPin } from './support/step-up.ts'
import { agreed, codeAt, enrolled, forgetUse } from './support/totp.ts'
import { world } from './support/world.ts'

describe('step-up', () => {
  it('by amount: from so much on a code is needed beside the PIN, and says so', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    await rule({ ...LARGE, tier: await tierOf(ada) })
    expect((await pay(ada, ben, '4999', withPin)).status).to.equal(201)
    const key = newKey()
    const refused = await unchanged(() => pay(ada, ben, '5000', withPin, key))
    expectProblem(refused, 403, 'step_up_required')
    const told = { missing: ['totp'], reasons: ['amount'], enrol: false }
    expect(refused.body).to.deep.include(told)
    // The refusal is not stored: the same key pays, and again it answers what it has answered.
    const body = payment(ben, '5000', { approval: withCode(ada) })
    const paid = await call(ada, 'POST', '/v1/payments', { body, key })
    expect(paid.status, paid.text).to.equal(201)
    const again = await call(ada, 'POST', '/v1/payments', { body, key })
    expect([again.text, again.headers.get('idempotent-replayed')]).to.deep.equal([
      ...[paid.text, 'true'],
    ])
    const { owner } = await world()
    const rows = await owner('payments').where({ payer_id: ada.id }).orderBy('id')
    expect(rows.map(({ step_up: factor }) => factor)).to.deep.equal([null, 'totp'])
    expect(await walletBalance(ada)).to.equal(100_000n - 9_999n)
  })

  it('asks for the first factor too, where a token alone would do', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    await rule({ kind: 'amount', tier: await tierOf(ada) })
    const body = payment(ben, '1', { approval: undefined })
    const refused = await unchanged(() => call(ada, 'POST', '/v1/payments', { body }))
    expectProblem(refused, 403, 'step_up_required')
    expect(refused.body.missing).to.deep.equal(['approval', 'totp'])
    expect((await pay(ada, ben, '1', withCode(ada))).status).to.equal(201)
  })

  it('takes a recovery code, once, and tells whoever has no authenticator to enrol', async () => {
    const [ada, ben, eve] = [await enrolled(100_000n), await person(), await person(100_000n)]
    await rule({ ...LARGE, tier: await tierOf(ada, eve) })
    const approval = { pin: PIN, totp: ada.recoveryCodes[0] }
    expect((await pay(ada, ben, '5000', approval)).status).to.equal(201)
    const again = await unchanged(() => pay(ada, ben, '5000', approval))
    expectProblem(again, 401, 'approval_refused')
    const { owner } = await world()
    const row = await owner('payments').where({ payer_id: ada.id }).first('step_up')
    expect(row.step_up).to.equal('recovery_code')

    const bare = await unchanged(() => pay(eve, ben, '5000', withPin))
    expectProblem(bare, 403, 'step_up_required')
    expect(bare.body).to.deep.include({ missing: ['totp'], enrol: true })
    const code = await unchanged(() => pay(eve, ben, '5000', { pin: PIN, totp: '123456' }))
    expectProblem(code, 403, 'totp_not_set')
  })

  it('for a new payee: until a while after the first payment', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    const tier = await tierOf(ada)
    await rule({ kind: 'new_payee', window_s: 3_600, rails: ['wallet'], tier })
    const first = await unchanged(() => pay(ada, ben, '2000', withPin))
    expect(first.body).to.deep.include({ code: 'step_up_required', reasons: ['new_payee'] })
    expect((await pay(ada, ben, '2000', withCode(ada))).status).to.equal(201)
    const second = await unchanged(() => pay(ada, ben, '2000', withPin))
    expectProblem(second, 403, 'step_up_required')
    const { owner } = await world()
    const ago = new Date(Date.now() - 3_601_000)
    await owner('payments').where({ payer_id: ada.id }).update({ created_at: ago })
    await withAnotherApi({}, async ({ apiUrl }) => {
      const paid = await payAt(apiUrl, ada, payment(ben, '2000', { approval: withPin }))
      expect(paid.status).to.equal(201)
    })
    // Orders are another rail, and that is not what the rule is about.
    const shop = await merchant()
    const body = { order: await order(shop, '2000'), amount: '2000', currency: 'EUR' }
    const bought = await call(ada, 'POST', '/v1/payments', { body: { ...body, ...agreed() } })
    expect(bought.status, bought.text).to.equal(201)
  })

  it('after a factor was changed: for a while', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    await rule({ kind: 'security_changed', window_s: 86_400, tier: await tierOf(ada) })
    const refused = await unchanged(() => pay(ada, ben, '2000', withPin))
    expect(refused.body).to.deep.include({ reasons: ['security_changed'], missing: ['totp'] })
    const { owner } = await world()
    const changedAgo = (seconds: number) =>
      owner('people')
        .where({ id: ada.id })
        .update({ security_changed_at: new Date(Date.now() - seconds * 1000) })
    await changedAgo(86_390)
    expect((await pay(ada, ben, '2000', withPin)).status).to.equal(403)
    await changedAgo(86_401)
    expect((await pay(ada, ben, '2000', withPin)).status).to.equal(201)
  })

  it('by a new device: for a while after it was bound', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    const mine = await phone(ada, { totp: codeAt(ada.secret, new Date()) })
    await forgetUse(ada)
    await rule({ kind: 'new_device', window_s: 3_600, tier: await tierOf(ada) })
    const key = newKey()
    const device = await mine.agree(paymentOf(ben, '2000'), key)
    const refused = await unchanged(() => pay(ada, ben, '2000', device, key))
    expect(refused.body).to.deep.include({ code: 'step_up_required', reasons: ['new_device'] })
    // What the phone signed was not used up by the refusal.
    const both = { ...device, totp: codeAt(ada.secret, new Date()) }
    expect((await pay(ada, ben, '2000', both, key)).status).to.equal(201)
    expect((await pay(ada, ben, '2000', withPin)).status, 'no device').to.equal(201)
    const { owner } = await world()
    // One that was bound long ago, and never used before.
    await forgetUse(ada)
    const old = await phone(ada, { totp: codeAt(ada.secret, new Date()) })
    const ago = new Date(Date.now() - 3_601_000)
    await owner('devices')
      .where({ id: uuidOf(old.id) })
      .update({ created_at: ago })
    expect((await payBy(ada, old, ben, '2000')).status).to.equal(201)
  })

  it('always, where somebody who has an authenticator changes what they agree by', async () => {
    const ada = await enrolled()
    const deviceKey = newKey()
    const { body: device } = await enrolment(ada, deviceKey)
    for (const [method, path, body, key] of [
      ['POST', '/v1/devices', device, deviceKey],
      ['PUT', '/v1/me', { no_pin_limit: '10', approval: withPin }, newKey()],
    ] as const) {
      const refused = await unchanged(() => call(ada, method, path, { body, key }))
      expectProblem(refused, 403, 'step_up_required')
      expect(refused.body.reasons).to.deep.equal(['security'])
    }
  })

  it('names every reason once', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    const tier = await tierOf(ada)
    await rule({ ...LARGE, tier })
    await rule({ ...LARGE, amount_from: '1', tier })
    await rule({ kind: 'new_payee', window_s: 60, tier })
    const refused = await pay(ada, ben, '5000', withPin)
    expect(refused.body.reasons).to.deep.equal(['amount', 'new_payee'])
  })
})

describe('a step-up rule', () => {
  it('of tomorrow does not bind today, and one that has ended does not any more', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    const tier = await tierOf(ada)
    const tomorrow = new Date(Date.now() + 86_400_000)
    const future = await rule({ ...LARGE, tier, valid_from: tomorrow.toISOString() })
    expect((await pay(ada, ben, '5000', withPin)).status).to.equal(201)
    await withAnotherApi({}, async ({ context }) => {
      const standing = await context.standings(ada.id)
      if (standing === undefined) throw new Error('ada is not there')
      const money = { amount: 5_000n, currency: 'EUR' as const }
      const facts = { rail: 'wallet', payer: { id: ada.id, standing }, money } as const
      const asked = { ...facts, payee: { kind: 'person', id: ben.id } } as const
      const at = (ms: number) => new Date(tomorrow.getTime() + ms)
      expect(await stepUpReasons(context, { ...asked, at: at(-1) }, undefined)).to.deep.equal([])
      expect(await stepUpReasons(context, { ...asked, at: at(0) }, undefined)).to.deep.equal([
        'amount',
      ])
    })
    const never = await endRule(`/v1/step_up_rules/${future}`)
    expect(never.body.valid_to, 'it never begins').to.equal(never.body.valid_from)

    const today = await rule({ ...LARGE, tier })
    expect((await pay(ada, ben, '5000', withPin)).status).to.equal(403)
    const path = `/v1/step_up_rules/${today}`
    expect((await endRule(path)).status).to.equal(200)
    expect((await pay(ada, ben, '5000', withPin)).status).to.equal(201)
    expectProblem(await endRule(path), 404, 'not_found')
  })

  it('binds in every process, in this one at once and elsewhere within its age', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    const tier = await tierOf(ada)
    await withAnotherApi({ RULES_AGE_MS: 300 }, async ({ apiUrl, context }) => {
      await context.stepUpRules.at(context.now())
      await rule({ ...LARGE, tier })
      await new Promise((resolve) => setTimeout(resolve, 300))
      const body = payment(ben, '5000', { approval: withPin })
      expect((await payAt(apiUrl, ada, body)).status).to.equal(403)
    })
  })

  it('is refused when it means nothing, and listed when it is history', async () => {
    for (const terms of [
      { kind: 'amount', amount_from: '5000' },
      { kind: 'amount', window_s: 60 },
      { kind: 'new_payee' },
      { kind: 'whatever' },
      { kind: 'new_device', window_s: 0 },
      { ...LARGE, rails: [] },
    ]) {
      const refused = await call(OPERATOR, 'POST', '/v1/step_up_rules', { body: terms })
      expectProblem(refused, 400, 'invalid_request')
    }
    const unknown = { ...LARGE, currency: 'XXQ' }
    const refused = await call(OPERATOR, 'POST', '/v1/step_up_rules', { body: unknown })
    expectProblem(refused, 422, 'currency_unknown')
    const ada = await person()
    expect((await call(ada, 'POST', '/v1/step_up_rules', { body: LARGE })).status).to.equal(403)
    const id = await rule({ ...LARGE, tier: 'nobody' })
    await endRule(`/v1/step_up_rules/${id}`)
    const { body } = await call(OPERATOR, 'GET', '/v1/step_up_rules?limit=1')
    expect(body.data).to.have.length(1)
    expect(body.data[0]).to.include({ id, amount_from: '5000', created_by: OPERATOR.sub })
    expect(body.data[0].valid_to).to.be.a('string')
  })
})
