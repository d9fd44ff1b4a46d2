/** Proves the books: recomputes everything stored from the transfers alone, in one snapshot. */
import { randomInt } from 'node:crypto'
import type { Knex } from 'knex'
import { PATIENT } from '../database.ts'
import { DETAILS, PASSES } from './invariants.ts'
import type { Currency } from '../money.ts'
import type { Pass } from './passes.ts'

export interface Audit {
  readonly accounts: bigint
  readonly transfers: bigint
  /** Per currency: what all accounts owe and own. The books balance when they are equal. */
  readonly trialBalance: readonly TrialBalance[]
  /** What does not hold, one line each. Empty means proven. */
  readonly violations: readonly Violation[]
}

export interface TrialBalance {
  readonly currency: Currency
  /** Posted debits of all accounts, in minor units. */
  readonly debits: bigint
  readonly credits: bigint
}

export interface Violation {
  readonly invariant: string
  /** What breaks it: the id of an account (and the number of its entry) or transfer, a currency. */
  readonly subject: string
}

export interface AuditOptions {
  /** Told of every invariant once it has been looked at, `done` of so many. */
  readonly onProgress?: (invariant: string, done: number, of: number) => void
}

/** How many violations of one invariant are listed. */
const EXAMPLES_MAX = 20

/**
 * Few passes over much data: hashed in memory, by as many workers as there are, and never sorted.
 * A worker may use twice `work_mem` for a hash.
 */
const SETTINGS = `
  ${PATIENT};
  SET LOCAL work_mem = '128MB';
  SET LOCAL min_parallel_table_scan_size = '1MB';
  SET LOCAL enable_mergejoin = off;
  SET LOCAL enable_nestloop = off`

/**
 * Reads the whole of the books in one read-only snapshot; takes time with their size.
 * @param db where it may begin a transaction of its own; or a transaction, within which it then
 *   looks at the books as that one sees them.
 */
export async function audit(db: Knex, options: AuditOptions = {}): Promise<Audit> {
  if (db.isTransaction === true) return auditWithin(db, options)
  return db.transaction(
    async (trx) => {
      await trx.raw(SETTINGS)
      return auditWithin(trx, options)
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  )
}

async function auditWithin(trx: Knex, { onProgress }: AuditOptions): Promise<Audit> {
  const violations: Violation[] = []
  const of = PASSES.reduce((sum, { invariants }) => sum + invariants.length, 0)
  let done = 0
  for (const pass of PASSES) {
    violations.push(...(await violationsOf(trx, pass)))
    for (const invariant of pass.invariants) onProgress?.(invariant, ++done, of)
  }
  // The sum of many accounts may be more than a bigint of Postgres holds.
  const trial = await trx.raw<{ rows: Record<keyof TrialBalance, string>[] }>(`
    SELECT currency, sum(debits_posted)::text AS debits, sum(credits_posted)::text AS credits
      FROM accounts GROUP BY currency ORDER BY currency`)
  const trialBalance = trial.rows.map(({ currency, debits, credits }) => ({
    ...{ currency, debits: BigInt(debits), credits: BigInt(credits) },
  }))
  const counts = await trx.raw<{ rows: [Pick<Audit, 'accounts' | 'transfers'>] }>(`
    SELECT (SELECT count(*) FROM accounts) AS accounts,
           (SELECT count(*) FROM transfers) AS transfers`)
  return { ...counts.rows[0], trialBalance, violations }
}

async function violationsOf(trx: Knex, { sql }: Pass): Promise<Violation[]> {
  const seeded = sql.replaceAll(':seed', randomInt(2 ** 47).toString())
  const { rows } = await trx.raw<{ rows: Violation[] }>(`
    SELECT invariant, subject FROM (
      SELECT found.*, row_number() OVER (PARTITION BY invariant) AS nth FROM (${seeded}) found
    ) numbered WHERE nth <= ${EXAMPLES_MAX}`)
  const precise: Violation[] = []
  for (const [invariant, details] of Object.entries(DETAILS)) {
    const subjects = rows.flatMap((row) => (row.invariant === invariant ? [row.subject] : []))
    if (subjects.length === 0) continue
    precise.push(...(await trx.raw<{ rows: Violation[] }>(details, [subjects])).rows)
  }
  return [
    ...rows.filter(({ invariant }) => invariant !== 'entries_are_recorded_in_order'),
    ...precise,
  ]
}
