/** Two workers that write down what became of the same messages: neither waits for the other. */
import { expect } from 'chai'
import type { Knex } from 'knex'
import { connect, newId } from '../ledger/index.ts'
import { recordEvent } from '../services/events/events.ts'
import { publicId } from '../services/ids.ts'
import { enqueue, openRecorder } from '../services/webhooks/deliveries.ts'
import { times } from './support/abuse.ts'
import { world } from './support/world.ts'

const [DELIVERIES, ROUNDS] = [400, 20]

describe('outcomes of webhooks that two workers write down', () => {
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

  it('are written once, in whatever order each has them, without a deadlock', async () => {
    const [one, other] = dbs as [Knex, Knex]
    const at = new Date()
    const endpoint = newId()
    const columns = { id: endpoint, url: 'https://shop.example', types: ['*'] }
    const made = {
      created_by: 'test',
      secret_sealed: Buffer.alloc(1),
      created_at: at,
      changed_at: at,
    }
    await one('webhook_endpoints').insert({ state: 'enabled', ...columns, ...made })
    await one.transaction(async (trx) => {
      for (const object of times(DELIVERIES, () => publicId('rcl', newId()))) {
        await recordEvent(trx, { type: 'recall.manual', object, data: { id: object }, at })
      }
      const events: string[] = await trx('events').pluck('id')
      await enqueue(
        trx,
        events.map((event) => ({ endpoint, event })),
        at,
      )
    })
    const ids = await one('webhook_deliveries').orderBy('id').pluck('id')
    for (const number of times(ROUNDS, (round) => round + 1)) {
      const failed = { number, at, status: 500, fault: 'refused', latency_ms: 1, excerpt: null }
      const outcomes = ids.map((delivery) => ({
        ...{ delivery, ...failed, state: 'waiting' as const, failures: number, next_at: at },
      }))
      const write = (db: Knex, all: typeof outcomes) => Promise.all(all.map(openRecorder(db)))
      await Promise.all([write(one, outcomes), write(other, outcomes.toReversed())])
    }
    const attempts = await one('webhook_attempts').count({ all: '*' }).first()
    expect(Number(attempts?.['all'])).to.equal(DELIVERIES * ROUNDS)
  })
})
