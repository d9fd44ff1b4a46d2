/** Reads sealed transfers as they stand today, some thousands at a time, in the seals' order. */
import type { Knex } from 'knex'
import { uuidOfHex } from '../ids.ts'
import { copyOut } from '../wire/copy-out.ts'
import { HASH_BYTES, ID_BYTES, type Seal, sealOf, type SealRow } from './heads.ts'
import { ID_AT, RECORDED_AT, TRACED_COLUMNS, tracedLeafOf } from './leaves.ts'
import { sealedRows } from './proofs.ts'

/** Some seals in a row, with the leaves that their transfers have today. */
export interface Window {
  readonly seals: readonly TracedSeal[]
  /** 32 bytes for each position from that of the first seal on; zeros where nothing is there. */
  readonly leaves: Buffer
  readonly faults: Faults
}

export interface Faults {
  /** Sealed and gone. */
  readonly missing: readonly string[]
  /** Not committed when its seal says, or not in its place among those committed with it. */
  readonly misplaced: readonly string[]
}

type TracedSeal = Seal & {
  readonly ids: Buffer
  /** The snapshots between which its transfers were committed. */
  readonly since: Snapshot
  readonly until: Snapshot
}

/** Enough for Postgres to be busy while we compute, few enough to be sorted in memory. */
const WINDOW_SIZE = 16_384
const WINDOW_SEALS_MAX = 256

type Row = SealRow & { readonly since: string | null; readonly until: string }

/** The seals of the window after this one, or none. */
export async function nextSeals(
  db: Knex,
  after: { readonly number: number; readonly size: number },
): Promise<TracedSeal[]> {
  const { rows } = await db.raw<{ rows: Row[] }>(
    `SELECT s.*, since.snapshot AS since, until.snapshot AS until
       FROM seals s
       LEFT JOIN LATERAL (SELECT snapshot FROM seals WHERE number < s.number
              AND snapshot IS NOT NULL ORDER BY number DESC LIMIT 1) since ON true
       LEFT JOIN LATERAL (SELECT snapshot FROM seals WHERE number >= s.number
              AND snapshot IS NOT NULL ORDER BY number LIMIT 1) until ON true
      WHERE s.number > :number
        AND s.number <= (SELECT min(number) FROM seals WHERE number > :number) + :seals
        AND s.number <= coalesce((SELECT min(number) FROM seals
              WHERE number > :number AND first_position >= :position), s.number)
      ORDER BY s.number`,
    { number: after.number, seals: WINDOW_SEALS_MAX, position: after.size + WINDOW_SIZE },
  )
  return rows.map((row) => ({
    ...sealOf(row),
    ids: row.transfer_ids,
    since: snapshotOf(row.since ?? '1:1:'),
    until: snapshotOf(row.until),
  }))
}

/** @param db a transaction, so that its settings are for it alone. */
export async function readWindow(db: Knex, seals: readonly TracedSeal[]): Promise<Window> {
  const ids = Buffer.concat(seals.map((seal) => seal.ids))
  const leaves = Buffer.alloc((ids.length / ID_BYTES) * HASH_BYTES)
  const faults = { missing: [] as string[], misplaced: [] as string[] }
  const place = openPlaces(seals)
  let at = 0
  const miss = () => {
    faults.missing.push(idAt(ids, at))
    at += ID_BYTES
  }
  await copyOut(db, sealedRows(TRACED_COLUMNS, ids), (tuple) => {
    while (!isIdAt(ids, at, tuple)) miss()
    const recorded = uint64(tuple, RECORDED_AT)
    const { leaf, transaction } = tracedLeafOf(tuple)
    leaves.write(leaf, at * (HASH_BYTES / ID_BYTES), 'latin1')
    if (!place.fits(ids, at, transaction, recorded)) faults.misplaced.push(idAt(ids, at))
    at += ID_BYTES
    return undefined
  })
  while (at < ids.length) miss()
  return { seals, leaves, faults }
}

const isIdAt = (ids: Buffer, at: number, tuple: Buffer): boolean =>
  tuple.compare(ids, at, at + ID_BYTES, ID_AT.start, ID_AT.end) === 0

const idAt = (ids: Buffer, at: number): string => uuidOfHex(ids.toString('hex', at, at + ID_BYTES))

/** Exact up to 2^53, as transaction ids and microseconds are for the next centuries. */
const uint64 = (bytes: Buffer, at: number): number =>
  bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

/** Whether the rows, asked one after the other, were committed when their seals say. */
function openPlaces(seals: readonly TracedSeal[]) {
  let [nth, end] = [-1, 0]
  let seal: TracedSeal | undefined
  let last = { recorded: -1, at: -1 }
  return {
    fits(ids: Buffer, at: number, transaction: number, recorded: number): boolean {
      while (at >= end) {
        const next = seals[++nth]
        if (next?.since !== seal?.since && next?.since.text !== seal?.since.text) {
          last = { recorded: -1, at: -1 }
        }
        seal = next
        end += seal?.ids.length ?? ids.length
      }
      const isAfter =
        recorded > last.recorded ||
        (recorded === last.recorded &&
          ids.compare(ids, last.at, last.at + ID_BYTES, at, at + ID_BYTES) > 0)
      last = { recorded, at }
      if (seal === undefined) return false
      if (seal.isRestoration) return isAfter
      return isAfter && hasEnded(seal.until, transaction) && !hasEnded(seal.since, transaction)
    },
  }
}

interface Snapshot {
  readonly text: string
  readonly xmin: number
  readonly xmax: number
  readonly running: ReadonlySet<number>
}

function snapshotOf(text: string): Snapshot {
  const [xmin, xmax, running = ''] = text.split(':')
  const ids = running.split(',').filter((id) => id !== '')
  return { text, xmin: Number(xmin), xmax: Number(xmax), running: new Set(ids.map(Number)) }
}

const hasEnded = ({ xmin, xmax, running }: Snapshot, transaction: number): boolean =>
  transaction < xmin || (transaction < xmax && !running.has(transaction))
