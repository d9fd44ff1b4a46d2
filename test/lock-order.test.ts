/**
 * Two workers that write down the same work, as when one comes back from a standstill to what
 * another has taken over: they take turns, and neither waits for the other for ever.
 */
import { expect } from 'chai'
import type { Knex } from 'knex'
import { connect, newId } from '../ledger/index.ts'
import { recordEvent } from '../services/events/events.ts'
import { publicId } from '../services/ids.ts'
import { returnTurns, type Taken } from '../services/settlements/turns.ts'
import { enqueue, openRecorder } from '../services/webhooks/deliveries.ts'
import { times } from './support/abuse.ts'
import { world } from './support/world.ts'

const [ROWS, ROUNDS] = [400, 20]

describe('two workers that write down the same work', () => {
  const dbs: Knex[] = []
  before(async () => {
    const { url } = await (await world()).newDatabase()
    dbs.push(...times(2, () => connect({ url, connectionsMax: 1, applicationName: 'test' })))
    for (const db of dbs) {
      // As Postgres goes about it where there are many: one after another, as they are told.
      await db.raw('SET enable_hashjoin = off; SET enable_mergejoin = off')
    }
  })
  after(() => Promise.all(dbs.map((db) => db.destroy())))

  it('write outcomes of webhooks once, in whatever order each has them', async () => {
    const [one, other] = dbs as [Knex, Knex]
    const at = new Date()
    const ids = await deliveriesOf(one, at)
    for (const number of times(ROUNDS, (round) => round + 1)) {
      const failed = { number, at, status: 500, fault: 'refused', latency_ms: 1, excerpt: null }
      const outcomes = ids.map((delivery) => ({
        ...{ delivery, ...failed, state: 'waiting' as const, failures: number, next_at: at },
      }))
      const write = (db: Knex, all: typeof outcomes) => Promise.all(all.map(openRecorder(db)))
      await Promise.all([write(one, outcomes), write(other, outcomes.toReversed())])
    }
    const attempts = await one('webhook_attempts').count({ all: '*' }).first()
    expect(Number(attempts?.['all'])).to.equal(ROWS * ROUNDS)
  })

  it('return turns of settlement as far as either got, in whatever order each has them', async () => {
    const [one, other] = dbs as [Knex, Knex]
    const [start, until] = [new Date(1_000), new Date(2_000)]
    const merchants = times(ROWS, () => newId())
    await one.transaction(async (trx) => {
      // Turns of nobody: what a merchant is made of plays no part in how they are locked.
      await trx.raw('SET LOCAL session_replication_role = replica')
      await trx('settlement_turns').insert(
        merchants.map((merchant_id) => ({
          ...{ merchant_id, currency: 'EUR', settled_to: start, next_at: until },
        })),
      )
    })
    const to = (settledTo: Date): Taken[] =>
      merchants.map((merchant) => ({ merchant, currency: 'EUR', settledTo, nextAt: undefined }))
    for (const round of times(ROUNDS, (index) => index + 1)) {
      const [near, far] = [round * 10_000, round * 10_000 + 5_000].map((ms) => to(new Date(ms)))
      await Promise.all([
        returnTurns(one, far!, until),
        returnTurns(other, near!.toReversed(), until),
      ])
    }
    const turns = await one('settlement_turns').distinct('settled_to', 'next_at')
    expect(turns).to.deep.equal([{ settled_to: new Date(ROUNDS * 10_000 + 5_000), next_at: null }])
  })
})

async function deliveriesOf(db: Knex, at: Date): Promise<string[]> {
  const endpoint = newId()
  await db('webhook_endpoints').insert({
    ...{ id: endpoint, url: 'https://shop.example', types: ['*'], state: 'enabled' },
    ...{ secret_sealed: Buffer.alloc(1), created_by: 'test', created_at: at, changed_at: at },
  })
  await db.transaction(async (trx) => {
    for (const object of times(ROWS, () => publicId('rcl', newId()))) {
      await recordEvent(trx, { type: 'recall.manual', object, data: { id: object }, at })
    }
    const events: string[] = await trx('events').pluck('id')
    await enqueue(
      trx,
      events.map((event) => ({ endpoint, event })),
      at,
    )
  })
  return db('webhook_deliveries').orderBy('id').pluck('id')
}
