/** Disputes that their merchant did not answer in time are lost. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { expireDispute } from './decide.ts'
import { findDispute } from './rows.ts'

/** One run ends so many at most; the next one goes on. */
const DISPUTES_MAX = 500

/** Any number of workers may do this at once: whoever comes late finds it decided. */
export async function expireDisputes(context: Context, most = DISPUTES_MAX): Promise<void> {
  const { db, log, now } = context
  for (const id of await dueDisputes(db, now(), most)) {
    try {
      const dispute = await findDispute(db, id)
      if (dispute !== undefined) await expireDispute(context, dispute)
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'dispute_decided') continue
      log.error({ err: error, dispute: id }, 'a dispute could not be ended; it is tried again')
      await db('disputes').where({ id }).update({ expiry_failed_at: now() })
    }
  }
}

/** Those that failed come last, the one that failed latest behind them all. */
function dueDisputes(db: Knex, at: Date, most: number): Promise<Uuid[]> {
  return db('disputes')
    .where({ state: 'needs_evidence' })
    .where('evidence_due_at', '<', at)
    .orderByRaw('expiry_failed_at NULLS FIRST, evidence_due_at')
    .limit(most)
    .pluck('id')
}
