/**
 * Ids of the ledger: UUIDv7, so that what is made later sorts later and lands beside it on disk.
 */
import { randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'

export type Uuid = string
export type AccountId = Uuid
export type TransferId = Uuid

/** A unit's id is also the id of its first transfer; the others count up from it. */
export type UnitId = Uuid

/** How many transfers one unit may hold: what the last byte of an id can count. */
export const TRANSFERS_PER_UNIT_MAX = 256

/** Random bytes are fetched for many ids at once: one by one they would cost more than the rest. */
const POOL = randomFillSync(new Uint8Array(16 * 1024))
let taken = 0
/** Keeps ids of one process in order within a millisecond. */
let sequence = new DataView(POOL.buffer).getUint32(0)

export function newId(): Uuid {
  if (taken === POOL.length) {
    randomFillSync(POOL)
    taken = 0
  }
  const random = POOL.subarray(taken, (taken += 16))
  sequence = (sequence + 1) >>> 0
  return v7({ random, seq: sequence })
}

/** The first sixteen bytes, in hex, of a hash or of what Postgres sends, in the form of an id. */
export function uuidOfHex(hex: string): Uuid {
  const [first, second, third] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16)]
  return `${first}-${second}-${third}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}

/** An id whose last byte is free for counting. */
export const newUnitId = (): UnitId => `${newId().slice(0, 34)}00`

export function transferIdAt(unit: UnitId, index: number): TransferId {
  if (index >= TRANSFERS_PER_UNIT_MAX) throw new Error(`a unit holds ${index} transfers`)
  return `${unit.slice(0, 34)}${index.toString(16).padStart(2, '0')}`
}
