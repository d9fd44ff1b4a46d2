/** The second factor: enrolled, confirmed, shown once, replaced, removed. */
import { expect } from 'chai'
import { useSecondFactor } from '../services/totp/check.ts'
import { stepOf } from '../services/totp/secrets.ts'
import { confirm } from '../services/totp/totp.ts'
import { expectProblem } from './support/abuse.ts'
import { inSeconds } from './support/abuse-issuer.ts'
import { call } from './support/api.ts'
import { refusalOf } from './support/books.ts'
import { person, PIN } from './support/people.ts'
import { readQr } from './support/qr.ts'
import {
  agreed,
  codeAt,
  contextAt,
  enrolled,
  enrolledAs,
  eventsOf,
  forgetUse,
  secondsAfter,
} from './support/totp.ts'
import { world } from './support/world.ts'

describe('a code', () => {
  // RFC 6238, appendix B: the SHA-1 rows, of which an app shows the last six digits.
  const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
  const ROWS = [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ] as const
  for (const [second, code] of ROWS) {
    it(`is ${code} in second ${second}`, () => {
      const at = new Date(second * 1000)
      expect(codeAt(SECRET, at)).to.equal(code)
      const step = BigInt(Math.floor(second / 30))
      expect(stepOf(SECRET, code, { at, stepsBack: 0 })).to.equal(step)
    })
  }

  it('is that of this step or the one before; strictly, of this one', () => {
    const at = new Date(1_800_000_000_000)
    const steps = [-60, -30, 0, 30].map((offset) => codeAt(SECRET, secondsAfter(at, offset)))
    const accepted = (stepsBack: number, late_s = 0) =>
      steps.map((code) => stepOf(SECRET, code, { at: secondsAfter(at, late_s), stepsBack }))
    const now = 60_000_000n
    expect(accepted(1)).to.deep.equal([undefined, now - 1n, now, undefined])
    expect(accepted(1, 29)).to.deep.equal([undefined, now - 1n, now, undefined])
    expect(accepted(0)).to.deep.equal([undefined, undefined, now, undefined])
    expect(accepted(0, 29)).to.deep.equal([undefined, undefined, now, undefined])
  })
})

