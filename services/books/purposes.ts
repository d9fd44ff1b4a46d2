/** Whether something of the business rests on units of the books. */
import type { Knex } from 'knex'
import { findPurposes, type UnitId, type Uuid } from '../../ledger/index.ts'

/** What moves money for reasons of its own, and must hear of it first. */
const OWNERS = [
  'payments',
  'settlements',
  'instructions',
  'exchanges',
  'netting_obligations',
  'refunds',
  'reserves',
  'disputes',
  'incoming_money',
  'incoming_returns',
  'reconciliation_items',
] as const

/** Whether any of these is what the units were made for. */
export async function areSpokenFor(db: Knex, units: readonly UnitId[]): Promise<boolean> {
  return units.length > 0 && isAnyOwned(db, await findPurposes(db, units))
}

async function isAnyOwned(db: Knex, purposes: readonly Uuid[]): Promise<boolean> {
  for (const table of OWNERS) {
    const found = await db(table).whereIn('id', purposes).first('id')
    if (found !== undefined) return true
  }
  return false
}
