/**
 * Files that banks put down for us. A file is written down whole, with all its events, before the
 * bank is told that we have it; from then on each event goes the way of every other one.
 */
import { createHash } from 'node:crypto'
import type { Knex } from 'knex'
import type { BankAdapter, BankEvent, Collected } from '../../adapters/adapter.ts'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { orNothing } from '../metrics.ts'
import { countsOf } from './counts.ts'
import { writeDown } from './inbox.ts'

/** Nobody else fetches from a bank so long after its worker died. */
const LEASE_MS = 15_000
/** A worker that lives begins its lease anew so often, however large the file that it reads. */
const RENEW_EVERY_MS = 5_000
/** Banks that are asked at the same time. */
const BANKS_MAX = 4
/** A file may hold so many events, which one transaction writes; one with more is for a person. */
export const FILE_EVENTS_MAX = 20_000
/** One visit takes so many files at most; the next one goes on. */
const FILES_MAX = 1_000
/** So many rings at once; the sweep finds the others. */
const RINGS_MAX = 500

/** Fetches from every bank that has something to fetch. One that fails keeps no other back. */
export async function collectFiles(context: Context): Promise<void> {
  const banks = [...context.banks.values()].filter(({ capabilities }) =>
    capabilities.has('collect'),
  )
  const waiting = banks.values()
  const lane = async () => {
    for (const bank of waiting) {
      await collectFrom(context, bank).catch((error: unknown) =>
        context.log.warn({ err: error, bank: bank.name }, 'files could not be fetched'),
      )
    }
  }
  await Promise.all(Array.from({ length: BANKS_MAX }, lane))
}

/** @throws whatever the bank's place does. What was written down until then stays. */
export async function collectFrom(context: Context, bank: BankAdapter): Promise<void> {
  const lease = await takeLease(context, bank.name)
  if (lease === undefined) return
  const held = { bank: bank.name, lease }
  const alive = setInterval(() => {
    renew(context, context.db, held, LEASE_MS).catch((error: unknown) =>
      context.log.warn({ err: error, bank: bank.name }, 'a lease was not renewed'),
    )
  }, RENEW_EVERY_MS)
  try {
    let files = 0
    for await (const file of bank.collect()) {
      await take(context, held, file)
      if ((files += 1) >= FILES_MAX) return
    }
  } finally {
    clearInterval(alive)
    await renew(context, context.db, held, 0)
  }
}

interface Lease {
  readonly bank: string
  /** Fencing: only its newest holder may write a file down. */
  readonly lease: number
}

async function takeLease({ db, now }: Context, bank: string): Promise<number | undefined> {
  const [at, until] = [now(), new Date(now().getTime() + LEASE_MS)]
  const rows = await db('bank_collections')
    .insert({ bank, lease: 1, leased_until: until })
    .onConflict('bank')
    .merge({ lease: db.raw('bank_collections.lease + 1'), leased_until: until })
    .where('bank_collections.leased_until', '<=', at)
    .returning('lease')
  return rows[0]?.lease
}

/** @returns whether it is still held. */
async function renew({ now }: Context, db: Knex, lease: Lease, for_ms: number): Promise<boolean> {
  const leased_until = new Date(now().getTime() + for_ms)
  return (
    (await db('bank_collections')
      .where({ ...lease })
      .update({ leased_until })) === 1
  )
}

/** The row and all events commit together; only then is the file accepted. */
async function take(context: Context, lease: Lease, file: Collected): Promise<void> {
  const tooMany = `more than ${FILE_EVENTS_MAX} events`
  const fault = file.fault ?? (file.events.length > FILE_EVENTS_MAX ? tooMany : undefined)
  if (fault !== undefined) return refuse(context, lease, file, fault)
  const digest = digestOf(file.events)
  const written = context.db.transaction(async (trx) => {
    if (!(await renew(context, trx, lease, LEASE_MS))) throw new Error('the lease is lost')
    return writeFile(context, trx, lease.bank, file, digest)
  })
  const { known, fresh } = (await written.catch(orUnwritable)) ?? {}
  if (fresh === undefined) {
    return refuse(context, lease, file, 'something in it cannot be written down')
  }
  if (known !== undefined && !known.digest.equals(digest)) {
    return file.reject('another file came under this message id before')
  }
  await file.accept()
  await context.queue.ring('callback', fresh.slice(0, RINGS_MAX))
}

/** A file that no database takes must not keep back all that come after it. */
function orUnwritable(error: unknown): undefined {
  const { code } = error as { readonly code?: unknown }
  if (typeof code === 'string' && code.startsWith(DATA_EXCEPTION)) return undefined
  throw error
}

/** The class of Postgres’s errors that are about a value. */
const DATA_EXCEPTION = '22'

