/** Proving to somebody else what was sealed: where a transfer is, and that it is there. */
import type { Knex } from 'knex'
import { copyOut } from '../wire/copy-out.ts'
import { type Head, headOf, hexOf, ID_BYTES, type Seal, sealOf } from './heads.ts'
import {
  type TransferId,
  transferIdAt,
  TRANSFERS_PER_UNIT_MAX,
  type UnitId,
  type Uuid,
} from '../ids.ts'
import { leafOfTuple, SEALED_COLUMNS, type SealedTransfer, TUPLE_COLUMNS } from './leaves.ts'
import * as merkle from './merkle.ts'
import { NODE_LEVEL_MIN } from './writer.ts'

/** A head with its signature. */
export interface Checkpoint {
  readonly head: Head
  readonly signature: string | null
}

export interface CheckpointQuery {
  /** Only those before this one. */
  readonly before?: number | undefined
  /** Only those from this one on. */
  readonly from?: number | undefined
  /** Only signed ones that cover as many transfers. */
  readonly covering?: number | undefined
  readonly order: 'asc' | 'desc'
  readonly limit: number
}

const HEAD_COLUMNS = [
  ...['number', 'first_position', 'size', 'chain', 'root', 'peaks', 'snapshot', 'cluster'],
  ...['is_restoration', 'restored_through', 'sealed_at', 'signature'],
]

/** Seals without the ids of what they hold. */
export async function findSeals(db: Knex, query: CheckpointQuery): Promise<Seal[]> {
  const { before, from, covering, order, limit } = query
  const seals = db('seals').select(HEAD_COLUMNS).limit(limit)
  if (covering !== undefined) {
    void seals.whereRaw('first_position + size >= ?', [covering]).whereNotNull('signature')
    // It begins there or later: those that end earlier are many, and one index finds where they do.
    void seals.whereRaw(
      'first_position >= (SELECT max(first_position) FROM seals WHERE first_position < ?)',
      [covering],
    )
  }
  if (before !== undefined) void seals.where('number', '<', before)
  if (from !== undefined) void seals.where('number', '>=', from)
  // Ordered by the index that finds it: by number, all seals before it would be walked.
  if (covering !== undefined) void seals.orderBy('first_position', order)
  return (await seals.orderBy('number', order)).map(sealOf)
}

export async function findCheckpoints(
  db: Knex,
  origin: string,
  query: CheckpointQuery,
): Promise<Checkpoint[]> {
  const seals = await findSeals(db, query)
  return seals.map((seal) => ({ head: headOf(origin, seal), signature: seal.signature }))
}

/**
 * The transfers of a unit, and what became of them: posts, voids and reversals, with what those
 * moved for the same reference. In order of recording.
 */
export async function findFamily(
  db: Knex,
  unit: UnitId,
  reference: Uuid,
): Promise<readonly SealedTransfer[]> {
  const { rows } = await db.raw<{ rows: SealedTransfer[] }>(
    `WITH RECURSIVE family (id) AS (
       SELECT id FROM transfers WHERE id BETWEEN :first AND :last
       UNION
       SELECT t.id FROM family f
        CROSS JOIN LATERAL (
              SELECT id FROM transfers WHERE pending_id = f.id
              UNION ALL
              SELECT id FROM transfers WHERE reverses_id = f.id) r
        CROSS JOIN LATERAL (
              SELECT id FROM transfers
               WHERE id BETWEEN overlay(r.id::text PLACING '00' FROM 35)::uuid
                            AND overlay(r.id::text PLACING 'ff' FROM 35)::uuid
                 AND (reference = :reference OR id = r.id)) t
     )
     SELECT ${SEALED_COLUMNS} FROM transfers JOIN family USING (id)
      ORDER BY transfers.recorded_at, id`,
    {
      first: transferIdAt(unit, 0),
      last: transferIdAt(unit, TRANSFERS_PER_UNIT_MAX - 1),
      reference,
    },
  )
  return rows
}

/** Where each transfer's leaf is, in the order of `ids`; undefined while it is not sealed. */
export async function positionsOf(
  db: Knex,
  ids: readonly TransferId[],
): Promise<(number | undefined)[]> {
  const { rows } = await db.raw<{ rows: { id: TransferId; position: bigint }[] }>(
    `SELECT t.id, s.first_position + (position(uuid_send(t.id) IN s.transfer_ids) - 1) / ${ID_BYTES}
              AS position
       FROM transfers t
      CROSS JOIN LATERAL (
            SELECT * FROM seals s
             WHERE s.last_recorded_at >= t.recorded_at AND s.first_recorded_at <= t.recorded_at
               AND position(uuid_send(t.id) IN s.transfer_ids) > 0
             ORDER BY s.last_recorded_at LIMIT 1) s
      WHERE t.id = ANY (?::uuid[])`,
    [[...ids]],
  )
  const positions = new Map(rows.map(({ id, position }) => [id, Number(position)]))
  return ids.map((id) => positions.get(id))
}

