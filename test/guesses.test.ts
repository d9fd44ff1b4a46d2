/** PINs that are guessed: one by one, in crowds, over many people, and to keep others out. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { checkPin } from '../services/pins/attempts.ts'
import { holdsGuess } from '../services/pins/guesses.ts'
import { forgetFailures } from '../services/pins/failures.ts'
import type { Config } from '../services/config.ts'
import { expectProblem, send, statusesOf, times, unchanged } from './support/abuse.ts'
import { type SecondApi, startSecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { tokenOf } from './support/api.ts'
import { newAddress, sendFrom } from './support/from.ts'
import { payment, type Person, person, PIN } from './support/people.ts'
import { rowOf, verifyAt, wrong } from './support/pins.ts'
import { world } from './support/world.ts'

/** As it is without a word about it. */
const SPRAY = { SPRAY_FAILURES_PER_ADDRESS_HOUR: 20, SPRAY_FAILURES_GLOBAL_MINUTE: 1_000_000 }
const LOCK_IS_TOLD = { except: ['events'] } as const

const people = (count: number): Promise<Person[]> => Promise.all(times(count, () => person()))

/** One guess at the PIN of somebody, from an address. */
const guessFrom = (
  { apiUrl }: SecondApi,
  address: string,
  who: Person,
  more: { readonly pin?: string; readonly headers?: Record<string, string> } = {},
) => {
  const { pin = wrong(1), headers = {} } = more
  return sendFrom({ apiUrl, address, headers, body: { pin } }, who, 'POST', '/v1/pin/verify')
}

describe('what may be a guess', () => {
  const CASES = [
    [{ pin: '1' }, true],
    [{ code: '1' }, true],
    [{ approval: { pin: '1' } }, true],
    [{ approval: { device: 'd' } }, false],
    [{ approval: { device: 'd', totp: '1' } }, true],
    [{ pin: '1', approval: { device: 'd' } }, false],
    [{ pin: '1', totp: '1', approval: { device: 'd' } }, true],
    [undefined, false],
  ] as const
  for (const [body, is] of CASES) {
    it(`${is ? 'is' : 'is not'} in ${JSON.stringify(body)}`, () => {
      expect(holdsGuess(body)).to.equal(is)
    })
  }
})

describe('guesses at one PIN', () => {
  let one: SecondApi
  withSecondApi((api) => (one = api))

  it('of 200 at once, five are compared; then the right one is of no use (abuse 9)', async () => {
    const ada = await person(20_000n)
    const before = one.context.hashes.stats().compared
    const answers = await unchanged(
      () => Promise.all(times(200, (index) => verifyAt(one, ada, wrong(index)))),
      LOCK_IS_TOLD,
    )
    expect(one.context.hashes.stats().compared - before).to.equal(5)
    expect(answers.filter(({ status }) => status === 401)).to.have.length(5)
    for (const { status } of answers) expect([401, 423, 503]).to.include(status)
    expect((await rowOf(ada)).failed).to.equal(5)
    expectProblem(await verifyAt(one, ada, PIN), 423, 'pin_locked')
  })

  it('are counted before they are compared: a crash in between gives none away', async () => {
    const ada = await person(20_000n)
    const counted: number[] = []
    const watched: typeof one.context.hashes = {
      ...one.context.hashes,
      forPerson: (id, work) =>
        one.context.hashes.forPerson(id, (place) =>
          work({
            ...place,
            async matches(pin, hash) {
              counted.push((await rowOf(ada)).failed)
              return place.matches(pin, hash)
            },
          }),
        ),
    }
    for (const pin of [wrong(1), wrong(2), PIN, wrong(3)]) {
      await checkPin({ ...one.context, hashes: watched }, ada.id, pin).catch(() => {})
    }
    expect(counted).to.deep.equal([1, 2, 3, 1])
  })

  it('count only with a token of that very person (abuse 11)', async () => {
    const [ada, eve] = [await person(20_000n), await person()]
    const bytes = JSON.stringify(payment(eve, '5000', { approval: { pin: wrong(1) } }))
    const forged = `${(await tokenOf(ada)).slice(0, -4)}AAAA`
    const tokens = ['', 'Bearer x', `Bearer ${forged}`, `Bearer ${await tokenOf(ada)} x`]
    await unchanged(async () => {
      for (const authorization of tokens) {
        const headers = { authorization }
        const answer = await send(undefined, 'POST', '/v1/payments', { bytes, headers })
        expectProblem(answer, 401, 'invalid_token')
      }
      for (const index of times(6, (each) => each)) await verifyAt(one, eve, wrong(index))
    }, LOCK_IS_TOLD)
    expect(await rowOf(ada)).to.include({ failed: 0, failures: 0 })
  })
})

