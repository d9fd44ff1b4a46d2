/** The security log: one row for each thing that somebody may have to answer for. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type CompanionRow, newId, type Uuid } from '../../ledger/index.ts'
import type { SecurityKind } from './kinds.ts'
import { type Watch, WINDOW_MS } from './watch.ts'

/** Which request something was done by; there is none in a worker. */
export interface Origin {
  readonly requestId: Uuid
  /** Where it came from, in clear: never written down or logged. */
  readonly address: string
  /**
   * Who asks, as far as that is known yet: `per_…`, `mer_…`, `operator <subject>`; or, in clear and
   * never written down like this, `token <issuer> <subject>`.
   */
  readonly actor?: string
  /** The operator who agreed, where two have to. */
  readonly approvedBy?: string
}

/** What of the context it takes to write a row. `db` may be a transaction. */
export interface Recorder {
  readonly db: Knex
  readonly now: () => Date
  readonly watch: Watch
  readonly log: Logger
  readonly origin?: Origin
}

/** A command line has no requests, and so no addresses to hide. */
type Writer = Pick<Recorder, 'db'> & Scribe
type Scribe =
  | Pick<Recorder, 'now' | 'watch' | 'origin'>
  | { readonly now: () => Date; readonly origin?: undefined }

export interface SecurityEntry {
  readonly kind: SecurityKind
  /** Whoever asks, where it is left out; nobody, where no request is answered. */
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
export async function recordSecurity(writer: Writer, entry: SecurityEntry): Promise<void> {
  await writer.db('security_log').insert(securityRow(writer, entry))
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
    ...securityRow(rest, { kind: kind as SecurityKind, detail: { counted: true } }),
    ...(address !== undefined && { address: rest.watch.hashOf(address) }),
    times,
  }))
  if (rows.length > 0) await rest.db('security_log').insert(rows)
}

/** The row that `recordSecurity` writes. */
function securityRow(scribe: Scribe, { kind, actor, subject, detail }: SecurityEntry) {
  const { origin } = scribe
  const approved = origin?.approvedBy && { approved_by: origin.approvedBy }
  // Hidden here and nowhere else: of most requests nothing is written.
  const named = (name: string | undefined) =>
    name === undefined || scribe.origin === undefined ? name : scribe.watch.nameOf(name)
  return {
    ...{ id: newId(), at: scribe.now(), kind, actor: named(actor ?? origin?.actor) ?? null },
    ...{ subject: named(subject) ?? null, request_id: origin?.requestId ?? null },
    address: scribe.origin === undefined ? null : scribe.watch.hashOf(scribe.origin.address),
    detail: JSON.stringify({ ...detail, ...approved }),
  }
}

/** The same for a group, which commits it with what it tells of. */
export function securityCompanion(scribe: Scribe, entry: SecurityEntry): CompanionRow {
  const { address, detail, ...row } = securityRow(scribe, entry)
  const hidden = address === null ? null : `\\x${address.toString('hex')}`
  return { ...row, address: hidden, detail: JSON.parse(detail) }
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

/** Newest first. Whose subject is hidden is found by its name, and by what the log has instead. */
export async function findSecurity(
  { db, watch }: Pick<Recorder, 'db' | 'watch'>,
  { kind, actor, subject, before, limit }: SecurityFilter,
): Promise<SecurityRow[]> {
  const query = db('security_log').orderBy('id', 'desc').limit(limit)
  if (kind !== undefined) query.where({ kind })
  if (actor !== undefined) query.whereIn('actor', [actor, watch.nameOf(actor)])
  if (subject !== undefined) query.whereIn('subject', [subject, watch.nameOf(subject)])
  if (before !== undefined) query.where('id', '<', before)
  return query.select('*')
}
