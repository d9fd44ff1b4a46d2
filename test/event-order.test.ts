/** The order of events after a restore into a cluster whose transactions have lower numbers. */
import { expect } from 'chai'
import type { Knex } from 'knex'
import { connect, newId } from '../ledger/index.ts'
import { eventsAfter, type Place, placeNow } from '../services/events/order.ts'
import { recordEvent } from '../services/events/events.ts'
import { publicId } from '../services/ids.ts'
import { migrateAll } from '../services/migrations.ts'
import { until } from './support/abuse.ts'
import { world } from './support/world.ts'

/** So much further the other cluster had counted. */
const AHEAD = 1_000_000

describe('the order of events', () => {
  let [db, url]: [Knex?, string?] = []
  before(async () => {
    ;({ url } = await (await world()).newDatabase())
    db = connect({ url, connectionsMax: 3, applicationName: 'test' })
  })
  after(() => db!.destroy())

  async function happens(): Promise<string> {
    const object = publicId('rcl', newId())
    await db!.transaction((trx) =>
      recordEvent(trx, { type: 'recall.manual', object, data: { id: object }, at: new Date() }),
    )
    return object
  }
  const START: Place = { transaction: 0n, id: newId() }
  const read = async (place: Place) => {
    const rows = await eventsAfter(db!, place, 100)
    return { objects: rows.map(({ event }) => event.object_id), place: rows.at(-1) ?? place }
  }
  /** So many are told once all that began before has ended, in other tests of the cluster too. */
  const readAll = async (place: Place, count: number) => {
    await until(async () => (await read(place)).objects.length >= count)
    return read(place)
  }
  const faultOf = (asked: Promise<unknown>) =>
    asked.then(
      () => 'none',
      (error: Error) => error.message,
    )
  const newest = () =>
    db!('events').orderBy('transaction_id', 'desc').first('object_id', 'transaction_id')

  /** As a dump from another cluster leaves it: the same rows, and the numbers of that cluster. */
  async function restore(): Promise<void> {
    await db!.transaction(async (trx) => {
      await trx.raw('SET LOCAL session_replication_role = replica')
      await trx('events').increment('transaction_id', AHEAD)
      await trx('webhook_progress').increment('transaction_id', AHEAD)
      await trx('event_order').increment('cluster', 1)
    })
  }

  it('is that of transactions, and migrations leave it alone', async () => {
    const told = [await happens(), await happens()]
    expect((await readAll(START, 2)).objects).to.deep.equal(told)
    await migrateAll(url!)
    expect((await db!('event_order').first()).ahead).to.equal(0n)
  })

  it('is that of versions for one object, whichever transaction began first', async () => {
    const object = publicId('rcl', newId())
    const { place } = await read(START)
    const told = (trx: Knex.Transaction, at: Date) =>
      recordEvent(trx, { type: 'recall.manual', object, data: { id: object }, at })
    const now = Date.now()
    await db!.transaction(async (first) => {
      // Its number is given out here, and what it tells comes after what the second told.
      await first.raw('SELECT pg_current_xact_id()')
      await db!.transaction((second) => told(second, new Date(now)))
      // It is not told of either while the first one runs.
      expect((await read(place)).objects).to.deep.equal([])
      await told(first, new Date(now - 60_000))
    })
    await readAll(place, 2)
    const rows = await eventsAfter(db!, place, 100)
    expect(rows.map(({ event }) => [event.object_id, event.version])).to.deep.equal([
      [object, 1],
      [object, 2],
    ])
    expect(rows[0]!.id < rows[1]!.id, 'by id too').to.equal(true)
  })

  it('is refused after a restore, until the migrations have run', async () => {
    const { place } = await read(START)
    await restore()
    const why = /restored into another cluster: run the migrations/
    expect(await faultOf(read(place))).to.match(why)
    expect(await faultOf(placeNow(db!))).to.match(why)
    await migrateAll(url!)
    expect(await faultOf(read(place))).to.equal('none')
  })

  it('goes on after what was restored: who had read all of it misses nothing', async () => {
    const all = await read(START)
    const lastRestored = (await newest()).transaction_id
    const told = [await happens(), await happens()]
    const { owner } = await world()
    const { rows } = await owner.raw('SELECT pg_current_xact_id()::text::bigint AS now')
    // By its own number it would lie before what was read.
    expect(rows[0].now < lastRestored).to.equal(true)
    expect((await readAll(all.place, 2)).objects).to.deep.equal(told)
    expect((await read(START)).objects).to.deep.equal([...all.objects, ...told])
    expect((await placeNow(db!)).transaction > (await newest()).transaction_id).to.equal(true)
  })

  it('goes on after a second restore, and is left alone where nothing was restored', async () => {
    const { ahead } = await db!('event_order').first()
    await migrateAll(url!)
    expect((await db!('event_order').first()).ahead).to.equal(ahead)
    const { place } = await read(START)
    await restore()
    await migrateAll(url!)
    expect((await db!('event_order').first()).ahead > ahead).to.equal(true)
    const moved = { ...place, transaction: place.transaction + BigInt(AHEAD) }
    const object = await happens()
    expect((await readAll(moved, 1)).objects).to.deep.equal([object])
  })
})
