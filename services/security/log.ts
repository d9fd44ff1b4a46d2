/** The security log: one row for each thing that somebody may have to answer for. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { SecurityKind } from './kinds.ts'
import { type Watch, WINDOW_MS } from './watch.ts'

/** Which request something was done by; there is none in a worker. */
export interface Origin {
  readonly requestId: Uuid
  /** Where it came from, in clear: never written down or logged. */
  readonly address: string
}

/** What of the context it takes to write a row. `db` may be a transaction. */
export interface Recorder {
  readonly db: Knex
  readonly now: () => Date
  readonly watch: Watch
  readonly log: Logger
  readonly origin?: Origin
}

export interface SecurityEntry {
  readonly kind: SecurityKind
  /** `per_…`, `mer_…` or `operator <subject>`; left out when nobody is known. */
  readonly actor?: string | undefined
  /** Whom or what it was done to, by the id that the API shows. */
  readonly subject?: string | undefined
  /** Never a secret, and nothing that a person wrote. */
  readonly detail?: Readonly<Record<string, string | number | boolean | null>>
}

/**
 * Writes a row for what somebody did. Inside a transaction, give `{ ...context, db: trx }`: then
 * what cannot be written down does not happen.
 */
export async function recordSecurity(recorder: Recorder, entry: SecurityEntry): Promise<void> {
  await recorder.db('security_log').insert(rowOf(recorder, entry))
}

/**
 * Writes a row for what somebody tried in vain, or counts it when they try too much. Never throws:
 * a refusal stays a refusal when the log cannot be written.
 */
export async function recordFailure(recorder: Recorder, entry: SecurityEntry): Promise<void> {
  const { watch, now, log, origin } = recorder
  try {
    if (watch.admit(entry.kind, origin?.address, now())) await recordSecurity(recorder, entry)
    else void flushLater(recorder)
  } catch (error) {
    log.error({ err: error, kind: entry.kind, request: origin?.requestId }, 'security log')
  }
}

/** Those who are waiting to write down what was counted. */
const waiting = new WeakSet<Watch>()

async function flushLater(recorder: Recorder): Promise<void> {
  const { watch, log } = recorder
  if (waiting.has(watch)) return
  waiting.add(watch)
  await pause(WINDOW_MS, undefined, { ref: false })
  waiting.delete(watch)
  await flushCounted(recorder).catch((error: unknown) => log.error({ err: error }, 'security log'))
}

/** Writes down what was counted and not written: the rows and their `times` add up again. */
export async function flushCounted(recorder: Recorder): Promise<void> {
  const { origin: _request, ...rest } = recorder
  const rows = rest.watch.take().map(({ kind, address, times }) => ({
    ...rowOf(rest, { kind: kind as SecurityKind, detail: { counted: true } }),
    ...(address !== undefined && { address: rest.watch.hashOf(address) }),
    times,
  }))
  if (rows.length > 0) await rest.db('security_log').insert(rows)
}

function rowOf({ now, watch, origin }: Recorder, { kind, actor, subject, detail }: SecurityEntry) {
  const { requestId, address } = origin ?? {}
  return {
    ...{ id: newId(), at: now(), kind, actor: actor ?? null, subject: subject ?? null },
    request_id: requestId ?? null,
    address: address === undefined ? null : watch.hashOf(address),
    detail: JSON.stringify(detail ?? {}),
  }
}

export interface SecurityRow {
  readonly id: Uuid
  readonly at: Date
  readonly kind: SecurityKind
  readonly actor: string | null
  readonly subject: string | null
  readonly request_id: Uuid | null
  readonly address: Buffer | null
  readonly times: number
  readonly detail: unknown
}

export interface SecurityFilter {
  readonly kind?: SecurityKind | undefined
  readonly actor?: string | undefined
  readonly subject?: string | undefined
  readonly before?: Uuid | undefined
  readonly limit: number
}

/** Newest first. */
export async function findSecurity(
  db: Knex,
  { kind, actor, subject, before, limit }: SecurityFilter,
): Promise<SecurityRow[]> {
  const query = db('security_log').orderBy('id', 'desc').limit(limit)
  if (kind !== undefined) query.where({ kind })
  if (actor !== undefined) query.where({ actor })
  if (subject !== undefined) query.where({ subject })
  if (before !== undefined) query.where('id', '<', before)
  return query.select('*')
}
