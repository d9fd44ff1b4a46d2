/** Seals and their heads: what is said, and signed, of the books as they stood. */
import { bytesOf, type Hash, hashOf, rootOf, sha256 } from './merkle.ts'

/** What is signed and published. Whoever keeps one can prove what came before it. */
export interface Head {
  /** Whose books these are. */
  readonly origin: string
  /** 1, 2, 3, ... */
  readonly number: number
  /** How many transfers are sealed, this seal's included. */
  readonly size: number
  /** Of the tree over all of them, in hex. */
  readonly root: string
  /** Of the chain through all of them, in hex. */
  readonly chain: string
  /** RFC 3339, UTC, milliseconds. */
  readonly sealed_at: string
}

/** A row of `seals` as the database gives it. */
export interface SealRow {
  readonly number: bigint
  readonly first_position: bigint
  readonly size: number
  readonly transfer_ids: Buffer
  readonly chain: Buffer
  readonly root: Buffer
  readonly peaks: Buffer
  readonly snapshot: string | null
  readonly cluster: bigint
  readonly is_restoration: boolean
  readonly restored_through: Date | null
  readonly sealed_at: Date
  readonly signature: string | null
}

export interface Seal {
  readonly number: number
  /** The position of its first leaf. */
  readonly first: number
  /** How many transfers are sealed with it. */
  readonly size: number
  readonly chain: Hash
  readonly root: Hash
  readonly peaks: readonly Hash[]
  /** What had been committed, as pg_snapshot; null when the next seal belongs to the same. */
  readonly snapshot: string | null
  readonly cluster: bigint
  readonly isRestoration: boolean
  readonly restoredThrough: Date | null
  readonly sealedAt: Date
  readonly signature: string | null
}

export const ID_BYTES = 16
export const HASH_BYTES = 32

export const sealOf = (row: SealRow): Seal => ({
  number: Number(row.number),
  first: Number(row.first_position),
  size: Number(row.first_position) + row.size,
  chain: hashOf(row.chain),
  root: hashOf(row.root),
  peaks: hashesOf(row.peaks),
  snapshot: row.snapshot,
  cluster: row.cluster,
  isRestoration: row.is_restoration,
  restoredThrough: row.restored_through,
  sealedAt: row.sealed_at,
  signature: row.signature,
})

const hashesOf = (bytes: Buffer): Hash[] =>
  Array.from({ length: Math.floor(bytes.length / HASH_BYTES) }, (_, nth) =>
    bytes.toString('latin1', nth * HASH_BYTES, (nth + 1) * HASH_BYTES),
  )

export const hexOf = (hash: Hash): string => bytesOf(hash).toString('hex')
export const hashOfHex = (hex: string): Hash => hashOf(Buffer.from(hex, 'hex'))

/** The chain before the first seal. */
export const CHAIN_START: Hash = '\0'.repeat(HASH_BYTES)

/** What a seal of these leaves makes of the chain. */
export const chainOf = (before: Hash, leaves: Uint8Array): Hash =>
  sha256(Buffer.concat([bytesOf(before), leaves]))

export const headOf = (
  origin: string,
  seal: Pick<Seal, 'number' | 'size' | 'chain' | 'sealedAt'> & { readonly peaks: readonly Hash[] },
): Head => ({
  origin,
  number: seal.number,
  size: seal.size,
  root: hexOf(rootOf(seal.peaks)),
  chain: hexOf(seal.chain),
  sealed_at: seal.sealedAt.toISOString(),
})
