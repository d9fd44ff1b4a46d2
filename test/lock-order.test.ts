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
    dbs.push(...times(3, () => connect({ url, connectionsMax: 1, applicationName: 'test' })))
    for (const db of dbs) {
      // As Postgres goes about it where there are many: one after another, as they are told.
      await db.raw('SET enable_hashjoin = off; SET enable_mergejoin = off')
    }
  })
  after(() => Promise.all(dbs.map((db) => db.destroy())))

  it('write outcomes of webhooks once, in whatever order each has them', async () => {
    const [one, other, third] = dbs as [Knex, Knex, Knex]
    const at = new Date()
    const { ids, again } = await deliveriesOf(one, at)
    for (const number of times(ROUNDS, (round) => round + 1)) {
      const failed = { number, at, due_at: at, status: 500, fault: 'refused', latency_ms: 1 }
      const outcomes = ids.map((delivery) => ({
        ...{ delivery, ...failed, excerpt: null, state: 'waiting' as const, failures: number },
        next_at: at,
      }))
      const write = (db: Knex, all: typeof outcomes) => Promise.all(all.map(openRecorder(db)))
      await Promise.all([
        ...[write(one, outcomes), write(other, outcomes.toReversed())],
        // While somebody has all of them sent again, as a replay does.
        third.transaction((trx) => enqueue(trx, again, at, { again: true })),
      ])
    }
    const attempts = await one('webhook_attempts').count({ all: '*' }).first()
    expect(Number(attempts?.['all'])).to.equal(ROWS * ROUNDS)
  })

  it('leave waiting what was asked for again during an attempt', async () => {
    const [one] = dbs as [Knex]
    const at = new Date()
    const { ids, again } = await deliveriesOf(one, at)
    const later = new Date(at.getTime() + 1_000)
    await one.transaction((trx) => enqueue(trx, again, later, { again: true }))
    const failed = { number: 1, at, due_at: at, status: 500, fault: 'refused', latency_ms: 1 }
    const next_at = new Date(at.getTime() + 3_600_000)
    const outcome = { ...failed, excerpt: null, state: 'waiting' as const, failures: 1, next_at }
    const [asked, other] = [ids[0]!, ids[1]!]
    await one('webhook_deliveries').where({ id: other }).update({ next_at: at })
    const record = openRecorder(one)
    await Promise.all([asked, other].map((delivery) => record({ ...outcome, delivery })))
    const rows = await one('webhook_deliveries')
      .whereIn('id', [asked, other])
      .orderBy('id')
      .select('attempts', 'failures', 'next_at')
    expect(rows).to.deep.equal([
      { attempts: 1, failures: 0, next_at: later },
      { attempts: 1, failures: 1, next_at },
    ])
  })

  it('return turns of settlement as far as either got, in whatever order', async () => {
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

async function deliveriesOf(db: Knex, at: Date) {
  const endpoint = newId()
  await db('webhook_endpoints').insert({
    ...{ id: endpoint, url: 'https://shop.example', types: ['*'], state: 'enabled' },
    ...{ secret_sealed: Buffer.alloc(1), created_by: 'test', created_at: at, changed_at: at },
  })
  const deliveries = await db.transaction(async (trx) => {
    for (const object of times(ROWS, () => publicId('rcl', newId()))) {
      await recordEvent(trx, { type: 'recall.manual', object, data: { id: object }, at })
    }
    const events: string[] = await trx('events').pluck('id')
    const all = events.map((event) => ({ endpoint, event }))
    await enqueue(trx, all, at)
    return all
  })
  const ids: string[] = await db('webhook_deliveries')
    .where({ endpoint_id: endpoint })
    .orderBy('id')
    .pluck('id')
  return { ids, again: deliveries.toReversed() }
}