/** The path from each of these leaves to the root of the tree of `size` leaves, in hex. */
export async function inclusionProofs(
  db: Knex,
  positions: readonly number[],
  size: number,
): Promise<readonly (readonly string[])[]> {
  const ranges = positions.map((position) => merkle.inclusionRanges(position, size))
  const hashes = await hashesOf(db, ranges.flat())
  return ranges.map((path) => path.map((range) => hexOf(hashes(range))))
}

/** What shows that the tree of `from` leaves is how that of `to` leaves began, in hex. */
export async function consistencyProof(
  db: Knex,
  from: number,
  to: number,
): Promise<readonly string[]> {
  const ranges = merkle.consistencyRanges(from, to)
  const hashes = await hashesOf(db, ranges)
  return ranges.map((range) => hexOf(hashes(range)))
}

const keyOf = ({ level, position }: merkle.Subtree) => `${level}/${position}`
const TILE = 2 ** NODE_LEVEL_MIN

/** Looks up what is kept, computes what is smaller from its rows, and puts ranges together. */
async function hashesOf(db: Knex, ranges: readonly merkle.Range[]) {
  const subtrees = ranges.flatMap(merkle.subtreesOf)
  const isKept = ({ level }: merkle.Subtree) => level >= NODE_LEVEL_MIN
  const known = await findNodes(db, subtrees.filter(isKept))
  const small = subtrees.filter((subtree) => !isKept(subtree))
  for (const tile of new Set(small.map(tileOf))) {
    const wanted = small.filter((subtree) => tileOf(subtree) === tile)
    const start = tile * TILE
    const leaves = await leavesBetween(db, { start, end: Math.max(...wanted.map(endOf)) })
    for (const subtree of wanted) {
      const end = endOf(subtree)
      const part = leaves.slice(end - 2 ** subtree.level - start, end - start)
      known.set(keyOf(subtree), rootOfLeaves(part))
    }
  }
  return (range: merkle.Range): merkle.Hash =>
    merkle.rootOf(
      merkle.subtreesOf(range).map((subtree) => {
        const hash = known.get(keyOf(subtree))
        if (hash === undefined) throw new Error(`no node ${keyOf(subtree)} is kept`)
        return hash
      }),
    )
}

const endOf = ({ level, position }: merkle.Subtree) => (position + 1) * 2 ** level
const tileOf = (subtree: merkle.Subtree) => Math.floor((endOf(subtree) - 1) / TILE)

function rootOfLeaves(leaves: readonly merkle.Hash[]): merkle.Hash {
  const frontier = merkle.openFrontier()
  for (const leaf of leaves) frontier.append(leaf)
  return merkle.rootOf(frontier.peaks)
}

async function findNodes(db: Knex, subtrees: readonly merkle.Subtree[]) {
  const { rows } = await db.raw<{ rows: { level: number; position: bigint; hash: Buffer }[] }>(
    `SELECT level, position, hash FROM merkle_nodes
       JOIN unnest(?::int[], ?::bigint[]) AS wanted (level, position) USING (level, position)`,
    [subtrees.map(({ level }) => level), subtrees.map(({ position }) => position)],
  )
  return new Map(
    rows.map(({ level, position, hash }) => [
      keyOf({ level, position: Number(position) }),
      merkle.hashOf(hash),
    ]),
  )
}

async function leavesBetween(db: Knex, range: merkle.Range): Promise<merkle.Hash[]> {
  const ids = await idsBetween(db, range)
  const leaves: merkle.Hash[] = []
  await copyOut(db, sealedRows(TUPLE_COLUMNS, ids), (tuple) => {
    leaves.push(leafOfTuple(tuple))
    return undefined
  })
  if (leaves.length !== range.end - range.start) throw new Error('sealed transfers are missing')
  return leaves
}

/** The packed ids of the leaves in the range. */
async function idsBetween(db: Knex, { start, end }: merkle.Range): Promise<Buffer> {
  const { rows } = await db.raw<{ rows: { first_position: bigint; transfer_ids: Buffer }[] }>(
    `SELECT first_position, transfer_ids FROM seals
      WHERE first_position < :end AND first_position >= (
              SELECT max(first_position) FROM seals WHERE first_position <= :start AND size > 0)
        AND size > 0
      ORDER BY first_position`,
    { start, end },
  )
  const before = start - Number(rows[0]?.first_position ?? start)
  return Buffer.concat(rows.map((row) => row.transfer_ids)).subarray(
    before * ID_BYTES,
    (before + end - start) * ID_BYTES,
  )
}

/** The rows of packed ids, in their order. */
export function sealedRows(columns: string, ids: Buffer): string {
  const hex = ids.toString('hex').match(/.{32}/g) ?? []
  return `
    SELECT ${columns}
      FROM unnest('{${hex.join(',')}}'::uuid[]) WITH ORDINALITY AS sealed (sealed_id, nth)
      JOIN transfers ON id = sealed_id ORDER BY nth`
}
