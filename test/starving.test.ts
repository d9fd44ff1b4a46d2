/** What always fails does not keep a run from all the others. */
import { expect } from 'chai'
import { expireDisputes } from '../services/disputes/expire.ts'
import { releaseReserves } from '../services/reserves/release.ts'
import { quiet, times } from './support/abuse.ts'
import { call, type Who } from './support/api.ts'
import { dispute } from './support/disputes.ts'
import { merchant, OPERATOR, person } from './support/people.ts'
import { paid, sale } from './support/refunds.ts'
import { DAY_MS, FREE, keep, reserveRule, reservesOf, rolling } from './support/reserves.ts'
import { world } from './support/world.ts'

/** More runs, of one each, than there is to do in all. */
const RUNS = 60

async function freeze(who: Who, credits: boolean): Promise<void> {
  const { body } = await call(who, 'GET', '/v1/accounts')
  const path = `/v1/ledger/accounts/${body.data[0].id}/freeze`
  const done = await call(OPERATOR, 'POST', path, {
    body: { debits: false, credits, reason: 'A test' },
  })
  expect(done.status, done.text).to.equal(200)
}

/** So many runs do one each, until it is done. */
async function runUntil(run: () => Promise<void>, isDone: () => Promise<boolean>) {
  for (let runs = 0; runs < RUNS; runs += 1) {
    if (await isDone()) return
    await run()
  }
  expect.fail('those that fail are all that is tried')
}

describe('a run that does so many and no more', () => {
  before(quiet)

  it('gives back the reserve of whoever comes behind merchants that are frozen', async () => {
    const { worker } = await world()
    const shops = []
    for (const _ of times(4, (nth) => nth)) {
      const [payer, shop] = await Promise.all([person(10_000n), merchant(FREE)])
      await reserveRule(shop, rolling('10', 30))
      await paid(payer, shop, '10000')
      expect(await keep(shop)).to.equal(1_000n)
      shops.push(shop)
    }
    const good = shops.pop()!
    for (const shop of shops) await freeze(shop, true)
    const later = { ...worker, now: () => new Date(Date.now() + 31 * DAY_MS) }
    const left = async () => (await reservesOf(good)).map(({ remaining }) => remaining)
    const isDone = async () => (await left()).every((one) => one === '0')
    await runUntil(() => releaseReserves(later, 1), isDone)
    for (const shop of shops) await freeze(shop, false)
    await releaseReserves(later)
  })

  it('ends the dispute behind those of payers that are frozen', async () => {
    const { worker } = await world()
    const opened = []
    for (const _ of times(4, (nth) => nth)) {
      const { payer, id } = await sale('6000', FREE)
      opened.push({ payer, id: (await dispute(payer, id)).body.id as string })
    }
    const good = opened.pop()!
    for (const { payer } of opened) await freeze(payer, true)
    const later = { ...worker, now: () => new Date(Date.now() + 400 * DAY_MS) }
    const stateOf = async () =>
      (await call(OPERATOR, 'GET', `/v1/disputes/${good.id}`)).body.state as string
    await runUntil(
      () => expireDisputes(later, 1),
      async () => (await stateOf()) === 'lost',
    )
    for (const { payer } of opened) await freeze(payer, false)
    await expireDisputes(later)
  })
})
