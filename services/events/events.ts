/** The event log: what happened, written in the transaction in which it happened. */
import type { Knex } from 'knex'
import type { CompanionRow, Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'
import type { EventType } from './catalogue.ts'
import { eventId, firstVersion, nextTurn } from './identity.ts'

export interface NewEvent {
  readonly type: EventType
  /** The public id of what it is about. */
  readonly object: string
  /** The merchant who may read it, beside the chat app and operators. */
  readonly merchant?: Uuid | undefined
  /** As the API shows it, or that as JSON. */
  readonly data: object | string
  readonly at: Date
}

/** Of an object that is made together with it: `recordEvent` is for all that comes later. */
export const eventRow = (event: NewEvent): CompanionRow => rowOf(event, firstVersion(event.object))

/** @returns its id. */
export async function recordEvent(trx: Knex.Transaction, event: NewEvent): Promise<Uuid> {
  const { version, transaction, at } = await nextTurn(trx, event.object, event.at)
  const row = rowOf({ ...event, at }, version)
  await trx('events').insert({ ...row, transaction_id: `${transaction}` })
  return row.id
}

function rowOf({ type, object, merchant, data, at }: NewEvent, version: number) {
  return {
    id: eventId({ type, object, version, at }),
    type,
    object_id: object,
    version,
    merchant_id: merchant ?? null,
    data: typeof data === 'string' ? data : JSON.stringify(data),
    created_at: at,
  }
}

export interface EventRow {
  readonly id: Uuid
  readonly type: EventType
  readonly object_id: string
  readonly version: number
  readonly data: unknown
  readonly created_at: Date
}

export const EVENT_COLUMNS = ['id', 'type', 'object_id', 'version', 'data', 'created_at'] as const

/** Who is told. */
export type EventReader = 'chat' | 'merchant' | 'operator'

/**
 * What is told to its merchant and to operators only. The chat app reads the events of everybody,
 * and gets null as it does where it reads the object: how a merchant stands is not its business.
 */
const INSIDE: Readonly<Partial<Record<EventType, readonly string[]>>> = {
  'refund.completed': ['paid_from', 'shares_returned'],
  'dispute.opened': ['paid_from'],
  'dispute.evidence_submitted': ['paid_from'],
  'dispute.won': ['paid_from'],
  'dispute.lost': ['paid_from'],
  'dispute.reversed': ['paid_from'],
}

function dataFor(reader: EventReader, { type, data }: EventRow): unknown {
  const inside = reader === 'chat' ? INSIDE[type] : undefined
  if (inside === undefined) return data
  return { ...(data as object), ...Object.fromEntries(inside.map((name) => [name, null])) }
}

/** As it is told everywhere: names and notes are filled in by whoever shows it. */
export const eventOut = (event: EventRow, reader: EventReader) => ({
  id: publicId('evt', event.id),
  type: event.type,
  object: event.object_id,
  version: event.version,
  data: dataFor(reader, event),
  created_at: event.created_at.toISOString(),
})

/** Newest first; all of them, or those a merchant may read. */
export async function findEvents(
  db: Knex,
  {
    merchant,
    before,
    limit,
  }: { merchant?: Uuid | undefined; before?: Uuid | undefined; limit: number },
): Promise<EventRow[]> {
  const query = db('events').orderBy('id', 'desc').limit(limit)
  if (merchant !== undefined) query.where({ merchant_id: merchant })
  if (before !== undefined) query.where('id', '<', before)
  return query.select(EVENT_COLUMNS)
}
