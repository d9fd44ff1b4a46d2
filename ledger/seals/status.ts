/** How the seals stand, at a glance. */
import type { Knex } from 'knex'
import type { Violation } from '../audit/audit.ts'
import { type Checkpoint, findCheckpoints, findSeals } from './proofs.ts'
import { stateAt, verifySeals } from './verify.ts'

export interface SealStatus {
  /** The newest; undefined when nothing was ever sealed. */
  readonly checkpoint: Checkpoint | undefined
  readonly unsealed: number
  /** When the oldest transfer that is not sealed was recorded. */
  readonly unsealedSince: Date | null
  /** What is wrong with the newest seals, or with the set of all that is sealed. */
  readonly violations: readonly Violation[]
}

/** The newest seals are verified; `florin ledger verify` does that for all. */
const NEWEST = 3

export async function sealStatus(db: Knex, origin: string): Promise<SealStatus> {
  const [last] = await findSeals(db, { order: 'desc', limit: 1 })
  const [checkpoint] = await findCheckpoints(db, origin, { order: 'desc', limit: 1 })
  const snapshot = last?.snapshot ?? '1:1:'
  const { rows } = await db.raw<{ rows: [{ since: Date | null }] }>(
    `SELECT min(recorded_at) AS since FROM transfers
      WHERE transaction_id >= split_part(:snapshot, ':', 1)::bigint
        AND NOT was_done(transaction_id, :snapshot::pg_snapshot)`,
    { snapshot },
  )
  const from = await stateAt(db, Math.max(0, (last?.number ?? 0) - NEWEST))
  const { violations, unsealed } = await verifySeals(db, { from })
  return { checkpoint, unsealed, unsealedSince: rows[0].since, violations }
}
