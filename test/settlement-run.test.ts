/** The run that makes the batches that are due, and the schedules it goes by. */
import { expect } from 'chai'
import type { Knex } from 'knex'
import { freezeAccount } from '../ledger/index.ts'
import { merchantReserveOf } from '../services/books/chart.ts'
import { uuidOf } from '../services/ids.ts'
import { runSettlements } from '../services/settlements/run.ts'
import { expectProblem, quiet, times } from './support/abuse.ts'
import { call } from './support/api.ts'
import { linkedAccount, merchant, OPERATOR } from './support/people.ts'
import { together } from './support/proposals.ts'
import { reserveRule } from './support/reserves.ts'
import { batchesOf, stall, type Stall } from './support/stall.ts'
import { world } from './support/world.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** What a clock in UTC shows. */
const shownAt = (at: Date) => at.toISOString().slice(11, 16)

async function schedule(one: Stall, more: object) {
  const body = {
    ...{ currency: 'EUR', frequency: 'daily', cut_off: shownAt(new Date()), time_zone: 'UTC' },
    ...{ delay_days: 0, calendar: 'weekends', ...more },
  }
  const made = await together(`/v1/merchants/${one.shop.id}/settlement_schedules`, { body })
  expect(made.status, made.text).to.equal(201)
  return made.body
}

/** The run, as a worker would make it so much later. */
async function runLater(later_ms: number) {
  const { worker, owner } = await world()
  const done = await runSettlements({ ...worker, now: () => new Date(Date.now() + later_ms) })
  // What it instructed then is for the banks of today.
  const soon = new Date(Date.now() + DAY_MS)
  await owner('instructions').where('next_at', '>', soon).update({ next_at: new Date() })
  return done
}

/** A run, during which something happens once it knows what is due, before it writes it down. */
async function runBeside(meanwhile: () => Promise<unknown>) {
  const { worker } = await world()
  const happened = { times: 0 }
  const meeting = async (sql: string, bindings: Knex.ValueDict) => {
    happened.times += 1
    if (happened.times === 1) await meanwhile()
    return worker.db.raw(sql, bindings)
  }
  const raw = (sql: string, bindings: Knex.ValueDict) =>
    sql.startsWith('WITH returned') ? meeting(sql, bindings) : worker.db.raw(sql, bindings)
  const get = (knex: Knex, name: keyof Knex) => (name === 'raw' ? raw : Reflect.get(knex, name))
  const db = new Proxy(worker.db, { get })
  await runSettlements({ ...worker, db, now: () => new Date(Date.now() + MINUTE_MS) })
  expect(happened.times).to.be.greaterThan(0)
}

