/** A second factor is good once, and cannot be guessed: alone, in a crowd, in two processes. */
import { expect } from 'chai'
import type { Knex } from 'knex'
import type { Context } from '../services/context.ts'
import { publicId } from '../services/ids.ts'
import { useSecondFactor } from '../services/totp/check.ts'
import { expectProblem, times, until } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call } from './support/api.ts'
import { count, refusalOf } from './support/books.ts'
import { payment, type Person, person, PIN } from './support/people.ts'
import { together } from './support/proposals.ts'
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

describe('a code that nothing comes before', () => {
  const NEW_PIN = '830462'
  const reset = (who: Person, totp: string) =>
    call(who, 'POST', '/v1/pin/reset', { body: { pin: NEW_PIN, totp } })
  const failuresOf = async ({ id }: Person): Promise<number> => {
    const { owner } = await world()
    return (await owner('totp').where({ person_id: id }).first('failures')).failures
  }
  /** Somebody at whose codes so many guesses were wrong, over many locks. */
  async function guessed(failures: number, balance = 0n) {
    const ada = await enrolled(balance)
    const { owner } = await world()
    await owner('totp').where({ person_id: ada.id }).update({ failures })
    return ada
  }

  it('is not guessed in the end: after twenty wrong ones no right one is good', async () => {
    const ada = await guessed(18)
    const at = new Date()
    const wrong = ['000000', '000001', '000002'].find(
      (one) => ![0, -30].some((ago) => one === codeAt(ada.secret, secondsAfter(at, ago))),
    )
    for (const guess of times(2, () => wrong ?? '')) {
      expectProblem(await reset(ada, guess), 401, 'approval_refused')
    }
    expect(await failuresOf(ada)).to.equal(20)
    for (const code of [codeAt(ada.secret, at), wrong ?? '', codeAt(ada.secret, new Date())]) {
      const refused = await reset(ada, code)
      expectProblem(refused, 401, 'approval_refused')
      expect(refused.body.detail).to.contain('recovery code')
    }
    // None of these was looked at: the way out is not locked by them.
    const state = await call(ada, 'GET', '/v1/totp')
    expect(state.body.locked_until).to.equal(null)
    expect(await failuresOf(ada)).to.equal(20)
    expect((await reset(ada, ada.recoveryCodes[0] ?? '')).status).to.equal(204)
    expect(await failuresOf(ada)).to.equal(0)
    expect((await reset(ada, codeAt(ada.secret, new Date()))).status).to.equal(204)
  })

  it('is good again once operators have taken the PIN away', async () => {
    const ada = await guessed(20)
    expectProblem(await reset(ada, codeAt(ada.secret, new Date())), 401, 'approval_refused')
    const path = `/v1/people/${publicId('per', ada.id)}/pin/reset`
    const cleared = await together(path, { body: { reason: 'They came to us' } })
    expect(cleared.status, cleared.text).to.equal(200)
    expect(await failuresOf(ada)).to.equal(0)
    const { api } = await world()
    const code = codeAt(ada.secret, new Date())
    expect(await useSecondFactor(api, ada.id, code, 'nothing')).to.equal('totp')
  })

  it('is good beside another factor, and then alone', async () => {
    const [ada, ben] = [await guessed(20, 100_000n), await person()]
    const approval = { pin: PIN, totp: codeAt(ada.secret, new Date()) }
    const paid = await call(ada, 'POST', '/v1/payments', {
      body: payment(ben, '5000', { approval }),
    })
    expect(paid.status, paid.text).to.equal(201)
    expect(await failuresOf(ada)).to.equal(0)
  })

  it('is no better while the twentieth wrong one is being counted', async () => {
    const ada = await guessed(19)
    const { api, owner } = await world()
    let refused: Promise<string | undefined> | undefined
    await owner.transaction(async (trx) => {
      await trx('totp').where({ person_id: ada.id }).update({ failures: 20 })
      const code = codeAt(ada.secret, new Date())
      refused = refusalOf(useSecondFactor(api, ada.id, code, 'nothing'))
      await until(async () => (await waiting(owner)) > 0)
    })
    expect(await refused).to.equal('approval_refused')
    expect(await failuresOf(ada)).to.equal(20)
  })
})

/** How many sessions wait to write down that a code was used. */
async function waiting(owner: Knex): Promise<number> {
  const { rows } = await owner.raw(
    `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND query LIKE 'update "totp"%'
        AND datname = current_database()`,
  )
  return rows[0].n
}
