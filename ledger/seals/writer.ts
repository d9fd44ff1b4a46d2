/** Collects tuples into seals and writes these one by one, in the caller's transaction. */
import type { Knex } from 'knex'
import {
  CHAIN_START,
  chainOf,
  HASH_BYTES,
  type Head,
  headOf,
  hexOf,
  ID_BYTES,
  type Seal,
} from './heads.ts'
import { ID_AT, leafOfTuple, RECORDED_AT } from './leaves.ts'
import { bytesOf, type Frontier, type Hash, openFrontier, type Subtree } from './merkle.ts'

/** What all seals of one run have in common. */
export interface Run {
  readonly origin: string
  readonly sign?: ((head: Head) => Promise<string>) | undefined
  /** How many transfers one seal may hold. */
  readonly sealSizeMax: number
  readonly snapshot: string
  readonly cluster: bigint
  readonly sealedAt: Date
  readonly isRestoration: boolean
  readonly restoredThrough: Date | null
}

/** Subtrees from this level on are kept. */
export const NODE_LEVEL_MIN = 10

export function openWriter(trx: Knex.Transaction, previous: Seal | undefined, run: Run) {
  const frontier = openFrontier(previous?.size ?? 0, previous?.peaks)
  const first = frontier.size
  let [number, chain] = [previous?.number ?? 0, previous?.chain ?? CHAIN_START]
  let batch = openBatch(run.sealSizeMax)
  let written = Promise.resolve()

  async function write(full: Batch, snapshot: string | null): Promise<void> {
    const firstPosition = frontier.size
    const leaves = full.leaves.subarray(0, full.size * HASH_BYTES)
    const nodes = appendLeaves(frontier, leaves)
    number += 1
    chain = chainOf(chain, leaves)
    const { peaks, size } = frontier
    const head = headOf(run.origin, { number, size, chain, peaks, sealedAt: run.sealedAt })
    const signature = (await run.sign?.(head)) ?? null
    const bytes = peaks.map(bytesOf)
    const state = {
      first_position: firstPosition,
      peaks: Buffer.concat(bytes),
      snapshot,
      signature,
    }
    await trx('seals').insert({ ...rowOf(head, run), ...batchRow(trx, full), ...state })
    await insertNodes(trx, nodes)
  }
  const flush = (snapshot: string | null) => {
    const full = batch
    batch = openBatch(run.sealSizeMax)
    return (written = written.then(() => write(full, snapshot)))
  }
  return {
    /** A promise when a seal is full and must be written before there is room for many more. */
    add(tuple: Buffer): Promise<void> | undefined {
      const wait = batch.size === run.sealSizeMax ? flush(null) : undefined
      addTo(batch, tuple)
      return wait
    },
    /** The last seal carries the snapshot, for the next run to go on from. */
    async finish(): Promise<{ readonly sealed: number; readonly size: number }> {
      await written
      if (batch.size > 0 || run.isRestoration) await flush(run.snapshot)
      return { sealed: frontier.size - first, size: frontier.size }
    },
  }
}

interface Batch {
  size: number
  readonly ids: Buffer
  readonly leaves: Buffer
  /** Microseconds since 2000, as Postgres counts. */
  firstRecorded: bigint | undefined
  lastRecorded: bigint | undefined
}

const openBatch = (sizeMax: number): Batch => ({
  size: 0,
  ids: Buffer.alloc(sizeMax * ID_BYTES),
  leaves: Buffer.alloc(sizeMax * HASH_BYTES),
  firstRecorded: undefined,
  lastRecorded: undefined,
})

function addTo(batch: Batch, tuple: Buffer): void {
  tuple.copy(batch.ids, batch.size * ID_BYTES, ID_AT.start, ID_AT.end)
  batch.lastRecorded = tuple.readBigInt64BE(RECORDED_AT)
  batch.firstRecorded ??= batch.lastRecorded
  batch.leaves.write(leafOfTuple(tuple), batch.size * HASH_BYTES, 'latin1')
  batch.size += 1
}

/** A complete subtree that is kept. */
export type Node = Subtree & { readonly hash: Hash }

/** Appends leaves of 32 bytes each; answers the nodes to keep that they complete. */
export function appendLeaves(frontier: Frontier, leaves: Buffer): Node[] {
  const nodes: Node[] = []
  for (let at = 0; at < leaves.length; at += HASH_BYTES) {
    frontier.append(leaves.toString('latin1', at, at + HASH_BYTES), (subtree, hash) => {
      if (subtree.level >= NODE_LEVEL_MIN) nodes.push({ ...subtree, hash })
    })
  }
  return nodes
}

const rowOf = (head: Head, run: Run) => ({
  number: head.number,
  chain: Buffer.from(head.chain, 'hex'),
  root: Buffer.from(head.root, 'hex'),
  cluster: run.cluster.toString(),
  is_restoration: run.isRestoration,
  restored_through: run.restoredThrough,
  sealed_at: head.sealed_at,
})

const batchRow = (trx: Knex, { size, ids, firstRecorded, lastRecorded }: Batch) => ({
  size,
  transfer_ids: ids.subarray(0, size * ID_BYTES),
  first_recorded_at: moment(trx, firstRecorded),
  last_recorded_at: moment(trx, lastRecorded),
})

const moment = (trx: Knex, microseconds: bigint | undefined) =>
  microseconds === undefined
    ? null
    : trx.raw(`timestamptz '2000-01-01Z' + ? * interval '1 microsecond'`, [`${microseconds}`])

const insertNodes = (trx: Knex.Transaction, nodes: readonly Node[]) =>
  trx.raw(
    `INSERT INTO merkle_nodes (level, position, hash)
     SELECT level, position, decode(hash, 'hex')
       FROM unnest(?::int[], ?::bigint[], ?::text[]) AS n (level, position, hash)`,
    [
      nodes.map(({ level }) => level),
      nodes.map(({ position }) => position),
      nodes.map(({ hash }) => hexOf(hash)),
    ],
  )
