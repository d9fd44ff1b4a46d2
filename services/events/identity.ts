/**
 * By what an event is known: the same id for the same transition of the same object, however often
 * it is told. Receivers drop what they have seen by the id, and what is older by the version.
 */
import { hash } from 'node:crypto'
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { EventType } from './catalogue.ts'

/** One step in the life of an object. */
export interface Transition {
  readonly type: EventType
  /** The public id of the object. */
  readonly object: string
  /** How many there have been with this one: 1, 2, 3 ... */
  readonly version: number
  readonly at: Date
}

/** As many as fit beside the time; a later version of the same millisecond sorts as the last. */
const SORTED_VERSIONS_MAX = 0xfff

/**
 * UUIDv8: 48 bits of the time in milliseconds, 12 of the version, so that what happened to an
 * object sorts in its order, and 62 of a SHA-256 over object, type and version.
 */
export function eventId({ type, object, version, at }: Transition): Uuid {
  const digest = hash('sha256', `${object}\n${type}\n${version}`)
  const time = at.getTime().toString(16).padStart(12, '0')
  const sorted = Math.min(version, SORTED_VERSIONS_MAX).toString(16).padStart(3, '0')
  const variant = '89ab'[Number.parseInt(digest[0] ?? '0', 16) & 3]
  const [first, second] = [`${time.slice(0, 8)}-${time.slice(8)}`, `8${sorted}`]
  return `${first}-${second}-${variant}${digest.slice(1, 4)}-${digest.slice(4, 16)}`
}

/** Nothing of this moment or later, whose id begins with its time, sorts before it. */
export function firstIdAt(at: Date): Uuid {
  const time = at.getTime().toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`
}

/**
 * The objects whose first event is written in the group that makes them: there it is version 1
 * without a question, so that nothing is looked up while money waits. What is told of them later
 * counts on from there; of all others the first that is told later is version 1.
 */
const BORN_IN_GROUP: ReadonlySet<string> = new Set(['pay', 'ord', 'set', 'rsv', 'exc', 'trf'])

const isBornInGroup = (object: string) => BORN_IN_GROUP.has(object.slice(0, object.indexOf('_')))

/** The version of an object that is only being made. */
export function firstVersion(object: string): number {
  if (!isBornInGroup(object)) throw new Error(`${object} is not in BORN_IN_GROUP`)
  return 1
}

/** Where an event lies among those of its object, and among all. */
interface Turn {
  readonly version: number
  /** Its transaction's, or a later one where the object's last event lies there. */
  readonly transaction: bigint
  /** When it is said to have happened: never before the object's last event. */
  readonly at: Date
}

/** Locks the object's count until the transaction ends: its versions commit in their order. */
export async function nextTurn(trx: Knex.Transaction, object: string, at: Date): Promise<Turn> {
  const version = isBornInGroup(object) ? 2 : 1
  const { rows } = await trx.raw<{ rows: [Turn] }>(
    `INSERT INTO object_versions AS known (object_id, version, transaction_id, told_at)
     SELECT ?, ?, pg_current_xact_id()::text::bigint + ahead, ?::timestamptz FROM event_order
     ON CONFLICT (object_id) DO UPDATE SET version = known.version + 1,
       transaction_id = greatest(known.transaction_id, EXCLUDED.transaction_id),
       told_at = greatest(known.told_at, EXCLUDED.told_at)
     RETURNING version, transaction_id AS transaction, told_at AS at`,
    [object, version, at],
  )
  return rows[0]
}
