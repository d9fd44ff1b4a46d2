/** Processes go by the database's time: a machine whose clock is wrong changes nothing. */
import { expect } from 'chai'
import { pino } from 'pino'
import { openClock } from '../services/clock.ts'
import { expireHolds } from '../services/payments/expiry.ts'
import { call, tokenOf } from './support/api.ts'
import { authorize, balances, capture } from './support/held.ts'
import { merchant, person } from './support/people.ts'
import { newProcess } from './support/process.ts'
import { world } from './support/world.ts'

const DAY_MS = 24 * 3600 * 1000
/** Longer than anything is held. */
const HOLD_MS = 40 * DAY_MS

/** What a process loads first: a clock that is ahead by so much. */
const aheadBy = (ms: number) => {
  const code = `
    const Right = Date
    globalThis.Date = class extends Right {
      constructor(...given) { super(...(given.length === 0 ? [Date.now()] : given)) }
      static now() { return Right.now() + ${ms} }
    }`
  return { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(code)}"` }
}

describe('the clock', () => {
  const log = pino({ level: 'silent' })

  it('is the machine’s until the database has said what time it is', async () => {
    const { owner } = await world()
    const clock = openClock(() => Date.now() + DAY_MS)
    expect(clock.now().getTime()).to.be.closeTo(Date.now() + DAY_MS, 60_000)
    expect(clock.machineAhead_ms()).to.equal(0)
    await clock.follow(owner, log)
    clock.stop()
    expect(clock.now().getTime()).to.be.closeTo(Date.now(), 60_000)
    expect(clock.machineAhead_ms()).to.be.closeTo(DAY_MS, 60_000)
  })

  it('does not jump when the machine’s does', async () => {
    const { owner } = await world()
    let wrong_ms = 0
    const clock = openClock(() => Date.now() + wrong_ms)
    await clock.follow(owner, log)
    clock.stop()
    for (wrong_ms of [DAY_MS, -DAY_MS]) {
      expect(clock.now().getTime()).to.be.closeTo(Date.now(), 60_000)
    }
  })

  it('goes on where the database is silent', async () => {
    const { owner } = await world()
    const clock = openClock(() => Date.now() - DAY_MS)
    const silent = { raw: () => Promise.reject(new Error('nobody is there')) } as never
    await clock.follow(silent, log)
    clock.stop()
    expect(clock.machineAhead_ms()).to.equal(0)
    await clock.follow(owner, log)
    clock.stop()
    await clock.follow(silent, log)
    clock.stop()
    expect(clock.now().getTime()).to.be.closeTo(Date.now(), 60_000)
  })

  it('is warned of once it is a second off, and again when that changes by one', async () => {
    const { owner } = await world()
    let [wrong_ms, text] = [0, '']
    const loud = pino({ level: 'warn' }, { write: (line: string) => void (text += line) })
    const clock = openClock(() => Date.now() + wrong_ms)
    const warned = async (ms: number) => {
      wrong_ms = ms
      text = ''
      await clock.follow(owner, loud)
      clock.stop()
      return text === '' ? undefined : Math.round(JSON.parse(text).ahead_ms / 1000)
    }
    expect(await warned(0)).to.equal(undefined)
    expect(await warned(30_000)).to.equal(30)
    expect(await warned(30_000)).to.equal(undefined)
    expect(await warned(-30_000)).to.equal(-30)
  })

  it('of a worker that is days ahead releases no hold before its deadline (abuse 76)', async () => {
    const { owner, worker } = await world()
    const clock = openClock(() => Date.now() + HOLD_MS)
    await clock.follow(owner, log)
    clock.stop()
    const [ada, shop] = await Promise.all([person(5_000n), merchant()])
    const { id } = await authorize(ada, shop, '1000')
    const before = await balances(ada)
    await expireHolds({ ...worker, now: clock.now })
    expect(await balances(ada)).to.deep.equal(before)
    expect((await capture(shop, id)).status).to.equal(200)
    // Had it gone by its machine, it would have.
    const { id: other } = await authorize(ada, shop, '1000')
    await expireHolds({ ...worker, now: () => new Date(Date.now() + HOLD_MS) })
    expect((await call(ada, 'GET', `/v1/payments/${other}`)).body.state).to.equal('expired')
  })

  for (const [how, ms] of [
    ['ahead', DAY_MS],
    ['behind', -DAY_MS],
  ] as const) {
    it(`lets a process on a machine that is a day ${how} do as the others (abuse 76)`, async () => {
      const { config } = await world()
      const ada = await person(10_000n)
      const api = await newProcess(config, aheadBy(ms))
      try {
        const headers = { authorization: `Bearer ${await tokenOf(ada)}` }
        const { status } = await fetch(`${api.url}/v1/payments`, { headers })
        expect(status, 'the token is of now').to.equal(200)
        const measured = await (await fetch(`${api.url}/metrics`)).text()
        const ahead_s = Number(/^florin_clock_ahead_seconds\S* (\S+)$/m.exec(measured)?.[1])
        expect(ahead_s * 1000).to.be.closeTo(ms, 60_000)
      } finally {
        await api.stop()
      }
    })
  }
})
