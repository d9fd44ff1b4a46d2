/**
 * Holds that ran out. `hold_expiries` is a list of what to look at, written with the holds; what is
 * true of a hold is in `transfers` alone, and a hold may be resolved long before it is looked at.
 */
import type { Knex } from 'knex'
import type { UnitId, Uuid } from './ids.ts'

export interface ExpiredHold {
  /** The unit that made it. */
  readonly hold: UnitId
  /** What its maker said it is for. */
  readonly reference: Uuid
}

const TAKE = `
  DELETE FROM hold_expiries WHERE hold_id IN (
    SELECT hold_id FROM hold_expiries WHERE expires_at <= ?
     ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED)
  RETURNING hold_id AS hold, reference`

/**
 * Takes holds off the list that ran out by `now`, the oldest first, `limit` at most, and none that
 * somebody else is taking. They are on it again if `trx` is rolled back.
 */
export async function takeExpired(
  trx: Knex.Transaction,
  now: Date,
  limit: number,
): Promise<readonly ExpiredHold[]> {
  const { rows } = await trx.raw<{ rows: ExpiredHold[] }>(TAKE, [now, limit])
  return rows
}

/** Puts off looking at a hold, so that one which cannot be released keeps no other waiting. */
export async function postponeExpiry(db: Knex, hold: UnitId, until: Date): Promise<void> {
  await db('hold_expiries').where({ hold_id: hold }).update({ expires_at: until })
}
