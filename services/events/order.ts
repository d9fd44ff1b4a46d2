/**
 * Events in the order in which nobody misses any: by the transaction that wrote them, as far as all
 * transactions have ended. One that takes long keeps back what comes after it, and loses nothing.
 * After a restore nothing is answered until the migrations have run: see `event_horizon`.
 */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { EVENT_COLUMNS, type EventRow } from './events.ts'

/** A place in that order. */
export interface Place {
  readonly transaction: bigint
  readonly id: Uuid
}

export interface TailRow extends Place {
  /** Who may read it, beside the chat app and operators. */
  readonly merchant: Uuid | null
  readonly event: EventRow
}

/** What comes after `place`, as far as nothing can come in between any more. */
export async function eventsAfter(
  db: Knex,
  { transaction, id }: Place,
  limit: number,
): Promise<TailRow[]> {
  const rows: (EventRow & { transaction: bigint; merchant: Uuid | null })[] = await db('events')
    .whereRaw('(transaction_id, id) > (?::bigint, ?::uuid)', [`${transaction}`, id])
    .whereRaw('transaction_id < event_horizon()')
    .orderBy(['transaction_id', 'id'])
    .limit(limit)
    .select(EVENT_COLUMNS)
    .select({ transaction: 'transaction_id', merchant: 'merchant_id' })
  return rows.map(({ transaction: of, merchant, ...event }) => ({
    ...{ transaction: of, id: event.id, merchant, event },
  }))
}

/** No event is after it that is there already. */
const LAST_ID: Uuid = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Behind all that `eventsAfter` could answer with at this moment. */
export async function placeNow(db: Knex): Promise<Place> {
  const { rows } = await db.raw<{ rows: [{ transaction: bigint }] }>(
    `SELECT event_horizon() - 1 AS transaction`,
  )
  return { transaction: rows[0].transaction, id: LAST_ID }
}

/** The place of an event; of the newest one where none is named. Undefined where there is none. */
export async function placeOf(
  db: Knex,
  { id, merchant }: { readonly id?: Uuid | undefined; readonly merchant: Uuid | undefined },
): Promise<Place | undefined> {
  const query = db('events').orderBy('id', 'desc')
  void query.whereRaw('transaction_id < event_horizon()')
  if (id !== undefined) void query.where({ id })
  if (merchant !== undefined) void query.where({ merchant_id: merchant })
  return query.first({ transaction: 'transaction_id', id: 'id' })
}

/** Whether `one` comes after `other`. */
export const isAfter = (one: Place, other: Place): boolean =>
  one.transaction === other.transaction ? one.id > other.id : one.transaction > other.transaction
