/** What is to reach an endpoint, and what became of it: rows, written many at a time. */
import type { Knex } from 'knex'
import { newId, type Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { EVENT_COLUMNS, type EventRow } from '../events/events.ts'
import { publicId } from '../ids.ts'

export const DELIVERY_STATES = ['waiting', 'delivered', 'failed'] as const
type DeliveryState = (typeof DELIVERY_STATES)[number]

export interface NewDelivery {
  readonly endpoint: Uuid
  readonly event: Uuid
}

/**
 * Makes them wait, and wakes their endpoints. In the transaction that also notes up to where events
 * were looked at; one that is there already stays as it is, unless it is to be sent again: then one
 * that waits for its next attempt waits no longer.
 */
export async function enqueue(
  trx: Knex.Transaction,
  deliveries: readonly NewDelivery[],
  now: Date,
  { again = false }: { readonly again?: boolean } = {},
): Promise<void> {
  if (deliveries.length === 0) return
  // The endpoints first, in the order of their ids, as everybody does who locks them too.
  const woken = [...new Set(deliveries.map(({ endpoint }) => endpoint))].sort()
  await trx.raw(
    `UPDATE webhook_endpoints SET due_at = least(due_at, :now::timestamptz)
      WHERE id IN (SELECT id FROM webhook_endpoints WHERE id = ANY (:woken::uuid[])
                    ORDER BY id FOR NO KEY UPDATE)`,
    { now, woken },
  )
  const told = {
    ids: deliveries.map(() => newId()),
    endpoints: deliveries.map(({ endpoint }) => endpoint),
    events: deliveries.map(({ event }) => event),
  }
  if (again) await trx.raw(LOCK_KNOWN, told)
  await trx.raw(`${MAKE} ${again ? MAKE_ANEW : 'DO NOTHING'}`, { ...told, now })
}

// As arrays, three parameters for all: a statement has room for 65,535 of them, and a thousand
// events may concern more endpoints than that.
const TOLD = 'unnest(:endpoints::uuid[], :events::uuid[])'

/** In the order of their ids, as whoever writes down what became of them. */
const LOCK_KNOWN = `
  SELECT id FROM webhook_deliveries WHERE (endpoint_id, event_id) IN (SELECT * FROM ${TOLD})
   ORDER BY id FOR NO KEY UPDATE`

const MAKE = `
  INSERT INTO webhook_deliveries
         (id, endpoint_id, event_id, state, next_at, created_at, changed_at)
  SELECT id, endpoint, event, 'waiting', :now::timestamptz, :now, :now
    FROM unnest(:ids::uuid[], :endpoints::uuid[], :events::uuid[]) AS told (id, endpoint, event)
      ON CONFLICT (endpoint_id, event_id)`

const MAKE_ANEW = `
      DO UPDATE SET state = excluded.state, failures = 0, next_at = excluded.next_at,
                    changed_at = excluded.changed_at`

/** With what is to be told. */
export interface Due {
  readonly delivery: Uuid
  readonly attempts: number
  readonly failures: number
  /** When it was to be sent; who has it sent again meanwhile changes that. */
  readonly dueAt: Date
  readonly event: EventRow
}

/** What is due for the endpoint, and in nobody's hands. */
export async function findDue(
  db: Knex,
  endpoint: Uuid,
  { now, inHand, limit }: { readonly now: Date; readonly inHand: Iterable<Uuid>; limit: number },
): Promise<Due[]> {
  const columns = EVENT_COLUMNS.map((column) => `events.${column}`)
  const rows: (EventRow & Omit<Due, 'event'>)[] = await db('webhook_deliveries as d')
    .join('events', 'events.id', 'd.event_id')
    .where({ endpoint_id: endpoint, state: 'waiting' })
    .where('next_at', '<=', now)
    .whereRaw('d.id <> ALL (?::uuid[])', [[...inHand]])
    .orderBy([{ column: 'next_at' }, { column: 'd.id' }])
    .limit(limit)
    .select('d.id as delivery', 'd.attempts', 'd.failures', 'd.next_at as dueAt', ...columns)
  return rows.map(({ delivery, attempts, failures, dueAt, ...event }) => ({
    ...{ delivery, attempts, failures, dueAt, event },
  }))
}

/** One attempt, and how its delivery stands after it. */
export interface Outcome {
  readonly delivery: Uuid
  /** 1, 2, 3 ... of its delivery, over all rounds. */
  readonly number: number
  readonly at: Date
  readonly status: number | null
  readonly fault: string | null
  readonly latency_ms: number
  readonly excerpt: string | null
  /** When it was to be made. */
  readonly due_at: Date
  readonly state: DeliveryState
  readonly failures: number
  readonly next_at: Date
}

/**
 * Writes them down, each unless somebody else has made the same attempt meanwhile: a worker that
 * stood still comes back to what another has taken over. Both lock them in the order of their ids.
 * What was asked for again during the attempt is sent again, whatever came of it.
 */
async function writeOutcomes(db: Knex, outcomes: readonly Outcome[]): Promise<void> {
  await db.raw(
    `WITH told AS (
       SELECT * FROM json_to_recordset(?::json) AS told (
         delivery uuid, number int, at timestamptz, status int, fault text, latency_ms int,
         excerpt text, due_at timestamptz, state text, failures int, next_at timestamptz)
     ), mine AS MATERIALIZED (
       SELECT d.id, date_trunc('milliseconds', d.next_at) = told.due_at AS is_as_it_was
         FROM webhook_deliveries d JOIN told ON told.delivery = d.id
        WHERE d.attempts = told.number - 1 ORDER BY d.id FOR NO KEY UPDATE OF d
     ), moved AS (
       UPDATE webhook_deliveries d
          SET state = CASE WHEN is_as_it_was THEN told.state ELSE d.state END,
              failures = CASE WHEN is_as_it_was THEN told.failures ELSE d.failures END,
              next_at = CASE WHEN is_as_it_was THEN told.next_at ELSE d.next_at END,
              attempts = told.number, changed_at = told.at
         FROM told JOIN mine ON mine.id = told.delivery WHERE d.id = mine.id
       RETURNING d.id
     )
     INSERT INTO webhook_attempts (delivery_id, number, at, status, fault, latency_ms, excerpt)
     SELECT delivery, number, at, status, fault, latency_ms, excerpt
       FROM told JOIN moved ON moved.id = told.delivery`,
    [JSON.stringify(outcomes)],
  )
}

/** What comes while some are being written is written together, next. */
export function openRecorder(db: Knex): (outcome: Outcome) => Promise<void> {
  let [batch, writing]: [Outcome[], Promise<void>] = [[], Promise.resolve()]
  let next: Promise<void> | undefined
  async function write(): Promise<void> {
    await writing.catch(() => {})
    const outcomes = batch
    ;[batch, next] = [[], undefined]
    writing = writeOutcomes(db, outcomes)
    await writing
  }
  return (outcome) => {
    batch.push(outcome)
    return (next ??= write())
  }
}

export interface DeliveryRow {
  readonly id: Uuid
  readonly event_id: Uuid
  readonly type: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly next_at: Date
  readonly created_at: Date
}

export interface AttemptRow {
  readonly delivery_id: Uuid
  readonly number: number
  readonly at: Date
  readonly status: number | null
  readonly fault: string | null
  readonly latency_ms: number
  readonly excerpt: string | null
}

interface Wanted {
  readonly state?: DeliveryState | undefined
  readonly before?: Uuid | undefined
  readonly id?: Uuid
  readonly limit: number
}

/** Newest first, each with its attempts. */
export async function findDeliveries(
  db: Knex,
  endpoint: Uuid,
  { state, before, id, limit }: Wanted,
) {
  const query = db('webhook_deliveries as d').join('events', 'events.id', 'd.event_id')
  void query.where({ endpoint_id: endpoint }).orderBy('d.id', 'desc').limit(limit)
  if (state !== undefined) void query.where({ state })
  if (before !== undefined) void query.where('d.id', '<', before)
  if (id !== undefined) void query.where('d.id', id)
  const rows: DeliveryRow[] = await query.select('d.*', 'events.type')
  const attempts: AttemptRow[] = await db('webhook_attempts')
    .whereIn(
      'delivery_id',
      rows.map((row) => row.id),
    )
    .orderBy(['delivery_id', 'number'])
  // One that was made since the rows were read is not in what they say.
  return rows.map((row) => ({
    row,
    attempts: attempts.filter((one) => one.delivery_id === row.id && one.number <= row.attempts),
  }))
}

/** @throws {ServiceError} `not_found` */
export async function sendAgain(
  trx: Knex.Transaction,
  endpoint: Uuid,
  id: Uuid,
  now: Date,
): Promise<void> {
  const query = trx('webhook_deliveries').where({ id, endpoint_id: endpoint })
  const known = await query.first('event_id')
  if (known === undefined) throw new ServiceError('not_found')
  await enqueue(trx, [{ endpoint, event: known.event_id }], now, { again: true })
}

/**
 * @param isOurs whether an operator reads it. What a receiver answers is not for whoever named the
 *   receiver: it could be somebody else's machine.
 */
export const deliveryOut = (
  { row, attempts }: { readonly row: DeliveryRow; readonly attempts: readonly AttemptRow[] },
  isOurs = false,
) => ({
  id: publicId('whd', row.id),
  event: publicId('evt', row.event_id),
  ...{ type: row.type, state: row.state },
  next_attempt_at: row.state === 'waiting' ? row.next_at.toISOString() : null,
  attempts: attempts.map(({ at, status, fault, latency_ms, excerpt }) => ({
    ...{ at: at.toISOString(), status, fault, latency_ms, excerpt: isOurs ? excerpt : null },
  })),
  created_at: row.created_at.toISOString(),
})
