/**
 * Events in the order in which nobody misses any: by the transaction that wrote them, as far as all
 * transactions have ended. One that takes long keeps back what comes after it, and loses nothing.
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
    .whereRaw('transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint')
    .orderBy(['transaction_id', 'id'])
    .limit(limit)
    .select(EVENT_COLUMNS)
    .select({ transaction: 'transaction_id', merchant: 'merchant_id' })
  return rows.map(({ transaction: of, merchant, ...event }) => ({
    ...{ transaction: of, id: event.id, merchant, event },
  }))
}
