/** Proves the books: recomputes everything stored from the transfers alone, in one snapshot. */
import type { Knex } from 'knex'
import type { Currency } from './money.ts'

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
  /** The id of the account, transfer or currency that breaks it. */
  readonly subject: string
}

/** A named statement each; every row it answers is a violation. */
const INVARIANTS = {
  trial_balance_is_zero: `
    SELECT currency AS subject FROM accounts GROUP BY currency
    HAVING sum(debits_posted) <> sum(credits_posted)
        OR sum(debits_pending) <> sum(credits_pending)`,

  totals_are_the_sum_of_transfers: `
    WITH effect (kind, pending, posted) AS (
      VALUES ('single'::transfer_kind, 0, 1), ('pending', 1, 0), ('post', -1, 1), ('void', -1, 0),
             ('reversal', 0, 1)
    ), sides AS (
      SELECT debit_account_id AS id, 1 AS dr, 0 AS cr, amount, kind FROM transfers
      UNION ALL
      SELECT credit_account_id, 0, 1, amount, kind FROM transfers
    ), sums AS (
      SELECT id, sum(dr * posted * amount) AS dr_posted, sum(cr * posted * amount) AS cr_posted,
             sum(dr * pending * amount) AS dr_pending, sum(cr * pending * amount) AS cr_pending
        FROM sides JOIN effect USING (kind) GROUP BY id
    )
    SELECT coalesce(a.id, s.id) AS subject FROM accounts a FULL JOIN sums s USING (id)
     WHERE (a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending)
       IS DISTINCT FROM (coalesce(dr_posted, 0), coalesce(cr_posted, 0),
                         coalesce(dr_pending, 0), coalesce(cr_pending, 0))`,

  entries_have_no_gaps: `
    SELECT a.id AS subject FROM accounts a
      LEFT JOIN (SELECT account_id, count(*) AS n, min(entry) AS lowest, max(entry) AS highest
                   FROM entries GROUP BY account_id) e ON e.account_id = a.id
     WHERE (a.last_entry, a.last_entry) IS DISTINCT FROM (coalesce(highest, 0), coalesce(n, 0))
        OR lowest <> 1`,

  running_balances_chain: `
    SELECT account_id AS subject FROM (
      SELECT e.account_id, e.balance - lag(e.balance, 1, 0::bigint) OVER w AS change,
             CASE WHEN kind IN ('pending', 'void') THEN 0
                  WHEN e.side = a.normal_side THEN amount ELSE -amount END AS expected
        FROM entries e JOIN accounts a ON a.id = e.account_id
      WINDOW w AS (PARTITION BY e.account_id ORDER BY entry)) chain
     WHERE change <> expected`,

  never_below_floor: `
    SELECT id AS subject FROM accounts
     WHERE floor > CASE normal_side
       WHEN 'credit' THEN credits_posted - debits_posted - debits_pending
       ELSE debits_posted - credits_posted - credits_pending END`,

  one_currency: `
    SELECT t.id AS subject FROM transfers t
      JOIN accounts d ON d.id = t.debit_account_id
      JOIN accounts c ON c.id = t.credit_account_id
     WHERE d.currency <> t.currency OR c.currency <> t.currency`,

  resolutions_mirror_their_pending: `
    SELECT r.id AS subject FROM transfers r LEFT JOIN transfers p ON p.id = r.pending_id
     WHERE r.pending_id IS NOT NULL
       AND (p.kind, p.debit_account_id, p.credit_account_id)
           IS DISTINCT FROM ('pending', r.debit_account_id, r.credit_account_id)`,
} as const

/** How many violations of one invariant are listed. */
const EXAMPLES_MAX = 20

/** Reads the whole of the books in one read-only snapshot; takes time with their size. */
export async function audit(db: Knex): Promise<Audit> {
  return db.transaction(
    async (trx) => {
      await trx.raw('SET LOCAL statement_timeout = 0')
      const violations: Violation[] = []
      for (const [invariant, sql] of Object.entries(INVARIANTS)) {
        const found = await trx.raw<{ rows: { subject: string }[] }>(`${sql} LIMIT ${EXAMPLES_MAX}`)
        violations.push(...found.rows.map(({ subject }) => ({ invariant, subject })))
      }
      const trial = await trx.raw<{ rows: TrialBalance[] }>(`
        SELECT currency, sum(debits_posted)::bigint AS debits,
               sum(credits_posted)::bigint AS credits
          FROM accounts GROUP BY currency ORDER BY currency`)
      const counts = await trx.raw<{ rows: [Pick<Audit, 'accounts' | 'transfers'>] }>(`
        SELECT (SELECT count(*) FROM accounts) AS accounts,
               (SELECT count(*) FROM transfers) AS transfers`)
      return { ...counts.rows[0], trialBalance: trial.rows, violations }
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  )
}
