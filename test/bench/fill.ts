/** Books with a past, made set-wise: millions of transfers within a minute or so. */
import { type Query, withConnection } from './server.ts'

export interface Past {
  readonly wallets: number
  /** Transfers between wallets, beside the one that funded each. Full rounds: an even number. */
  readonly roundsOfPayments: number
}

export const transfersOf = ({ wallets, roundsOfPayments }: Past): number =>
  wallets + (roundsOfPayments * wallets) / 2

/** What every wallet starts with, in cents: nobody runs out while we measure. */
const FUNDS = 1_000_000_000

/** What a load of this size needs; none of it outlives the connection. */
export const SETTINGS = `
  SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'`

/**
 * Leaves tables and indexes as if they had been written one by one and vacuumed since. The check on
 * new transfers does not see these; the audit does.
 * @param say is told of each part.
 */
export async function fill(url: string, past: Past, say: (line: string) => void): Promise<void> {
  const { wallets, roundsOfPayments } = past
  if (wallets % 2 !== 0 || roundsOfPayments % 2 !== 0) throw new Error('a past needs even numbers')
  await withConnection(url, async (query) => {
    await query(SETTINGS)
    await query('ALTER TABLE transfers DISABLE TRIGGER check_transfers')
    const rebuild = await dropIndexes(query)
    await query(accountsSql(past))
    await query(`CREATE TEMP TABLE wallets AS
                 SELECT substr(owner, 7)::bigint AS n, id FROM accounts WHERE type = 'wallet'`)
    await query('ANALYZE wallets')
    await query(fundingSql(past))
    for (let round = 1; round <= roundsOfPayments; round++) {
      say(`  loading ${wallets} accounts: round ${round} of ${roundsOfPayments}`)
      await query(paymentsSql(past, round))
    }
    if (roundsOfPayments > 0) say(`  loading ${wallets} accounts: indexes`)
    for (const sql of rebuild) await query(sql)
    await query('ALTER TABLE transfers ENABLE TRIGGER check_transfers')
    await query('VACUUM ANALYZE')
  })
}

/** An index built over all rows at once costs a fraction; it is built as the migrations say. */
export async function dropIndexes(query: Query): Promise<string[]> {
  const indexes = await query(`
    SELECT i.indexrelid::regclass AS index, pg_get_indexdef(i.indexrelid) AS definition,
           quote_ident(c.conname) AS name, pg_get_constraintdef(c.oid) AS rule
      FROM pg_index i
      LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
     WHERE i.indrelid = 'transfers'::regclass`)
  for (const { index, name } of indexes) {
    await query(name ? `ALTER TABLE transfers DROP CONSTRAINT ${name}` : `DROP INDEX ${index}`)
  }
  return indexes.map(({ definition = '', name, rule }) =>
    name ? `ALTER TABLE transfers ADD CONSTRAINT ${name} ${rule}` : definition,
  )
}

/** Totals as the transfers below leave them: money went out and came back in turns. */
const accountsSql = ({ wallets, roundsOfPayments }: Past) => `
  INSERT INTO accounts (id, owner, type, currency, normal_side, floor, debits_posted,
         credits_posted, last_entry)
  SELECT uuidv7(), 'bench:' || n, 'wallet', 'EUR', 'credit'::account_side, 0,
         ${roundsOfPayments / 2}, ${FUNDS + roundsOfPayments / 2}, ${1 + roundsOfPayments}
    FROM generate_series(1::bigint, ${wallets}) n
  UNION ALL
  SELECT uuidv7(), 'bench', 'bank', 'EUR', 'debit', NULL, ${wallets * FUNDS}, 0, ${wallets}
  UNION ALL
  SELECT uuidv7(), 'bench', 'merchant', 'EUR', 'credit', 0, 0, 0, 0`

/** The columns that a payment of ours fills, and no others. */
const INSERT = `
  INSERT INTO transfers (id, reference, kind, currency, code, amount, debit_account_id,
         credit_account_id, debit_entry, credit_entry, debit_balance, credit_balance)
  SELECT uuidv7(), uuidv7(), 'single', 'EUR', 'payment',`

const fundingSql = ({ wallets }: Past) => `${INSERT}
         ${FUNDS}, bank.id, wallet.id, n, 1, n * ${FUNDS}::bigint, ${FUNDS}
    FROM generate_series(1::bigint, ${wallets}) n
    JOIN wallets wallet USING (n)
   CROSS JOIN (SELECT id FROM accounts WHERE type = 'bank') bank`

/**
 * Every wallet takes part in each round of half as many payments. In odd rounds the first half of
 * them pays the other, in even rounds it gets its cent back; who pays whom is far apart on disk.
 */
function paymentsSql({ wallets }: Past, round: number): string {
  const half = wallets / 2
  const [payer, payee] = round % 2 === 1 ? ['here', 'there'] : ['there', 'here']
  const odd = round % 2
  return `${INSERT}
         1, ${payer}.id, ${payee}.id, ${round + 1}, ${round + 1}, ${FUNDS - odd}, ${FUNDS + odd}
    FROM generate_series(0::bigint, ${half - 1}) j
    JOIN wallets here ON here.n = 1 + j
    JOIN wallets there ON there.n = 1 + ${half} + (j * 7919 + ${round} * 104729) % ${half}`
}
