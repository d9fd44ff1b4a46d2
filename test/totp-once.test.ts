/** A second factor is good once, and cannot be guessed: alone, in a crowd, in two processes. */
import { expect } from 'chai'
import type { Context } from '../services/context.ts'
import { useSecondFactor } from '../services/totp/check.ts'
import { expectProblem } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call } from './support/api.ts'
import { count, refusalOf } from './support/books.ts'
import { payment, person, PIN } from './support/people.ts'
import { agreed, codeAt, contextAt, enrolled, eventsOf, secondsAfter } from './support/totp.ts'
import { world } from './support/world.ts'

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
  it('is good once, however many use it at once in two processes (abuse 12)', async () => {
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

  it('is never one of before: no older step is good after a newer one (abuse 13)', async () => {
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

  it('in a crowd is no better: of 200 at once only five count', async () => {
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

  it('needs the first factor: without it no code is used up, and the answer is one', async () => {
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
