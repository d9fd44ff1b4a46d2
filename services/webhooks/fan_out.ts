/**
 * Events become deliveries: each once for every endpoint that asked for its type. Any number of
 * workers may call this; one goes on from where the last one stopped, and nobody skips anything.
 */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import type { EventType } from '../events/catalogue.ts'
import { eventsAfter, type Place, type TailRow } from '../events/order.ts'
import { enqueue, type NewDelivery } from './deliveries.ts'
import { filtersOf } from './endpoints.ts'

/** Events of one transaction. */
const BATCH = 1_000

/** Its endpoint is told by whoever asked for it, and no other. */
const TOLD_TO_ONE: EventType = 'webhook_endpoint.ping'

interface Listening {
  readonly id: Uuid
  readonly merchant_id: Uuid | null
  readonly types: readonly string[]
}

/** @returns how many events were looked at: as many as fit means that there may be more. */
export async function fanOut(context: Context): Promise<{ readonly isAll: boolean }> {
  const { db } = context
  // A look costs nothing; a lock would write to disk several times a second, for nothing.
  const seen = await progressOf(db)
  if (seen === undefined || (await eventsAfter(db, seen, 1)).length === 0) return { isAll: true }
  return db.transaction(async (trx) => {
    const from = await progressOf(trx).forUpdate().skipLocked()
    // Another worker is at it.
    if (from === undefined) return { isAll: true }
    const fresh = await eventsAfter(trx, from, BATCH)
    const last = fresh.at(-1)
    if (last === undefined) return { isAll: true }
    const deliveries = deliveriesOf(fresh, await listeningTo(trx, fresh))
    await enqueue(trx, deliveries, context.now())
    await trx('webhook_progress').update({ transaction_id: last.transaction, event_id: last.id })
    return { isAll: fresh.length < BATCH }
  })
}

const progressOf = (db: Knex) =>
  db('webhook_progress').first<Place | undefined>({
    ...{ transaction: 'transaction_id', id: 'event_id' },
  })

/** The chat app's endpoints, and those of the merchants that something happened to. */
async function listeningTo(trx: Knex, events: readonly TailRow[]): Promise<Listening[]> {
  const merchants = [...new Set(events.flatMap(({ merchant }) => merchant ?? []))]
  return trx('webhook_endpoints')
    .where({ state: 'enabled', deleted_at: null })
    .where((whose) => void whose.whereNull('merchant_id').orWhereIn('merchant_id', merchants))
    .select('id', 'merchant_id', 'types')
}

function deliveriesOf(
  events: readonly TailRow[],
  endpoints: readonly Listening[],
): readonly NewDelivery[] {
  return events
    .filter(({ event }) => event.type !== TOLD_TO_ONE)
    .flatMap(({ id, event, merchant }) =>
      endpoints
        .filter(({ merchant_id }) => merchant_id === null || merchant_id === merchant)
        .filter(({ types }) => isAsked(types, event.type))
        .map(({ id: endpoint }) => ({ endpoint, event: id })),
    )
}

const isAsked = (types: readonly string[], type: EventType) =>
  filtersOf(type).some((filter) => types.includes(filter))

/** Old events of one replay that are made to wait again at once. */
const REPLAY_BATCH = 500
/** A replay goes on when no more than so many wait: its receiver sets the pace. */
const WAITING_MAX = 2_000

interface Replaying extends Listening {
  readonly replay_from: Uuid
  readonly replay_until: Uuid
}

/** One step of one replay, if there is one that waits for it. */
export async function replayStep(context: Context): Promise<void> {
  const { db } = context
  const pending = db('webhook_endpoints').where({ state: 'enabled', deleted_at: null })
  if ((await pending.clone().whereNotNull('replay_from').first('id')) === undefined) return
  await db.transaction(async (trx) => {
    const one: Replaying | undefined = await pending
      .clone()
      .transacting(trx)
      .whereNotNull('replay_from')
      .whereRaw(
        `(SELECT count(*) FROM (SELECT FROM webhook_deliveries d
           WHERE d.endpoint_id = webhook_endpoints.id AND d.state = 'waiting' LIMIT ?) w) < ?`,
        [WAITING_MAX, WAITING_MAX],
      )
      .forUpdate()
      .skipLocked()
      .first()
    if (one !== undefined) await replay(trx, one, context.now())
  })
}

async function replay(trx: Knex.Transaction, one: Replaying, now: Date): Promise<void> {
  const query = trx('events').whereBetween('id', [one.replay_from, one.replay_until])
  if (one.merchant_id !== null) void query.where({ merchant_id: one.merchant_id })
  const found: { id: Uuid; type: EventType }[] = await query
    .orderBy('id')
    .limit(REPLAY_BATCH + 1)
    .select('id', 'type')
  const next = found[REPLAY_BATCH]
  const deliveries = found
    .slice(0, REPLAY_BATCH)
    .filter(({ type }) => type !== TOLD_TO_ONE && isAsked(one.types, type))
    .map(({ id: event }) => ({ endpoint: one.id, event }))
  await enqueue(trx, deliveries, now, { again: true })
  const rest = next === undefined ? { replay_from: null, replay_until: null } : {}
  const change = { ...(next && { replay_from: next.id }), ...rest }
  await trx('webhook_endpoints').where({ id: one.id }).update(change)
}
