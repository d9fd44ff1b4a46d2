/**
 * The sealer: puts what was committed since the last seal into the chain and the tree. It runs
 * beside the work and reads only, but for its own tables: nobody waits for it.
 *
 * It can skip nothing. Ids and times are handed out before the commit, so that a row with an
 * earlier one may appear at any time; what a transaction's snapshot has seen does not change. Each
 * seal keeps its snapshot, and the next one takes the rows that its own snapshot sees and that one
 * did not. So seals are in the order of commit, between them at least.
 */
import type { Knex } from 'knex'
import { PATIENT } from '../database.ts'
import { copyOut } from '../wire/copy-out.ts'
import { type Head, type Seal, sealOf, type SealRow } from './heads.ts'
import { TUPLE_COLUMNS } from './leaves.ts'
import { openWriter } from './writer.ts'

export interface SealOptions {
  /** Whose books these are; part of every head. */
  readonly origin: string
  /** Signs a head. Without it nothing is signed, and nothing can be proven to others. */
  readonly sign?: ((head: Head) => Promise<string>) | undefined
  /** How many transfers one seal may hold: 16,384 unless told. */
  readonly sealSizeMax?: number
}

export interface Sealed {
  /** How many transfers were sealed now. */
  readonly sealed: number
  /** How many are sealed, all told. */
  readonly size: number
  /** Transaction ids were not those of the last seal: this database was restored elsewhere. */
  readonly isRestored: boolean
}

const SEAL_SIZE_MAX = 16_384
const LOCK = 'florin seals'

/**
 * Seals all that is committed and not sealed. Undefined when another sealer is at it.
 * All of it is one transaction: a sealer that is killed leaves nothing behind.
 */
export async function seal(db: Knex, options: SealOptions): Promise<Sealed | undefined> {
  return db.transaction(async (trx) => {
    await trx.raw(UNHURRIED)
    const { rows } = await trx.raw<{ rows: [{ locked: boolean }] }>(
      'SELECT pg_try_advisory_xact_lock(hashtext(?)) AS locked',
      [LOCK],
    )
    if (!rows[0].locked) return undefined
    // The lock is held before the snapshot is taken, so the last seal is in it.
    const snapshotted = { isolationLevel: 'repeatable read', readOnly: true } as const
    return db.transaction(async (reader) => {
      await reader.raw(UNHURRIED)
      return sealWhatIsNew(reader, trx, options)
    }, snapshotted)
  })
}

/** A table of which a part is read is not read whole, whatever its statistics say. */
export const UNHURRIED = `
  ${PATIENT};
  SET LOCAL jit = off;
  SET LOCAL enable_seqscan = off`

async function sealWhatIsNew(
  reader: Knex,
  trx: Knex.Transaction,
  { origin, sign, sealSizeMax = SEAL_SIZE_MAX }: SealOptions,
): Promise<Sealed> {
  const now = await readMoment(reader)
  const row: SealRow | undefined = await reader('seals').orderBy('number', 'desc').first()
  const previous = row && sealOf(row)
  const isRestoration = previous !== undefined && isElsewhere(previous, now)
  const restoredThrough = isRestoration
    ? await horizonOf(reader)
    : (previous?.restoredThrough ?? null)
  const run = { origin, sign, sealSizeMax, ...now, isRestoration, restoredThrough }
  const writer = openWriter(trx, previous, run)
  await copyOut(reader, isRestoration ? UNSEALED : newRows(previous, now), (tuple) =>
    writer.add(tuple),
  )
  return { ...(await writer.finish()), isRestored: isRestoration }
}

interface Moment {
  readonly snapshot: string
  readonly cluster: bigint
  readonly sealedAt: Date
}

async function readMoment(reader: Knex): Promise<Moment> {
  const { rows } = await reader.raw<{ rows: [Moment] }>(`
    SELECT pg_current_snapshot()::text AS snapshot, clock_timestamp() AS "sealedAt",
           system_identifier AS cluster FROM pg_control_system()`)
  return rows[0]
}

const [XMIN, XMAX] = [0, 1]
/** The lowest transaction that was running, and the first that had not begun. */
const edge = (snapshot: string, which: number) => BigInt(snapshot.split(':')[which] ?? '')

/** The snapshot that has seen nothing. */
const NOTHING = '1:1:'

const isElsewhere = (previous: Seal, now: Moment) =>
  previous.cluster !== now.cluster ||
  edge(now.snapshot, XMAX) < edge(previous.snapshot ?? NOTHING, XMAX)

const IS_SEALED = `
  EXISTS (SELECT FROM seals s
           WHERE s.last_recorded_at >= t.recorded_at AND s.first_recorded_at <= t.recorded_at
             AND position(uuid_send(t.id) IN s.transfer_ids) > 0)`

/** Rows whose transaction had ended when the snapshot was taken, and not at the previous seal. */
function newRows(previous: Seal | undefined, { snapshot }: Moment): string {
  const before = previous?.snapshot ?? NOTHING
  // What was restored has ids of another cluster, which this one may hand out again.
  const through = previous?.restoredThrough?.toISOString()
  const orRestored =
    through === undefined ? '' : `AND (recorded_at > '${through}' OR NOT ${IS_SEALED})`
  return `
    SELECT ${TUPLE_COLUMNS} FROM transfers t
     WHERE transaction_id >= ${edge(before, XMIN)} AND transaction_id < ${edge(snapshot, XMAX)}
       AND NOT was_done(transaction_id, '${before}') AND was_done(transaction_id, '${snapshot}')
       ${orRestored}
     ORDER BY recorded_at, id`
}

/** Slow and sure: every row that is in no seal. */
const UNSEALED = `
  SELECT ${TUPLE_COLUMNS} FROM transfers
   WHERE id IN (SELECT id FROM transfers
                EXCEPT ALL SELECT unpacked_ids(transfer_ids) FROM seals)
   ORDER BY recorded_at, id`

/** Until when rows carry transaction ids of another cluster, rounded up. */
async function horizonOf(reader: Knex): Promise<Date | null> {
  const { rows } = await reader.raw<{ rows: [{ horizon: Date | null }] }>(
    `SELECT date_trunc('second', max(recorded_at)) + interval '1 second' AS horizon FROM transfers`,
  )
  return rows[0].horizon
}
