/** The second factor: enrolled, confirmed, shown once, replaced, removed. */
import { expect } from 'chai'
import jsqr from 'jsqr'
import type { Context } from '../services/context.ts'
import { publicId } from '../services/ids.ts'
import { useSecondFactor } from '../services/totp/check.ts'
import { stepOf } from '../services/totp/secrets.ts'
import { confirm } from '../services/totp/totp.ts'
import { expectProblem } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call } from './support/api.ts'
import { count, refusalOf } from './support/books.ts'
import { type Person, payment, person, PIN } from './support/people.ts'
import { agreed, codeAt, enrolled, forgetUse, secondsAfter } from './support/totp.ts'
import { world } from './support/world.ts'

const eventsOf = async ({ id }: Person): Promise<string[]> => {
  const { owner } = await world()
  const rows = await owner('events')
    .where({ object_id: publicId('per', id) })
    .orderBy('id')
  return rows.map(({ type }) => type)
}

/** The API's context at another time. */
const contextAt = async (at: Date) => ({ ...(await world()).api, now: () => at })

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

  it('is kept where neither its secret nor a recovery code can be read', async () => {
    const { owner } = await world()
    const { id, secret, recoveryCodes } = await enrolled()
    const rows = [
      ...(await owner('totp').where({ person_id: id })),
      ...(await owner('recovery_codes').where({ person_id: id })),
    ]
    expect(rows.length).to.equal(11)
    const bytes = Buffer.concat(rows.map(({ seed, hash }) => seed ?? hash)).toString('latin1')
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
    const holder = { person: late.id, jti: '' }
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
    const { owner, api } = await world()
    const before = new Date()
    const ada = await enrolled()
    const row = await owner('people').where({ id: ada.id }).first()
    expect(row.security_changed_at.getTime()).to.be.at.least(before.getTime())
    expect(row.tokens_valid_from.getTime()).to.equal(row.security_changed_at.getTime())
    expect(row.kept_token, 'the token it was done with').to.be.a('string')
    expect((await call(ada, 'POST', '/v1/payments', { body: {} })).status).to.equal(400)
    expect((await api.standings(ada.id))?.securityChangedAt).to.deep.equal(row.security_changed_at)
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

/** All at once, every other one by another process. */
const inTwoProcesses = <T, R>(
  at: Date,
  crowd: readonly T[],
  work: (context: Context, one: T) => Promise<R>,
): Promise<R[]> =>
  withAnotherApi(
    {},
    async ({ context: other }) => {
      const ours = await contextAt(at)
      return Promise.all(crowd.map((one, index) => work(index % 2 === 0 ? ours : other, one)))
    },
    () => at,
  )

describe('a second factor', () => {
  it('is good once, however many use it at once in two processes', async () => {
    const at = new Date()
    const [ada, ben] = [await enrolled(), await enrolled()]
    for (const [person, given] of [
      [ada, codeAt(ada.secret, at)],
      [ben, ben.recoveryCodes[0] ?? ''],
    ] as const) {
      const crowd = Array.from({ length: 100 }, () => given)
      const outcomes = await inTwoProcesses(at, crowd, (context, code) =>
        refusalOf(useSecondFactor(context, person.id, code)),
      )
      const refused = count(outcomes, 'approval_refused')
      expect([count(outcomes, 'done'), refused], given).to.deep.equal([1, 99])
    }
    // A repetition is no guess: nobody is locked out by a nervous finger.
    const state = await call(ada, 'GET', '/v1/totp')
    expect(state.body.locked_until).to.equal(null)
  })

  it('is never one of before: no older step is good after a newer one', async () => {
    const ada = await enrolled()
    const at = new Date()
    const now = await contextAt(at)
    const [older, newer] = [codeAt(ada.secret, secondsAfter(at, -30)), codeAt(ada.secret, at)]
    expect(await useSecondFactor(now, ada.id, newer)).to.equal('totp')
    for (const code of [older, newer]) {
      expect(await refusalOf(useSecondFactor(now, ada.id, code))).to.equal('approval_refused')
    }
    const next = await contextAt(secondsAfter(at, 30))
    expect(await refusalOf(useSecondFactor(next, ada.id, newer))).to.equal('approval_refused')
    const fresh = codeAt(ada.secret, secondsAfter(at, 30))
    expect(await useSecondFactor(next, ada.id, fresh)).to.equal('totp')
  })
})

describe('guessing a second factor', () => {
  it('is possible five times, then not even the right code is, for half an hour', async () => {
    const ada = await enrolled()
    const at = new Date()
    const now = await contextAt(at)
    const right = codeAt(ada.secret, at)
    const wrong = [right, codeAt(ada.secret, secondsAfter(at, -30))].includes('000000')
      ? '000001'
      : '000000'
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      expect(await refusalOf(useSecondFactor(now, ada.id, wrong))).to.equal('approval_refused')
    }
    for (const code of [right, wrong, ada.recoveryCodes[0] ?? '', 'zzzz-zzzz-zzzz-zzzz']) {
      expect(await refusalOf(useSecondFactor(now, ada.id, code)), code).to.equal('totp_locked')
    }
    expect(await eventsOf(ada)).to.include('person.totp_locked')
    const seen = await call(ada, 'POST', '/v1/totp/recovery_codes', { body: agreed(right) })
    expectProblem(seen, 423, 'totp_locked')
    expect(Number(seen.headers.get('retry-after'))).to.be.within(1_700, 1_800)

    const early = await contextAt(secondsAfter(at, 1_799))
    const open = await contextAt(secondsAfter(at, 1_801))
    const codeThen = codeAt(ada.secret, secondsAfter(at, 1_801))
    expect(await refusalOf(useSecondFactor(early, ada.id, codeThen))).to.equal('totp_locked')
    expect(await useSecondFactor(open, ada.id, codeThen)).to.equal('totp')
  })

  it('in a crowd is no better: of 200 at once five count, and the right one may not', async () => {
    const { owner } = await world()
    const ada = await enrolled()
    const at = new Date()
    const right = codeAt(ada.secret, at)
    const spared = new Set([right, codeAt(ada.secret, secondsAfter(at, -30))])
    const guesses = Array.from({ length: 400 }, (_, index) => String(index).padStart(6, '0'))
      .filter((guess) => !spared.has(guess))
      .slice(0, 199)
    const crowd = [...guesses, right]
    const outcomes = await inTwoProcesses(at, crowd, (context, guess) =>
      refusalOf(useSecondFactor(context, ada.id, guess)),
    )
    expect(count(outcomes, 'approval_refused')).to.equal(5)
    expect(count(outcomes, 'totp_locked')).to.equal(195)
    // Being told something else would be being told that it was right.
    expect(outcomes.at(-1)).to.equal('totp_locked')
    const row = await owner('totp').where({ person_id: ada.id }).first('failed')
    expect(row.failed).to.equal(5)
  })

  it('needs the first factor: without it no code is used up, and the answer is the same', async () => {
    const ada = await enrolled(100_000n)
    const ben = await person()
    const code = codeAt(ada.secret, new Date())
    const wrong = code === '000000' ? '000001' : '000000'
    const refused = []
    for (const approval of [
      { pin: '274952', totp: code },
      { pin: PIN, totp: wrong },
    ]) {
      const body = payment(ben, '5000', { approval })
      const { status, body: problem } = await call(ada, 'POST', '/v1/payments', { body })
      refused.push({ status, code: problem.code, title: problem.title })
    }
    expect(refused[0]).to.deep.equal(refused[1])
    expect(refused[0]).to.include({ status: 401, code: 'approval_refused' })
    // Nobody asked for a code, but one that is given must be right.
    const body = payment(ben, '5000', { approval: { pin: PIN, totp: code } })
    expect((await call(ada, 'POST', '/v1/payments', { body })).status).to.equal(201)
  })
})

/** Reads the QR code in an SVG made of squares, as a camera would see it. */
function readQr(svg: string): string | undefined {
  const [, size = ''] = /viewBox="0 0 (\d+) \d+"/.exec(svg) ?? []
  const [, path = ''] = / d="([^"]+)"/.exec(svg) ?? []
  const [modules, scale] = [Number(size), 4]
  const side = modules * scale
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255)
  for (const [x, y] of squaresOf(path)) {
    for (let row = y * scale; row < (y + 1) * scale; row += 1) {
      for (let column = x * scale; column < (x + 1) * scale; column += 1) {
        pixels.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3)
      }
    }
  }
  return jsqr.default(pixels, side, side)?.data
}

/** `M2 2h1v1H2Z`, and from there on `m1 0h1v1h-1Z`: where each square begins. */
function squaresOf(path: string): [x: number, y: number][] {
  let [x, y] = [0, 0]
  return [...path.matchAll(/([Mm])(-?\d+)[ ,]?(-?\d+)h1v1[Hh]-?\d+[Zz]/g)].map(
    ([, letter, across, down]) => {
      const [left, top] = letter === 'M' ? [0, 0] : [x, y]
      ;[x, y] = [left + Number(across), top + Number(down)]
      return [x, y]
    },
  )
}