describe('the run', () => {
  before(quiet)

  it('makes the batches whose day has come, and no other', async () => {
    const [daily, poor, unlinked] = await Promise.all([stall(), stall(), stall(false)])
    const { cut_off } = await schedule(daily, {})
    await schedule(poor, { minimum_amount: '5000' })
    await schedule(unlinked, {})
    for (const one of [daily, poor, unlinked]) await one.move(['payment', 4_000n], ['fee', -100n])
    // The cut-off was at the beginning of this minute: nothing of it was before.
    await runLater(0)
    for (const one of [daily, poor, unlinked]) expect(await batchesOf(one)).to.deep.equal([])
    const { turns } = await runLater(4 * DAY_MS)
    expect(turns).to.be.greaterThan(2)
    const [paid] = await batchesOf(daily)
    expect([paid.payout, paid.payments, paid.gross]).to.deep.equal(['3900', 1, '4000'])
    expect(shownAt(new Date(paid.cut_off))).to.equal(cut_off)
    for (const one of [poor, unlinked]) {
      const [batch] = await batchesOf(one)
      expect([batch.state, batch.payout, batch.carried_out]).to.deep.equal(['carried', '0', '3900'])
    }
    const [without] = await batchesOf(unlinked)
    expect(without.failure).to.equal('bank_account_not_found')
    await poor.move(['payment', 2_000n])
    await linkedAccount(unlinked.shop)
    await runLater(9 * DAY_MS)
    expect((await batchesOf(poor)).at(-1)).to.deep.include({ carried_in: '3900', payout: '5900' })
    expect((await batchesOf(unlinked)).at(-1)).to.deep.include({ payout: '3900', net: '0' })
    expect(await batchesOf(daily)).to.have.length(1)
    await quiet()
  })

  it('puts off a merchant whose reserve cannot be kept, and nobody else', async () => {
    const { worker } = await world()
    const [kept, other] = await Promise.all([stall(), stall()])
    await reserveRule(kept.shop, { kind: 'rolling', percent: '10', days: 90 })
    for (const one of [kept, other]) {
      await schedule(one, {})
      await one.move(['payment', 4_000n])
    }
    const reserve = await merchantReserveOf(worker, uuidOf(kept.shop.id), 'EUR')
    const freeze = (credits: boolean) =>
      worker.db.transaction((trx) => freezeAccount(trx, reserve, { debits: false, credits }))
    await freeze(true)
    expect((await runLater(4 * DAY_MS)).postponed).to.be.at.least(1)
    expect(await batchesOf(kept)).to.deep.equal([])
    expect((await batchesOf(other)).map(({ payout }) => payout)).to.deep.equal(['4000'])
    await freeze(false)
    await runLater(9 * DAY_MS)
    expect((await batchesOf(kept)).map(({ payout }) => payout)).to.deep.equal(['3600'])
    await quiet()
  })

  it('goes by a schedule from now on though there is one that begins later', async () => {
    const one = await stall()
    const valid_from = new Date(Date.now() + 20 * DAY_MS).toISOString()
    await schedule(one, { frequency: 'monthly', month_day: 1, valid_from })
    await schedule(one, {})
    await one.move(['payment', 4_000n])
    await runLater(4 * DAY_MS)
    expect((await batchesOf(one)).map(({ payout }) => payout)).to.deep.equal(['4000'])
    await quiet()
  })

  it('by several workers at once settles each merchant once', async () => {
    const stalls = await Promise.all(times(12, () => stall()))
    for (const one of stalls) {
      await schedule(one, { delay_days: 1 })
      await one.move(['payment', 1_000n])
    }
    const runs = await Promise.all(times(3, () => runLater(5 * DAY_MS)))
    expect(runs.reduce((sum, { batches }) => sum + batches, 0)).to.be.at.least(stalls.length)
    for (const one of stalls) expect(await batchesOf(one)).to.have.length(1)
    await quiet()
  })

  it('goes on behind a worker that died, and hears of a schedule that changed', async () => {
    const one = await stall()
    await schedule(one, { frequency: 'on_demand' })
    await one.move(['payment', 1_000n])
    await runLater(5 * DAY_MS)
    expect(await batchesOf(one)).to.deep.equal([])
    const { owner } = await world()
    const turn = () => owner('settlement_turns').where({ merchant_id: uuidOf(one.shop.id) })
    expect((await turn().first()).next_at).to.equal(null)
    // A worker took it, and was never heard of again; then the schedule changed.
    await turn().update({ next_at: new Date(Date.now() + 5 * MINUTE_MS) })
    await schedule(one, {})
    await runLater(4 * DAY_MS)
    expect(await batchesOf(one)).to.have.length(1)
    await quiet()
  })

  it('hears of a schedule that begins later, though it had taken the turn', async () => {
    const one = await stall()
    await schedule(one, { frequency: 'on_demand' })
    await one.move(['payment', 1_000n])
    const valid_from = new Date(Date.now() + DAY_MS).toISOString()
    await runBeside(() => schedule(one, { valid_from }))
    expect(await batchesOf(one)).to.deep.equal([])
    await runLater(5 * DAY_MS)
    expect((await batchesOf(one)).map(({ payout }) => payout)).to.deep.equal(['1000'])
    await quiet()
  })

  it('begins as early as a schedule says, though it had taken the turn of later ones', async () => {
    const one = await stall()
    for (const days of [20, 30]) {
      const valid_from = new Date(Date.now() + days * DAY_MS).toISOString()
      await schedule(one, { frequency: 'monthly', month_day: 1, valid_from })
    }
    await one.move(['payment', 1_000n])
    await runBeside(() => schedule(one, {}))
    await runLater(4 * DAY_MS)
    expect((await batchesOf(one)).map(({ payout }) => payout)).to.deep.equal(['1000'])
    await quiet()
  })

  it('goes by schedules: dated, by two operators, and the merchant may read them', async () => {
    const [one, rival] = [await stall(), await merchant()]
    const path = `/v1/merchants/${one.shop.id}/settlement_schedules`
    const first = await schedule(one, { frequency: 'weekly', weekday: 5 })
    const valid_from = new Date(Date.now() + DAY_MS).toISOString()
    const next = await schedule(one, { frequency: 'monthly', month_day: 31, valid_from })
    const { body } = await call(one.shop, 'GET', path)
    expect(body.data).to.deep.equal([first, next])
    expectProblem(await call(rival, 'GET', path), 404, 'not_found')
    const daily = {
      ...{ currency: 'EUR', frequency: 'daily', cut_off: '17:00', time_zone: 'Europe/Berlin' },
      ...{ delay_days: 1, calendar: 'target2' },
    }
    const wrong = [
      { ...daily, weekday: 1 },
      { ...daily, frequency: 'weekly' },
      { ...daily, time_zone: 'Europe/Atlantis' },
      { ...daily, cut_off: '24:00' },
    ]
    for (const body of wrong) {
      expectProblem(await call(OPERATOR, 'POST', path, { body }), 400, 'invalid_request')
    }
    const past = { ...daily, valid_from: new Date(Date.now() - DAY_MS).toISOString() }
    const refused = await call(OPERATOR, 'POST', path, { body: past })
    expectProblem(refused, 422, 'settlement_schedule_in_past')
    const twice = await together(path, { body: { ...daily, valid_from } })
    expectProblem(twice, 409, 'settlement_schedule_exists')
  })
})
