/** Ended sessions: a token that is still alive writes nothing any more, in any process. */
import { expect } from 'chai'
import { setTimeout as pause } from 'node:timers/promises'
import { newId } from '../ledger/index.ts'
import { publicId } from '../services/ids.ts'
import { endSessions, isRevoked } from '../services/credentials/revocations.ts'
import { expectProblem, quiet, send, unchanged, until, waitersFor } from './support/abuse.ts'
import { inSeconds, type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { type Answer, call, newKey, newSubject, tokenOf, type Who } from './support/api.ts'
import { refusalOf } from './support/books.ts'
import { newRate } from './support/exchange.ts'
import { merchant, OPERATOR, payment, person, type Person, PIN } from './support/people.ts'
import { enrolment, phone } from './support/phones.ts'
import { codeAt } from './support/totp.ts'
import { world } from './support/world.ts'

const CHAT: Who = { sub: 'chat', scope: 'chat' }

describe('a person’s sessions', () => {
  let second: SecondApi
  let ada: Person
  let ben: Person
  before(quiet)
  withSecondApi((api) => (second = api))
  beforeEach(async () => {
    ;[ada, ben] = await Promise.all([person(1_000n), person()])
  })

  const token = (who: Person, claims: object = {}) =>
    second.mint({ claims: { sub: who.sub, ...claims } })
  const use = (jwt: string, path: string, body?: object) =>
    send(undefined, body === undefined ? 'GET' : 'POST', path, {
      ...{ apiUrl: second.apiUrl, headers: { authorization: `Bearer ${jwt}` } },
      ...(body !== undefined && { bytes: JSON.stringify(body) }),
    })
  const pay = (jwt: string) => use(jwt, '/v1/payments', payment(ben, '10'))

  it('end for writes at once, in every process, all of them (abuse 57)', async () => {
    const [one, other] = [await token(ada), await token(ada)]
    expect((await pay(one)).status).to.equal(201)
    const ended = await use(other, '/v1/sessions/revoke', { keep_this: false })
    expect(ended.status, ended.text).to.equal(204)
    await unchanged(async () => {
      for (const jwt of [one, other]) expectProblem(await pay(jwt), 401, 'invalid_token')
      const body = payment(ben, '10')
      const elsewhere = await call(ada, 'POST', '/v1/payments', { body })
      expectProblem(elsewhere, 401, 'invalid_token')
    })
    // Reading may go on until the token ends, at most five minutes.
    expect((await use(one, '/v1/accounts')).status).to.equal(200)
  })

  it('end but the one that says so', async () => {
    const [one, mine] = [await token(ada), await token(ada)]
    expect((await use(mine, '/v1/sessions/revoke', { keep_this: true })).status).to.equal(204)
    expectProblem(await pay(one), 401, 'invalid_token')
    expect((await pay(mine)).status).to.equal(201)
    expect((await use(mine, '/v1/sessions/revoke', { keep_this: false })).status).to.equal(204)
    expectProblem(await pay(mine), 401, 'invalid_token')
  })

  it('begin again with a token of the next second', async () => {
    const mine = await token(ada)
    await use(mine, '/v1/sessions/revoke', { keep_this: false })
    await pause(1_000 - (Date.now() % 1000) + 20)
    expectProblem(await pay(await token(ada, { iat: inSeconds(-1) })), 401, 'invalid_token')
    expect((await pay(await token(ada))).status).to.equal(201)
  })

  it('are ended by the chat app and by operators, and by nobody else', async () => {
    for (const by of [CHAT, OPERATOR]) {
      const them = await person(100n)
      const jwt = await token(them)
      const path = `/v1/people/${publicId('per', them.id)}/sessions/revoke`
      expectProblem(await call(ada, 'POST', path), 403, 'forbidden')
      expect((await call(by, 'POST', path)).status).to.equal(204)
      expectProblem(await pay(jwt), 401, 'invalid_token')
    }
    const nobody = `/v1/people/${publicId('per', newId())}/sessions/revoke`
    expectProblem(await call(CHAT, 'POST', nobody), 404, 'not_found')
  })

  it('end by the latest word, whichever is written last', async () => {
    const { owner, api } = await world()
    const [early, late] = [new Date(Date.now() - 60_000), new Date(Date.now() - 30_000)]
    const issuedAt = inSeconds(0)
    await endSessions(owner, ada.id, late, { jti: 'late', issuedAt })
    await endSessions(owner, ada.id, early, { jti: 'early', issuedAt })
    const standing = await api.standings(ada.id)
    expect(standing).to.deep.include({ tokensValidFrom: late, keptToken: 'late' })
    await endSessions(owner, ada.id, early, null)
    const ended = await api.standings(ada.id)
    expect(ended).to.deep.include({ tokensValidFrom: late, keptToken: null })
  })

  it('of one person are no matter of another’s', async () => {
    await use(await token(ada), '/v1/sessions/revoke', { keep_this: false })
    const jwt = await token(ben)
    const body = { pin: '274952', current_pin: PIN }
    const options = { apiUrl: second.apiUrl, headers: { authorization: `Bearer ${jwt}` } }
    const bytes = JSON.stringify(body)
    const changed = await send(undefined, 'PUT', '/v1/pin', { ...options, bytes })
    expect(changed.status, changed.text).to.equal(204)
  })
})

describe('a token that is revoked while it is at work', () => {
  /** What makes a token the one that stays, once all is there that it takes. */
  const ACTS: Readonly<Record<string, (who: Person) => Promise<() => Promise<Answer>>>> = {
    'end all others': async (who) => () =>
      call(who, 'POST', '/v1/sessions/revoke', { body: { keep_this: true } }),
    'change the PIN': async (who) => () =>
      call(who, 'PUT', '/v1/pin', { body: { pin: '274952', current_pin: PIN } }),
    'bind a device': async (who) => {
      const { key, body } = await enrolment(who, newKey())
      return () => call(who, 'POST', '/v1/devices', { key, body })
    },
    'take a device away': async (who) => {
      const { id } = await phone(who)
      return () => call(who, 'DELETE', `/v1/devices/${id}`)
    },
    'confirm an authenticator': async (who) => {
      const { body } = await call(who, 'POST', '/v1/totp', { body: { approval: { pin: PIN } } })
      const code = codeAt(body.secret, new Date())
      return () => call(who, 'POST', '/v1/totp/confirm', { body: { code } })
    },
  }
  for (const [what, prepare] of Object.entries(ACTS)) {
    it(`stays revoked, and does not ${what}`, async () => {
      const { owner } = await world()
      const ada = await person()
      const act = await prepare(ada)
      const before = await owner('people').where({ id: ada.id }).first()
      const at = new Date(Date.now() + 1_000)
      const { answer } = await owner.transaction(async (trx) => {
        await endSessions(trx, ada.id, at, null)
        const answer = act()
        await until(async () => (await waitersFor(trx)) > 0)
        return { answer }
      })
      expectProblem(await answer, 401, 'invalid_token')
      const after = await owner('people').where({ id: ada.id }).first()
      expect(after).to.deep.equal({ ...before, tokens_valid_from: at, kept_token: null })
      expectProblem(await act(), 401, 'invalid_token')
    })
  }
})

describe('the tokens of staff and operators', () => {
  const revoke = (subject: string, issuer?: string) =>
    call(OPERATOR, 'POST', '/v1/revocations', { body: { subject, ...(issuer && { issuer }) } })
  const write = (who: Who) =>
    who.scope === 'merchant'
      ? call(who, 'POST', '/v1/settlements', { body: {} })
      : call(who, 'POST', '/v1/fx_rates', { body: newRate('EUR', 'RWF', '1500') })

  it('are revoked by an operator: at once for writes (abuse 57)', async () => {
    const [shop, oscar] = [await merchant(), { sub: newSubject('o'), scope: 'operator' }]
    expect((await write(shop)).status).to.equal(400)
    expect((await write(oscar)).status).to.equal(201)
    for (const who of [shop, oscar]) {
      expect((await revoke(who.sub)).status).to.equal(204)
      expectProblem(await write(who), 401, 'invalid_token')
    }
  })

  it('of another issuer are others', async () => {
    const oscar = { sub: newSubject('o'), scope: 'operator' }
    expect((await revoke(oscar.sub, 'https://other.example')).status).to.equal(204)
    expect((await write(oscar)).status).to.equal(201)
  })

  it('end with those of the person of that subject', async () => {
    const ada = await person()
    expect((await revoke(ada.sub)).status).to.equal(204)
    const again = await call(ada, 'PUT', '/v1/pin', { body: { pin: '274952' } })
    expectProblem(again, 401, 'invalid_token')
  })

  it('end with those of the person who comes only later', async () => {
    const late = { sub: newSubject('p'), scope: 'person' }
    await tokenOf(late)
    const revoked = await call(OPERATOR, 'POST', '/v1/revocations', { body: { subject: late.sub } })
    expect(revoked.status).to.equal(204)
    const answer = await call(late, 'PUT', '/v1/pin', { body: { pin: '274952' } })
    expectProblem(answer, 401, 'invalid_token')
  })

  it('end with the staff member, for reading too', async () => {
    const shop = await merchant()
    const till = { sub: newSubject('m'), scope: 'merchant' }
    const body = { subject: till.sub }
    const added = await call(shop, 'POST', '/v1/staff', { body })
    expect((await call(till, 'GET', '/v1/payments')).status).to.equal(200)
    expect((await call(shop, 'DELETE', `/v1/staff/${added.body.id}`)).status).to.equal(204)
    expectProblem(await call(till, 'GET', '/v1/payments'), 403, 'forbidden')
    const gone = await call(shop, 'DELETE', `/v1/staff/${added.body.id}`)
    expectProblem(gone, 404, 'not_found')
  })
})

describe('a token of the second of the revocation', () => {
  const before = new Date('2026-03-01T12:00:00.500Z')
  const second = before.getTime() / 1000 - 0.5
  const CASES = [
    [second - 1, 'a', null, true],
    [second, 'a', null, true],
    [second + 0.9, 'a', null, true],
    [second, 'a', 'a', false],
    [second + 1, 'a', null, false],
  ] as const
  for (const [issuedAt, jti, kept, expected] of CASES) {
    const [when, is] = [`${issuedAt - second} s after it began`, expected ? 'is' : 'is not']
    const may = expected ? 'may not' : 'may'
    it(`issued ${when}${kept === null ? '' : ' and kept'} ${is} revoked`, () => {
      expect(isRevoked({ issuedAt, jti }, before, kept)).to.equal(expected)
    })

    it(`issued ${when}${kept === null ? '' : ' and kept'} ${may} stay`, async () => {
      const { owner } = await world()
      const { id } = await person()
      const was = { tokens_valid_from: before, kept_token: kept }
      await owner('people').where({ id }).update(was)
      const later = new Date(before.getTime() + 60_000)
      const told = await refusalOf(endSessions(owner, id, later, { issuedAt, jti }))
      expect(told).to.equal(expected ? 'invalid_token' : 'done')
      const row = await owner('people').where({ id }).first('tokens_valid_from', 'kept_token')
      const is = { tokens_valid_from: later, kept_token: jti }
      expect(row).to.deep.equal(expected ? was : is)
    })
  }
  it('is nothing special where nothing was revoked', () => {
    expect(isRevoked({ issuedAt: second, jti: 'a' }, null, null)).to.equal(false)
  })
})
