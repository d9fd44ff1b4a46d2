/** Payouts of which no bank takes all, or any: later cut-offs do not wait for them. */
import { expect } from 'chai'
import type { Hours, RegisteredBank } from '../services/banks/registry.ts'
import { runSettlements } from '../services/settlements/run.ts'
import { expectProblem, quiet } from './support/abuse.ts'
import { call } from './support/api.ts'
import { together } from './support/proposals.ts'
import { batchesOf, stall, type Stall } from './support/stall.ts'
import { world } from './support/world.ts'

const DAY_MS = 86_400_000

interface Limits {
  readonly amountMin?: Readonly<Record<string, bigint>>
  readonly amountMax?: Readonly<Record<string, bigint>>
  readonly exposureMax?: Readonly<Record<string, bigint>>
  readonly currencies?: readonly string[]
  readonly hours?: Hours
}

/** While `work` goes on, every bank is so. */
async function limited<Made>(limits: Limits, work: () => Promise<Made>): Promise<Made> {
  const { api, worker } = await world()
  const registries = [api, worker].map(({ registry }) => registry as Map<string, RegisteredBank>)
  const before = registries.map((registry) => [...registry])
  const { exposureMax = {}, ...ofRails } = limits
  for (const registry of registries) {
    for (const [name, bank] of registry) {
      const rails = bank.rails.map((rail) => ({ ...rail, ...ofRails }))
      registry.set(name, { ...bank, exposureMax, rails })
    }
  }
  try {
    return await work()
  } finally {
    for (const [index, registry] of registries.entries()) {
      for (const [name, bank] of before[index] ?? []) registry.set(name, bank)
    }
  }
}

async function daily(one: Stall, more: object = {}) {
  const cut_off = new Date().toISOString().slice(11, 16)
  const body = {
    ...{ currency: 'EUR', frequency: 'daily', cut_off, time_zone: 'UTC', delay_days: 0 },
    ...{ calendar: 'weekends', ...more },
  }
  const made = await together(`/v1/merchants/${one.shop.id}/settlement_schedules`, { body })
  expect(made.status, made.text).to.equal(201)
}

/** The run as it would be so many days from now; what it instructs is for the banks of today. */
async function runIn(days: number) {
  const { worker, owner } = await world()
  await runSettlements({ ...worker, now: () => new Date(Date.now() + days * DAY_MS) })
  const soon = new Date(Date.now() + DAY_MS)
  await owner('instructions').where('next_at', '>', soon).update({ next_at: new Date() })
}

const seenOf = async (one: Stall) =>
  (await batchesOf(one)).map(({ state, payout, carried_out, failure }) =>
    [state === 'carried' ? state : 'paid', payout, carried_out, failure].join(' '),
  )

const now = (one: Stall) => call(one.shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })

describe('a payout', () => {
  before(quiet)

  it('that is too little for every rail is carried until it is enough', async () => {
    const one = await stall()
    await daily(one)
    await one.move(['payment', 4_000n])
    await limited({ amountMin: { EUR: 5_000n } }, async () => {
      expectProblem(await now(one), 422, 'no_route')
      await runIn(4)
      expect(await seenOf(one)).to.deep.equal(['carried 0 4000 no_route'])
      // Nothing is new, so there is nothing to say.
      await runIn(9)
      expect(await seenOf(one)).to.have.length(1)
      await one.move(['payment', 2_000n])
      await runIn(14)
    })
    expect(await seenOf(one)).to.deep.equal(['carried 0 4000 no_route', 'paid 6000 0 '])
    await quiet()
  })

  it('in a currency that no bank moves any more is carried, and says why', async () => {
    const one = await stall()
    await daily(one)
    await one.move(['payment', 4_000n])
    await limited({ currencies: ['SEK'] }, () => runIn(4))
    expect(await seenOf(one)).to.deep.equal(['carried 0 4000 currency_not_supported'])
    await runIn(9)
    expect((await seenOf(one)).at(-1)).to.equal('paid 4000 0 ')
    await quiet()
  })

  it('that is too much for every rail leaves in parts, by cut-offs and on demand', async () => {
    const [scheduled, asking] = await Promise.all([stall(), stall()])
    await daily(scheduled)
    for (const one of [scheduled, asking]) await one.move(['payment', 7_000n])
    await limited({ amountMax: { EUR: 3_000n } }, async () => {
      await runIn(9)
      for (const payout of ['3000', '3000', '1000']) {
        const asked = await now(asking)
        expect(asked.status, asked.text).to.equal(202)
        expect(asked.body.payout).to.equal(payout)
      }
      expectProblem(await now(asking), 422, 'nothing_to_settle')
    })
    for (const one of [scheduled, asking]) {
      const parts = ['paid 3000 4000 ', 'paid 3000 1000 ', 'paid 1000 0 ']
      expect(await seenOf(one)).to.deep.equal(parts)
    }
    await quiet()
  })

  it('in parts is never less than the merchant’s minimum', async () => {
    const one = await stall()
    await daily(one, { minimum_amount: '5000' })
    await one.move(['payment', 7_000n])
    await limited({ amountMax: { EUR: 3_000n } }, () => runIn(4))
    expect(await seenOf(one)).to.deep.equal(['carried 0 7000 no_route'])
    await quiet()
  })

  it('beyond what may ever be on its way takes what may', async () => {
    const one = await stall()
    await one.move(['payment', 7_000_000n])
    const asked = await limited({ exposureMax: { EUR: 5_000_000n } }, () => now(one))
    expect(asked.status, asked.text).to.equal(202)
    expect([asked.body.payout, asked.body.carried_out]).to.deep.equal(['5000000', '2000000'])
    await quiet()
  })

  it('beyond that takes what there is room for, beside what is on its way already', async () => {
    const [first, second] = await Promise.all([stall(), stall()])
    // What ends in 90 is late: it is on its way for five seconds.
    await first.move(['payment', 2_000_090n])
    await second.move(['payment', 7_000_000n])
    await limited({ exposureMax: { EUR: 5_000_000n } }, async () => {
      expect((await now(first)).body.payout).to.equal('2000090')
      const asked = await now(second)
      expect(asked.status, asked.text).to.equal(202)
      expect(asked.body.payout).to.equal('2999910')
    })
    await quiet()
  })

  it('waits for a bank that is closed, and leaves no cut-off out', async () => {
    const one = await stall()
    await daily(one)
    await one.move(['payment', 4_000n])
    const hours = { timeZone: 'UTC', days: [], opens: '08:00', closes: '12:00' }
    await limited({ hours }, () => runIn(4))
    expect(await batchesOf(one)).to.deep.equal([])
    await runIn(9)
    expect(await seenOf(one)).to.deep.equal(['paid 4000 0 '])
    await quiet()
  })
})
