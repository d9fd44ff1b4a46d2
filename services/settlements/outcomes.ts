/** What becomes of a batch when its bank has spoken, and what may not be moved back since. */
import type { Knex } from 'knex'
import { creditedBy, type UnitId } from '../../ledger/index.ts'
import type { Dependant } from '../banking/resolve.ts'
import { recordEvent } from '../events/events.ts'
import { findSettlement, settlementOut } from './batch.ts'

const STATES = { settled: 'settled', rejected: 'failed', returned: 'returned' } as const

/** What was not paid out is back in the account, as an entry that the next batch covers. */
export const paidOut: Dependant = {
  follow: async () => [],
  async conclude(context, trx, instruction, { outcome, reason }) {
    const id = instruction.subject
    const failure = outcome === 'settled' ? null : (reason ?? outcome)
    const changed_at = context.now()
    const state = STATES[outcome]
    await trx('settlements').where({ id }).update({ state, failure, changed_at })
    const batch = await findSettlement(trx, id, undefined)
    if (batch === undefined) throw new Error(`settlement ${id} has vanished`)
    const { merchant } = batch
    const data = settlementOut(batch)
    await recordEvent(trx, {
      ...{ type: `settlement.${state}`, object: data.id, merchant, data, at: changed_at },
    })
  },
}

/**
 * Whether a batch covers what one of the units brought a merchant, or anybody who shares in it. It
 * stays so only under the lock of the accounts.
 */
export async function areSettled(db: Knex, units: readonly UnitId[]): Promise<boolean> {
  for (const { account, entry } of await creditedBy(db, units)) {
    const batch = await db('settlements')
      .where({ account_id: account })
      .where('to_entry', '>=', entry.toString())
      .first('id')
    if (batch !== undefined) return true
  }
  return false
}