/** Once it is set aside nobody would know that it came: so somebody is told before, and once. */
async function refuse(
  context: Context,
  lease: Lease,
  file: Collected,
  fault: string,
): Promise<void> {
  const row = failedRow(lease.bank, file, fault, context.now())
  await context.db.transaction(async (trx) => {
    if (!(await renew(context, trx, lease, LEASE_MS))) throw new Error('the lease is lost')
    const inserted = await trx('bank_files')
      .insert(row)
      .onConflict(['bank', 'message_id'])
      .ignore()
      .returning('id')
    if (inserted.length === 0) return
    const [object, at] = [publicId('bfl', row.id), row.received_at]
    await recordEvent(trx, { type: 'bank_file.failed', object, data: fileOut(row), at })
  })
  context.log.error({ bank: lease.bank, fault: row.fault }, 'a file of a bank cannot be used')
  await file.reject(fault)
}

/**
 * Under an id of its own, not the sender’s: a good file may still come under that one. The same
 * file that is offered again has the same. Nothing of it is believed, so it has no events.
 */
function failedRow(bank: string, file: Collected, fault: string, received_at: Date): FileRow {
  const digest = digestOf(file.events)
  const said = JSON.stringify([file.messageId, file.name, fault, digest.toString('hex')])
  const message_id = `unreadable ${createHash('sha256').update(said).digest('hex').slice(0, 32)}`
  return {
    ...{ id: newId(), bank, message_id, name: storable(file.name), events: 0, digest },
    ...{ received_at, fault: storable(fault) },
  }
}

const TEXT_MAX = 500

/** It may be its very name that no database takes. */
const storable = (text: string) => text.replaceAll('\0', '').slice(0, TEXT_MAX)

interface FileRow {
  readonly id: Uuid
  readonly bank: string
  readonly message_id: string
  readonly name: string
  readonly events: number
  readonly digest: Buffer
  readonly received_at: Date
  /** Why it could not be used; null for one that was. */
  readonly fault: string | null
}

async function writeFile(
  context: Context,
  trx: Knex.Transaction,
  bank: string,
  { messageId, name, events }: Collected,
  digest: Buffer,
): Promise<{ readonly known: FileRow | undefined; readonly fresh: readonly Uuid[] }> {
  const id = newId()
  const row = { id, bank, message_id: messageId, name, events: events.length, digest }
  const inserted = await trx('bank_files')
    .insert({ ...row, received_at: context.now() })
    .onConflict(['bank', 'message_id'])
    .ignore()
    .returning('id')
  if (inserted.length === 1) {
    const { fresh } = await writeDown(context, trx, { bank, source: 'file', file: id }, events)
    return { known: undefined, fresh }
  }
  const where = { bank, message_id: messageId }
  const known: FileRow | undefined = await trx('bank_files').where(where).first()
  if (known === undefined) throw new Error(`file ${messageId} of ${bank} has vanished`)
  if (!known.digest.equals(digest)) await contradict(context, trx, known)
  return { known, fresh: [] }
}

/** The alarm is raised once for each message id. */
async function contradict(context: Context, trx: Knex.Transaction, file: FileRow): Promise<void> {
  const at = context.now()
  const first = { id: file.id, contradicted_at: null }
  const changed = await trx('bank_files').where(first).update({ contradicted_at: at })
  if (changed !== 1) return
  const object = publicId('bfl', file.id)
  await recordEvent(trx, { type: 'bank_file.contradicted', object, data: fileOut(file), at })
}

/** Of what its events say, in their order: a copy of a file says the same. */
function digestOf(events: readonly BankEvent[]): Buffer {
  const hash = createHash('sha256')
  for (const { eventId, reference, outcome, money } of events) {
    const { amount, currency } = money
    hash.update(`${JSON.stringify([eventId, reference, outcome, `${amount}`, currency])}\n`)
  }
  return hash.digest()
}

/** Newest first. */
export async function findFiles(
  db: Knex,
  { before, limit }: { readonly before: Uuid | undefined; readonly limit: number },
): Promise<FileRow[]> {
  const query = db('bank_files').orderBy('id', 'desc').limit(limit)
  if (before !== undefined) query.where('id', '<', before)
  return query
}

export const fileOut = (file: FileRow) => ({
  id: publicId('bfl', file.id),
  bank: file.bank,
  message_id: file.message_id,
  name: file.name,
  events: file.events,
  received_at: file.received_at.toISOString(),
  fault: file.fault,
})

/** How many files of each bank could not be used so far; asked when it is scraped. */
export function watchFailedFiles({ banks, db, log, metrics }: Context): void {
  const [name, help] = ['florin_bank_files_failed', 'Files of a bank that could not be used']
  const read = () => countsOf(banks, db('bank_files').whereNotNull('fault'))
  metrics.gauges(name, help, orNothing(log, 'files that failed', read))
}
