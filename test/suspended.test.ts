/** A merchant that is suspended keeps its money here until it is active again. */
import { expect } from 'chai'
import { bankAccountOf } from '../services/banking/bank_accounts.ts'
import { uuidOf } from '../services/ids.ts'
import { openSettlements, runSettlements } from '../services/settlements/run.ts'
import { batchOf, draftBatches, makeBatch } from '../services/settlements/settle.ts'
import { expectProblem, quiet, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { linkedAccount, merchantBalance, OPERATOR, person } from './support/people.ts'
import { together } from './support/proposals.ts'
import { paid, refund } from './support/refunds.ts'
import { batchesOf, stall, type Stall } from './support/stall.ts'
import { world } from './support/world.ts'

const DAY_MS = 86_400_000
const WHY = { body: { reason: 'A test' } }

const operatorsSay = async ({ shop }: Stall, move: 'suspend' | 'return') => {
  const { body, text } = await call(OPERATOR, 'POST', `/v1/merchants/${shop.id}/${move}`, WHY)
  expect(body.state, text).to.equal(move === 'suspend' ? 'suspended' : 'draft')
}

async function activate({ shop }: Stall) {
  const { body, text } = await together(`/v1/merchants/${shop.id}/activate`, WHY)
  expect(body.state, text).to.equal('active')
}

/** Daily from now on. */
async function schedule({ shop }: Stall) {
  const body = {
    ...{ currency: 'EUR', frequency: 'daily', cut_off: '00:00', time_zone: 'UTC' },
    ...{ delay_days: 0, calendar: 'weekends' },
  }
  const made = await together(`/v1/merchants/${shop.id}/settlement_schedules`, { body })
  expect(made.status, made.text).to.equal(201)
}

/** A worker of so many days from now, whose banks live today. */
async function workerIn(days: number) {
  const { worker, owner } = await world()
  const later = { ...worker, now: () => new Date(Date.now() + days * DAY_MS) }
  const toldToday = () =>
    owner('instructions')
      .where('next_at', '>', new Date(Date.now() + DAY_MS))
      .update({ next_at: new Date() })
  return { later, toldToday }
}

async function runIn(days: number) {
  const { later, toldToday } = await workerIn(days)
  const tally = await runSettlements(later)
  await toldToday()
  return tally
}

const settle = ({ shop }: Stall, key = newKey()) =>
  call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' }, key })

const payoutsOf = async (one: Stall) => (await batchesOf(one)).map(({ payout }) => payout)

describe('a suspended merchant', () => {
  before(quiet)

  it('is put off by the run, its money stays, and it is paid once it is active again', async () => {
    const [bad, good] = await Promise.all([stall(), stall()])
    for (const one of [bad, good]) {
      await schedule(one)
      await one.move(['payment', 4_000n], ['fee', -100n])
    }
    await operatorsSay(bad, 'suspend')
    expect(await runIn(4)).to.deep.include({ turns: 2, batches: 1, postponed: 1 })
    expect(await payoutsOf(good)).to.deep.equal(['3900'])
    expect(await runIn(5)).to.deep.include({ batches: 0, postponed: 1 })
    expect(await batchesOf(bad)).to.deep.equal([])
    expect(await merchantBalance(bad.shop)).to.equal(3_900n)
    await activate(bad)
    await runIn(6)
    expect(await payoutsOf(bad)).to.deep.equal(['3900'])
    expect(await merchantBalance(bad.shop)).to.equal(0n)
    await quiet()
  })

  it('is counted by the worker that puts it off, and is not paid as a draft either', async () => {
    const one = await stall()
    await schedule(one)
    await one.move(['payment', 700n])
    await operatorsSay(one, 'suspend')
    await operatorsSay(one, 'return')
    const { later, toldToday } = await workerIn(9)
    const said: object[] = []
    const log = Object.assign(Object.create(later.log), { info: (what: object) => said.push(what) })
    await openSettlements({ ...later, log })()
    await toldToday()
    const merchant = uuidOf(one.shop.id)
    expect(said).to.deep.include({ merchant, code: 'merchant_not_active' })
    expect(said.at(-1)).to.include({ postponed: 1 })
    expect(await batchesOf(one)).to.deep.equal([])
  })

  it('is refused when it asks, and the same request is good later', async () => {
    const one = await stall()
    await one.move(['payment', 2_000n])
    await operatorsSay(one, 'suspend')
    const key = newKey()
    const refused = await unchanged(() => settle(one, key))
    expectProblem(refused, 409, 'merchant_not_active')
    await activate(one)
    expect((await settle(one, key)).body.payout).to.equal('2000')
    await quiet()
  })

  it('is not paid by who looked a moment before, for Postgres looks again', async () => {
    const one = await stall()
    await one.move(['payment', 2_000n])
    const { worker } = await world()
    const id = await linkedAccount(one.shop)
    const to = await bankAccountOf(worker.db, one.shop.id, uuidOf(id))
    const [draft] = await draftBatches(worker, [{ merchant: uuidOf(one.shop.id), currency: 'EUR' }])
    if (draft === undefined) throw new Error('there is nothing to settle')
    const terms = { minimum: 1n, cutOff: null, bankAccount: to.id }
    await operatorsSay(one, 'suspend')
    const made = () => makeBatch(worker, batchOf(draft, terms, worker), to)
    const code = await unchanged(() => made().then(String, ({ code }) => code))
    expect(code).to.equal('merchant_not_active')
    await activate(one)
    expect((await made()).instruction).to.be.a('string')
    await quiet()
  })

  it('may still give back what it was paid', async () => {
    const [one, ada] = await Promise.all([stall(), person(5_000n)])
    const id = await paid(ada, one.shop, '1000')
    await one.move(['payment', 1_000n])
    await operatorsSay(one, 'suspend')
    expect((await refund(one.shop, id, { amount: '400' })).status).to.equal(201)
  })
})
