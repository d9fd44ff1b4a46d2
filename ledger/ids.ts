/**
 * Ids of the ledger: UUIDv7, so that what is made later sorts later and lands beside it on disk.
 */
import { v7 } from 'uuid'

export type Uuid = string
export type AccountId = Uuid
export type TransferId = Uuid

/** A unit's id is also the id of its first transfer; the others count up from it. */
export type UnitId = Uuid

/** How many transfers one unit may hold: what the last byte of an id can count. */
export const TRANSFERS_PER_UNIT_MAX = 256

export const newId = (): Uuid => v7()

/** An id whose last byte is free for counting. 66 of its 74 random bits remain. */
export const newUnitId = (): UnitId => `${v7().slice(0, 34)}00`

export function transferIdAt(unit: UnitId, index: number): TransferId {
  if (index >= TRANSFERS_PER_UNIT_MAX) throw new Error(`a unit holds ${index} transfers`)
  return `${unit.slice(0, 34)}${index.toString(16).padStart(2, '0')}`
}
