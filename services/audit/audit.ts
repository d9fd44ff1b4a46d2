/**
 * Proves what the business keeps beside the books: that what it says of its payments, instructions
 * and batches is what the books say, what the banks said, and what was told.
 *
 * `ledger/audit/` proves the books alone, and knows none of this. Both see what is inside the
 * database only: money that a bank never moved shows in reconciliation, and nowhere here.
 */
import type { Knex } from 'knex'
import { PATIENT, type Violation } from '../../ledger/index.ts'
import { BANKS } from './banks.ts'
import { INSTRUCTIONS } from './instructions.ts'
import type { Invariant } from './invariants.ts'
import { MERCHANTS } from './merchants.ts'
import { PARTIES } from './parties.ts'
import { PAYMENTS } from './payments.ts'
import { TOLD } from './told.ts'

export const INVARIANTS: readonly Invariant[] = [
  ...[INSTRUCTIONS, BANKS, PAYMENTS, PARTIES, MERCHANTS, TOLD].flat(),
]

interface AuditOptions {
  /** Nobody is at work: what holds only then is asked too. */
  readonly isDrained?: boolean
  /** Told of every invariant once it has been looked at, `done` of so many. */
  readonly onProgress?: (invariant: string, done: number, of: number) => void
}

/** How many violations of one invariant are listed. */
const EXAMPLES_MAX = 20

/** Whole tables are laid side by side; looking rows up one by one would take for ever. */
const SETTINGS = `${PATIENT}; SET LOCAL work_mem = '128MB'; SET LOCAL jit = off`

/**
 * Reads everything in one read-only snapshot.
 * @param db where it may begin a transaction of its own; or a transaction, within which it then
 *   looks at everything as that one sees it.
 * @returns what does not hold; empty means proven.
 */
export async function auditBusiness(db: Knex, options: AuditOptions = {}): Promise<Violation[]> {
  if (db.isTransaction === true) return auditWithin(db, options)
  return db.transaction(
    async (trx) => {
      await trx.raw(SETTINGS)
      return auditWithin(trx, options)
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  )
}

async function auditWithin(
  trx: Knex,
  { isDrained = false, onProgress }: AuditOptions,
): Promise<Violation[]> {
  const asked = INVARIANTS.filter(({ holds }) => isDrained || holds === 'always')
  const violations: Violation[] = []
  for (const [index, { name: invariant, sql }] of asked.entries()) {
    const { rows } = await trx.raw<{ rows: { subject: string }[] }>(
      `SELECT DISTINCT subject::text FROM (${sql}) broken LIMIT ${EXAMPLES_MAX}`,
    )
    violations.push(...rows.map(({ subject }) => ({ invariant, subject })))
    onProgress?.(invariant, index + 1, asked.length)
  }
  return violations
}
