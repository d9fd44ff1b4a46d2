/** Devices: bound with the PIN or by one another, ten at most, and gone at once when revoked. */
import { expect } from 'chai'
import { provePossession } from '../docs/sdk/approval.js'
import { publicId } from '../services/ids.ts'
import { type DeviceJwk, keyOf } from '../services/approvals/device_keys.ts'
import { expectProblem, send, statusesOf, times } from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newKey } from './support/api.ts'
import { payment, type Person, person } from './support/people.ts'
import { encrypted, enrolment, type Facts, payBy, personId, phone } from './support/phones.ts'
import { world } from './support/world.ts'

const bind = (who: Person, body: object, key = newKey()) =>
  call(who, 'POST', '/v1/devices', { key, body })
const revoke = (who: Person, id: string) => call(who, 'DELETE', `/v1/devices/${id}`)
const listOf = async (who: Person) => (await call(who, 'GET', '/v1/devices')).body.data
const bindingOf = (thumbprint: string, name: string): Facts => ({
  ...{ action: 'device.bind', thumbprint, name },
})

describe('a device', () => {
  let second: SecondApi
  withSecondApi((api) => (second = api))

  it('agrees once to a change of a person’s factors: what it signed is used up', async () => {
    const ada = await person()
    const { agree } = await phone(ada)
    const key = newKey()
    const reset = await agree({ action: 'pin_reset' }, key)
    const enrol = await agree({ action: 'totp.enrol' }, key)
    const asks = [
      ...['274953', '830461'].map((pin) => ['/v1/pin/reset', { pin, approval: reset }] as const),
      ...[1, 2].map(() => ['/v1/totp', { approval: enrol }] as const),
    ]
    const codes = []
    for (const [path, body] of asks) {
      const { status, body: said } = await call(ada, 'POST', path, { key, body })
      codes.push(status < 300 ? status : said.code)
    }
    expect(codes).to.deep.equal([204, 'approval_used', 201, 'approval_used'])
  })

  it('is bound with the PIN, an encrypted PIN or another device, never with a token', async () => {
    const ada = await person()
    const first = await phone(ada)
    const [{ thumbprint }] = await listOf(ada)
    expect(thumbprint).to.match(/^[\w-]{43}$/)
    for (const factor of ['device', 'pin_jwe'] as const) {
      const key = newKey()
      const { body, thumbprint } = await enrolment(ada, key)
      const act = bindingOf(thumbprint, body.name)
      const approval = await (factor === 'device'
        ? first.agree(act, key)
        : encrypted(ada, act, key))
      const bound = await bind(ada, { ...body, approval }, key)
      expect(bound.status, bound.text).to.equal(201)
    }
    const key = newKey()
    const { body } = await enrolment(ada, key)
    const { approval: _approval, ...alone } = body
    expectProblem(await bind(ada, alone, key), 403, 'approval_required')
    const wrong = { ...body, approval: { pin: '999999' } }
    expectProblem(await bind(ada, wrong, key), 401, 'approval_refused')
    const used = await first.agree(bindingOf(thumbprint, body.name), key)
    expectProblem(await bind(ada, { ...body, approval: used }, key), 422, 'approval_mismatch')
    expect((await listOf(ada)).length).to.equal(3)
    const { owner } = await world()
    const rows = await owner('devices').where({ person_id: ada.id }).orderBy('id')
    expect(rows.map(({ bound_by: by }) => by)).to.deep.equal(['pin', 'device', 'pin_jwe'])
  })

  it('is not the first thing that somebody agrees with: that is the PIN', async () => {
    const ada = await person(0n, { withPin: false })
    const key = newKey()
    const { body } = await enrolment(ada, key)
    expectProblem(await bind(ada, body, key), 403, 'pin_not_set')
  })

  it('shows that it has the key, for exactly this', async () => {
    const ada = await person()
    const key = newKey()
    const [one, other] = [await enrolment(ada, key), await enrolment(ada, key)]
    const { privateKey } = one.pair
    const elsewhere = await enrolment(ada, newKey())
    const possessions = [
      other.body.possession,
      elsewhere.body.possession,
      await provePossession(privateKey, other.thumbprint, one.digest),
      await provePossession(privateKey, one.thumbprint, other.digest),
      await provePossession(other.pair.privateKey, one.thumbprint, one.digest),
      'a.b.c',
    ]
    for (const possession of possessions) {
      const answer = await bind(ada, { ...one.body, possession }, key)
      expectProblem(answer, 422, 'possession_not_proven')
    }
    const renamed = await bind(ada, { ...one.body, name: 'Another' }, key)
    expectProblem(renamed, 422, 'possession_not_proven')
    expect(await listOf(ada)).to.deep.equal([])
  })

  it('has a public key, on its curve, that not everybody can sign for', async () => {
    const ada = await person()
    const key = newKey()
    const { body } = await enrolment(ada, key)
    const x = Buffer.alloc(32).toString('base64url')
    const shapes = [
      ...[
        { ...body.key, d: x },
        { ...body.key, kid: 'a' },
        { ...body.key, crv: 'P-384' },
      ],
      ...[
        { kty: 'RSA', n: x, e: 'AQAB' },
        { kty: 'oct', k: x },
        { ...body.key, y: undefined },
      ],
    ]
    for (const jwk of shapes) {
      expectProblem(await bind(ada, { ...body, key: jwk }, key), 400, 'invalid_request')
    }
    const points = [
      { kty: 'EC', crv: 'P-256', x, y: x },
      { kty: 'OKP', crv: 'Ed25519', x },
      { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32, 1).fill(0, 1).toString('base64url') },
    ]
    for (const jwk of points) {
      expect(keyOf(jwk as DeviceJwk)).to.equal(undefined)
      const answer = await bind(ada, { ...body, key: jwk }, key)
      expectProblem(answer, 422, 'possession_not_proven')
    }
  })

  it('is bound once, to one person, and never again', async () => {
    const [ada, eve] = [await person(), await person()]
    const key = newKey()
    const { body, pair, thumbprint } = await enrolment(ada, key)
    const both = await Promise.all(times(4, () => bind(ada, body, key)))
    expect(statusesOf(both)).to.deep.equal([201, 201, 201, 201])
    expect(new Set(both.map(({ text }) => text)).size).to.equal(1)
    const again = await enrolment(ada, newKey(), { pair })
    expectProblem(await bind(ada, again.body, again.key), 409, 'device_exists')
    const hers = await enrolment(eve, newKey(), { pair })
    expectProblem(await bind(eve, hers.body, hers.key), 409, 'device_exists')
    expect((await revoke(ada, both[0]?.body.id)).status).to.equal(204)
    const later = await enrolment(ada, newKey(), { pair })
    expectProblem(await bind(ada, later.body, later.key), 409, 'device_exists')
    expect(later.thumbprint).to.equal(thumbprint)
  })

  it('is one of ten at most, however many are bound at once', async () => {
    const ada = await person()
    const first = await phone(ada)
    const bound = await Promise.all(
      times(14, async () => {
        const key = newKey()
        const { body, thumbprint } = await enrolment(ada, key)
        const approval = await first.agree(bindingOf(thumbprint, body.name), key)
        return bind(ada, { ...body, approval }, key)
      }),
    )
    expect(statusesOf(bound)).to.deep.equal([...times(9, () => 201), ...times(5, () => 409)])
    for (const answer of bound.filter(({ status }) => status === 409)) {
      expectProblem(answer, 409, 'too_many_devices')
    }
    expect((await listOf(ada)).length).to.equal(10)
  })

  it('counts for nothing once it is revoked, in every process, at once (abuse 57)', async () => {
    const [ada, ben] = [await person(100_000n), await person()]
    const [lost, kept] = [await phone(ada), await phone(ada)]
    expect((await payBy(ada, lost, ben, '5000')).status).to.equal(201)
    expect((await revoke(ada, lost.id)).status).to.equal(204)
    expectProblem(await payBy(ada, lost, ben, '5000'), 401, 'approval_refused')
    const key = newKey()
    const approval = await lost.agree(
      { action: 'payment', payee: personId(ben), amount: '5000', currency: 'EUR' },
      key,
    )
    const bytes = JSON.stringify(payment(ben, '5000', { approval }))
    const headers = { 'idempotency-key': key }
    const { apiUrl } = second
    const elsewhere = await send(ada, 'POST', '/v1/payments', { bytes, headers, apiUrl })
    expectProblem(elsewhere, 401, 'approval_refused')
    expect((await payBy(ada, kept, ben, '5000')).status).to.equal(201)
    expectProblem(await revoke(ada, lost.id), 404, 'not_found')
  })

  it('is not taken away when nothing else is left to agree with', async () => {
    const ada = await person()
    const [one, other] = [await phone(ada), await phone(ada)]
    const { owner } = await world()
    await owner('pins').where({ person_id: ada.id }).delete()
    const answers = await Promise.all([revoke(ada, one.id), revoke(ada, other.id)])
    expect(statusesOf(answers)).to.deep.equal([204, 409])
    expect((await listOf(ada)).length).to.equal(1)
    const [last] = await listOf(ada)
    expectProblem(await revoke(ada, last.id), 409, 'last_factor')
  })

  it('is not taken away when the PIN that is left is of no more use', async () => {
    const ada = await person()
    const { id } = await phone(ada)
    const { owner, api } = await world()
    const failures = api.config.PIN_FAILURES_MAX
    await owner('pins').where({ person_id: ada.id }).update({ failures })
    expectProblem(await revoke(ada, id), 409, 'last_factor')
    await owner('pins')
      .where({ person_id: ada.id })
      .update({ failures: failures - 1 })
    expect((await revoke(ada, id)).status).to.equal(204)
  })

  it('ends the other sessions of its person when it comes, and when it goes', async () => {
    const ada = await person()
    const { tokenUrl, apiUrl } = await world()
    const setLimit = async (token: string) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const body = JSON.stringify({ no_pin_limit: '0' })
      return (await fetch(`${apiUrl}/v1/me`, { method: 'PUT', headers, body })).status
    }
    const another = async () => {
      const body = JSON.stringify({ sub: ada.sub, scope: 'person' })
      const answer = await fetch(tokenUrl, { method: 'POST', body })
      const { access_token: token } = (await answer.json()) as { access_token: string }
      // A token of the very second in which sessions end is none of after it.
      await new Promise((resolve) => setTimeout(resolve, 1_050))
      return token
    }
    const stolen = await another()
    expect(await setLimit(stolen)).to.equal(200)
    const { id } = await phone(ada)
    expect(await setLimit(stolen)).to.equal(401)
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    const newer = await another()
    expect(await setLimit(newer)).to.equal(200)
    expect((await revoke(ada, id)).status).to.equal(204)
    expect(await setLimit(newer)).to.equal(401)
    expect((await call(ada, 'PUT', '/v1/me', { body: { no_pin_limit: '0' } })).status).to.equal(200)
  })

  it('is nobody else’s to see or to take away', async () => {
    const [ada, eve] = [await person(), await person()]
    const { id } = await phone(ada)
    const nothing = await revoke(eve, publicId('dev', eve.id))
    const answer = await revoke(eve, id)
    expectProblem(answer, 404, 'not_found')
    expect(answer.text).to.equal(nothing.text)
    expect(await listOf(eve)).to.deep.equal([])
    expect((await listOf(ada)).map((one: { id: string }) => one.id)).to.deep.equal([id])
  })

  it('changes how the person stands, and they are told, both when it comes and goes', async () => {
    const ada = await person()
    const before = (await call(ada, 'GET', '/v1/me')).body
    const { id } = await phone(ada)
    const bound = (await call(ada, 'GET', '/v1/me')).body
    expect([before.factors.devices, bound.factors.devices]).to.deep.equal([0, 1])
    expect(Date.parse(bound.security_changed_at)).to.be.greaterThan(Date.now() - 10_000)
    await revoke(ada, id)
    const { owner } = await world()
    const events = await owner('events').where({ object_id: before.id }).orderBy('id').pluck('type')
    expect(events.slice(-2)).to.deep.equal(['person.device_bound', 'person.device_revoked'])
  })
})