describe('guesses from one address', () => {
  let [one, other]: SecondApi[] = []
  withSecondApi(
    (api) => (one = api),
    () => SPRAY,
  )
  withSecondApi(
    (api) => (other = api),
    () => SPRAY,
  )
  const apis = () => [one, other].filter((api) => api !== undefined)

  it('at many people end after twenty within the hour, in every process (abuse 10)', async () => {
    const [victims, address] = [await people(22), newAddress()]
    const [first, second] = apis() as [SecondApi, SecondApi]
    for (const [index, victim] of victims.slice(0, 20).entries()) {
      const answer = await guessFrom(index % 2 === 0 ? first : second, address, victim)
      expectProblem(answer, 401, 'approval_refused')
    }
    const before = apis().map(({ context }) => context.hashes.stats().compared)
    for (const [index, victim] of victims.slice(20).entries()) {
      const refused = await guessFrom(index === 0 ? first : second, address, victim, { pin: PIN })
      expectProblem(refused, 429, 'too_many_requests')
      expect(Number(refused.headers.get('retry-after'))).to.be.within(3_500, 3_660)
      expect((await rowOf(victim)).failed).to.equal(0)
    }
    expect(apis().map(({ context }) => context.hashes.stats().compared)).to.deep.equal(before)
    const elsewhere = await guessFrom(first, newAddress(), victims[21] as Person, { pin: PIN })
    expect(elsewhere.status, elsewhere.text).to.equal(204)
  })

  it('all at once are no more than one by one', async () => {
    const [victims, address] = [await people(40), newAddress()]
    const [first] = apis() as [SecondApi]
    const before = first.context.hashes.stats().compared
    const answers = await Promise.all(victims.map((who) => guessFrom(first, address, who)))
    expect(first.context.hashes.stats().compared - before).to.equal(20)
    expect(statusesOf(answers)).to.deep.equal([...times(20, () => 401), ...times(20, () => 429)])
  })

  it('that are right use nothing up, however many come at once', async () => {
    const [crowd, address] = [await people(30), newAddress()]
    const [first] = apis() as [SecondApi]
    const answers = await Promise.all(
      crowd.map((who) => guessFrom(first, address, who, { pin: PIN })),
    )
    expect(statusesOf(answers)).to.deep.equal(times(30, () => 204))
    expectProblem(await guessFrom(first, address, crowd[0] as Person), 401, 'approval_refused')
  })

  it('are of that address, whatever is written into X-Forwarded-For (abuse 17)', async () => {
    const [victims, address] = [await people(21), newAddress()]
    const [first] = apis() as [SecondApi]
    const answers = []
    for (const [index, victim] of victims.entries()) {
      const forwarded = `198.51.100.${index}, 203.0.113.${index}`
      const headers = { 'x-forwarded-for': forwarded, 'x-real-ip': forwarded, forwarded }
      answers.push(await guessFrom(first, address, victim, { headers }))
    }
    expect(statusesOf(answers)).to.deep.equal([...times(20, () => 401), 429])
  })

  it('leave no address behind, only what tells whether it is the same', async () => {
    const { owner } = await world()
    const rows = await owner('pin_failures').select('address')
    expect(rows.length).to.be.greaterThan(1)
    for (const { address } of rows) expect([0, 32]).to.include(address.length)
  })
})

describe('guesses through a proxy of ours', () => {
  let behind: SecondApi
  withSecondApi(
    (api) => (behind = api),
    () => ({ ...SPRAY, TRUSTED_PROXIES: 1 }),
  )

  it('are of the address that the proxy wrote, not of what the client wrote', async () => {
    const [victims, proxy] = [await people(22), newAddress()]
    const from = (client: string) => ({ headers: { 'x-forwarded-for': client } })
    const answers = []
    for (const [index, victim] of victims.slice(0, 21).entries()) {
      const headers = from(`198.51.100.${index}, 192.0.2.${process.pid % 200}`)
      answers.push(await guessFrom(behind, proxy, victim, headers))
    }
    expect(statusesOf(answers)).to.deep.equal([...times(20, () => 401), 429])
    const neighbour = from('192.0.2.201')
    const answer = await guessFrom(behind, proxy, victims[21] as Person, neighbour)
    expectProblem(answer, 401, 'approval_refused')
  })
})