describe('an authenticator', () => {
  it('is enrolled by scanning or typing 160 bits, and confirmed by its first code', async () => {
    const ada = await person()
    const started = await call(ada, 'POST', '/v1/totp', { body: agreed() })
    expect(started.status, started.text).to.equal(201)
    const { otpauth_uri: uri, secret, qr } = started.body
    expect(secret).to.match(/^[A-Z2-7]{32}$/)
    const { protocol, host, pathname, searchParams } = new URL(uri)
    expect([protocol, host, decodeURIComponent(pathname)]).to.deep.equal([
      ...['otpauth:', 'totp', `/Florin:${ada.alias}`],
    ])
    expect(Object.fromEntries(searchParams)).to.include({ secret, issuer: 'Florin' })
    expect(readQr(qr)).to.equal(uri)
    const waiting = await call(ada, 'GET', '/v1/totp')
    expect(waiting.body).to.include({ confirmed_at: null, recovery_codes_left: 0 })

    const body = { code: codeAt(secret, new Date()) }
    const confirmed = await call(ada, 'POST', '/v1/totp/confirm', { body })
    expect(confirmed.status, confirmed.text).to.equal(200)
    const codes = confirmed.body.recovery_codes
    expect(new Set(codes).size).to.equal(10)
    for (const code of codes) expect(code).to.match(/^[0-9a-hjkmnp-tv-z]{4}(-\w{4}){3}$/)
    const state = await call(ada, 'GET', '/v1/totp')
    expect(state.body).to.include({ enrolment_expires_at: null, recovery_codes_left: 10 })
    expect(state.body.confirmed_at).to.be.a('string')
    expect(await eventsOf(ada)).to.include('person.totp_enrolled')
    const again = await call(ada, 'POST', '/v1/totp/confirm', { body })
    expectProblem(again, 409, 'totp_not_enrolling')
  })

  it('is kept where neither its secret nor a recovery code can be read (abuse 40)', async () => {
    const { owner } = await world()
    const { id, secret, recoveryCodes } = await enrolled()
    const rows = [
      ...(await owner('totp').where({ person_id: id })),
      ...(await owner('recovery_codes').where({ person_id: id })),
    ]
    expect(rows.length).to.equal(11)
    const bytes = Buffer.concat(rows.map(({ seed_sealed: seed, hash }) => seed ?? hash)).toString(
      'latin1',
    )
    for (const told of [
      secret,
      ...recoveryCodes,
      ...recoveryCodes.map((code) => code.slice(0, 9)),
    ]) {
      expect(bytes).not.to.include(told)
    }
    const { rows: claims } = await owner.raw('SELECT 1 FROM claims WHERE answer LIKE ?', [
      `%${secret}%`,
    ])
    expect(claims).to.deep.equal([])
  })

  it('needs a PIN to be enrolled, and a code of the one in use to be replaced', async () => {
    const bob = await person()
    const wrong = { approval: { pin: '274952' } }
    const guess = await call(bob, 'POST', '/v1/totp', { body: wrong })
    expectProblem(guess, 401, 'approval_refused')

    const ada = await enrolled()
    const alone = await call(ada, 'POST', '/v1/totp', { body: agreed() })
    expectProblem(alone, 403, 'step_up_required')
    const first = codeAt(ada.secret, new Date())
    const started = await call(ada, 'POST', '/v1/totp', { body: agreed(first) })
    expect(started.status, started.text).to.equal(201)
    await forgetUse(ada)
    const { api } = await world()
    // Until the new one is confirmed, the old one counts.
    expect(await useSecondFactor(api, ada.id, codeAt(ada.secret, new Date()))).to.equal('totp')
    const body = { code: codeAt(started.body.secret, new Date()) }
    expect((await call(ada, 'POST', '/v1/totp/confirm', { body })).status).to.equal(200)
    await forgetUse(ada)
    for (const old of [codeAt(ada.secret, new Date()), ada.recoveryCodes[0] ?? '']) {
      expect(await refusalOf(useSecondFactor(api, ada.id, old))).to.equal('approval_refused')
    }
  })

  it('is not replaced by an enrolment that began before it was confirmed', async () => {
    const { owner } = await world()
    const [ada, bob] = [await enrolled(), await person()]
    const started = await call(bob, 'POST', '/v1/totp', { body: agreed() })
    const code = codeAt(started.body.secret, new Date())
    // As if somebody had confirmed another one meanwhile.
    const [theirs] = await owner('totp').where({ person_id: ada.id })
    await owner('totp').insert({ ...theirs, person_id: bob.id })
    const late = await call(bob, 'POST', '/v1/totp/confirm', { body: { code } })
    expectProblem(late, 409, 'totp_not_enrolling')
  })

  it('that is not confirmed within ten minutes, or by the fifth code, never will be', async () => {
    const started = new Date()
    const [late, clumsy] = [await person(), await person()]
    const secrets = []
    for (const who of [late, clumsy]) {
      secrets.push((await call(who, 'POST', '/v1/totp', { body: agreed() })).body.secret)
    }
    const at = secondsAfter(started, 605)
    const afterwards = await contextAt(at)
    const holder = { person: late.id, session: { jti: '', issuedAt: inSeconds(0) } }
    const code = codeAt(secrets[0], at)
    expect(await refusalOf(confirm(afterwards, holder, code))).to.equal('totp_not_enrolling')

    const right = codeAt(secrets[1], new Date())
    const wrong = right === '000000' ? '000001' : '000000'
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const guess = await call(clumsy, 'POST', '/v1/totp/confirm', { body: { code: wrong } })
      expectProblem(guess, 401, 'approval_refused')
    }
    const sixth = await call(clumsy, 'POST', '/v1/totp/confirm', { body: { code: right } })
    expectProblem(sixth, 409, 'totp_not_enrolling')
  })

  it('is removed with a code or a recovery code, and nothing of it stays', async () => {
    const { owner } = await world()
    const ada = await enrolled()
    const alone = await call(ada, 'DELETE', '/v1/totp', { body: agreed() })
    expectProblem(alone, 403, 'step_up_required')
    expect(alone.body).to.deep.include({ missing: ['totp'], enrol: false })
    const body = agreed(ada.recoveryCodes[3]?.toUpperCase().replaceAll('-', ''))
    const removed = await call(ada, 'DELETE', '/v1/totp', { body })
    expect(removed.status, removed.text).to.equal(204)
    for (const table of ['totp', 'totp_enrolments', 'recovery_codes']) {
      expect(await owner(table).where({ person_id: ada.id }), table).to.deep.equal([])
    }
    const seen = await eventsOf(ada)
    expect(seen).to.include.members(['person.recovery_code_used', 'person.totp_removed'])
    const again = await call(ada, 'DELETE', '/v1/totp', { body })
    expectProblem(again, 403, 'totp_not_set')
  })

  it('ends other sessions and reduces limits when it changes, and the person is told', async () => {
    const { owner, api, apiUrl, tokenUrl } = await world()
    const before = new Date()
    const who = await person()
    const issued = await fetch(tokenUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sub: who.sub, scope: 'person' }),
    })
    const { access_token: other } = (await issued.json()) as { access_token: string }
    const writeWithOther = () =>
      fetch(`${apiUrl}/v1/totp/confirm`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${other}` },
        body: JSON.stringify({ code: '123456' }),
      })
    expect((await writeWithOther()).status, 'nothing to confirm yet').to.equal(409)
    const ada = await enrolledAs(who)
    expect((await writeWithOther()).status).to.equal(401)
    const row = await owner('people').where({ id: ada.id }).first()
    expect(row.security_changed_at.getTime()).to.be.at.least(before.getTime())
    expect(row.tokens_valid_from.getTime()).to.equal(row.security_changed_at.getTime())
    expect(row.kept_token, 'the token it was done with').to.be.a('string')
    expect((await call(ada, 'POST', '/v1/payments', { body: {} })).status).to.equal(400)
    expect((await api.standings(ada.id))?.securityChangedAt).to.deep.equal(row.security_changed_at)
  })

  it('is asked for beside the PIN when that is changed', async () => {
    const ada = await enrolled()
    const change = (more: object) =>
      call(ada, 'PUT', '/v1/pin', { body: { pin: '830462', ...more } })
    expectProblem(await change({ current_pin: PIN }), 403, 'step_up_required')
    const code = codeAt(ada.secret, new Date())
    const wrong = code === '000000' ? '000001' : '000000'
    const guessed = await change({ current_pin: PIN, totp: wrong })
    expectProblem(guessed, 401, 'approval_refused')
    expectProblem(await change({ current_pin: '830471', totp: code }), 401, 'approval_refused')
    const changed = await change({ current_pin: PIN, totp: code })
    expect(changed.status, changed.text).to.equal(204)
  })

  it('gives new recovery codes for a code, and those of before are void', async () => {
    const { api } = await world()
    const ada = await enrolled()
    const path = '/v1/totp/recovery_codes'
    expectProblem(await call(ada, 'POST', path, { body: agreed() }), 403, 'step_up_required')
    const body = agreed(codeAt(ada.secret, new Date()))
    const renewed = await call(ada, 'POST', path, { body })
    expect(renewed.status, renewed.text).to.equal(201)
    const [old = '', fresh = ''] = [ada.recoveryCodes[0], renewed.body.recovery_codes[0]]
    expect(await refusalOf(useSecondFactor(api, ada.id, old))).to.equal('approval_refused')
    expect(await useSecondFactor(api, ada.id, fresh)).to.equal('recovery_code')
    expect(await refusalOf(useSecondFactor(api, ada.id, fresh))).to.equal('approval_refused')
    expect((await call(ada, 'GET', '/v1/totp')).body.recovery_codes_left).to.equal(9)
    expect(await eventsOf(ada)).to.include('person.recovery_codes_renewed')
  })
})