describe('guesses everywhere', () => {
  it('stop the looking at PINs for the rest of the minute, not more (abuse 10)', async () => {
    const { owner } = await world()
    const warnings: unknown[] = []
    const flooded = await startSecondApi(() => ({ ...SPRAY, SPRAY_FAILURES_GLOBAL_MINUTE: 1 }))
    try {
      flooded.context.log.warn = (fields: unknown) => void warnings.push(fields)
      const minute = new Date(Date.now() - (Date.now() % 60_000))
      await owner('pin_failures')
        .insert({ minute, address: Buffer.alloc(0), failures: 5 })
        .onConflict(['address', 'minute'])
        .merge()
      const ada = await person()
      const refused = await guessFrom(flooded, newAddress(), ada, { pin: PIN })
      expectProblem(refused, 503, 'saturated')
      expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 60)
      expect(await rowOf(ada)).to.include({ failed: 0 })
      expect(warnings).to.have.length(1)
      const read = await send(ada, 'GET', '/v1/pin', { apiUrl: flooded.apiUrl })
      expect(read.status).to.equal(200)
    } finally {
      await flooded.stop()
    }
  })
})

describe('guesses of long ago', () => {
  it('are forgotten by the worker after a day, so many at a time', async () => {
    const { owner, worker } = await world()
    const longAgo = new Date('2020-01-01T00:00:00Z')
    await owner.raw(
      `INSERT INTO pin_failures (minute, address, failures)
       SELECT ?::timestamptz, int4send(n), 1 FROM generate_series(1, 10001) AS n`,
      [longAgo],
    )
    expect(await forgetFailures(worker)).to.equal(10_000)
    expect(await forgetFailures(worker)).to.equal(1)
    expect(await forgetFailures(worker)).to.equal(0)
  })
})

describe('a pool of hashes that is full', () => {
  const SMALL: Partial<Config> = { PIN_QUEUE_MAX: 8, SPRAY_FAILURES_PER_ADDRESS_HOUR: 0 }
  let busy: SecondApi
  withSecondApi(
    (api) => (busy = api),
    () => SMALL,
  )

  /** How long the slowest of a hundred reads takes, of 200, in milliseconds. */
  async function p99OfReads(reader: Person): Promise<number> {
    const took: number[] = []
    for (let read = 0; read < 200; read += 1) {
      const started = performance.now()
      const answer = await send(reader, 'GET', '/v1/accounts', { apiUrl: busy.apiUrl })
      took.push(performance.now() - started)
      expect(answer.status).to.equal(200)
    }
    return took.sort((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? 0
  }

  it('says so to many, and reads are answered as if nothing were (abuse 45)', async () => {
    const [crowd, reader] = [await people(14), await person(5_000n)]
    const alone = await p99OfReads(reader)
    const served = new AbortController()
    const statuses = new Set<number>()
    const guessing = crowd.map(async (who) => {
      while (!served.signal.aborted) {
        const { status, headers } = await verifyAt(busy, who, PIN)
        statuses.add(status)
        if (status !== 503) continue
        expect(headers.get('retry-after')).to.equal('1')
        // Client and server share this process: who is told to come back does not come at once.
        await pause(100)
      }
    })
    const beside: number[] = []
    try {
      // Other programs of the machine can only make a round slower, never quicker.
      await unchanged(async () => {
        while (beside.length < 5 && !(Math.min(...beside) < 200)) {
          beside.push(await p99OfReads(reader))
        }
      })
    } finally {
      served.abort()
    }
    await Promise.all(guessing)
    const figures = beside.map((figure) => `${Math.round(figure)} ms`).join(', ')
    const without = `alone ${Math.round(alone)} ms`
    process.stdout.write(`      (reads beside a full pool: p99 ${figures}; ${without})\n`)
    expect(statuses).to.deep.equal(new Set([204, 503]))
    expect(Math.min(...beside)).to.be.lessThan(200)
  }).timeout(180_000)
})
