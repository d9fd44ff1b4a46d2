/** Books with a past, made set-wise, and the proof that they still are in order afterwards. */
import { type AccountId, audit, connect } from '../../ledger/index.ts'
import { run } from './server.ts'

export interface Past {
  readonly wallets: number
  /** Transfers between wallets, beside the one that funded each. Full rounds: an even number. */
  readonly roundsOfPayments: number
}

export interface Accounts {
  readonly wallets: readonly AccountId[]
  /** One merchant, whom everybody pays when the load is hot. */
  readonly merchant: AccountId
}

/** What every wallet starts with, in cents: nobody runs out while we measure. */
const FUNDS = 1_000_000_000

/**
 * Ids like ours, UUIDv7: `n` milliseconds after a fixed time, with the kind in the digest so that
 * accounts and transfers differ.
 */
const ID_FUNCTION = `
  CREATE OR REPLACE FUNCTION bench_id(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(kind || n), 1, 3)
            || '8' || substr(md5(kind || n), 4, 15))::uuid
  $$`

/** Totals as the transfers below leave them: money went out and came back in turns. */
const accountsSql = ({ wallets, roundsOfPayments }: Past) => `
  INSERT INTO accounts (id, owner, type, currency, normal_side, floor, debits_posted,
         credits_posted, last_entry)
  SELECT bench_id('account', n), 'bench:' || n, 'wallet', 'EUR', 'credit'::account_side, 0,
         ${roundsOfPayments / 2}, ${FUNDS + roundsOfPayments / 2}, ${1 + roundsOfPayments}
    FROM generate_series(1::bigint, ${wallets}) n
  UNION ALL
  SELECT bench_id('bank', 0), 'bench', 'bank', 'EUR', 'debit', NULL,
         ${wallets * FUNDS}, 0, ${wallets}
  UNION ALL
  SELECT bench_id('merchant', 0), 'bench', 'merchant', 'EUR', 'credit', 0, 0, 0, 0`

const INSERT = `
  INSERT INTO transfers (id, debit_account_id, credit_account_id, debit_entry, credit_entry,
         debit_balance, credit_balance, reference, amount, kind, currency, code, effective_at)`

const COMMON = (n: string) =>
  `bench_id('reference', ${n}), AMOUNT, 'single'::transfer_kind, 'EUR', 'payment', now()`

const fundingSql = ({ wallets }: Past) => `${INSERT}
  SELECT bench_id('transfer', n), bench_id('bank', 0), bench_id('account', n), n, 1,
         n * ${FUNDS}::bigint, ${FUNDS}, ${COMMON('n').replace('AMOUNT', `${FUNDS}`)}
    FROM generate_series(1::bigint, ${wallets}) n`

/**
 * Every wallet takes part in each round of half as many payments. In odd rounds the first half of
 * them pays the other, in even rounds it gets its cent back; who pays whom is far apart on disk.
 */
function paymentsSql({ wallets }: Past, round: number): string {
  const half = wallets / 2
  const there = `bench_id('account', 1 + j)`
  const here = `bench_id('account', 1 + ${half} + (j * 7919 + ${round} * 104729) % ${half})`
  const [payer, payee] = round % 2 === 1 ? [there, here] : [here, there]
  return `${INSERT}
    SELECT bench_id('transfer', n), ${payer}, ${payee}, ${round + 1}, ${round + 1},
           ${FUNDS - (round % 2)}, ${FUNDS + (round % 2)}, ${COMMON('n').replace('AMOUNT', '1')}
      FROM generate_series(0::bigint, ${half - 1}) j,
           LATERAL (SELECT ${wallets + (round - 1) * half} + 1 + j)
        AS numbered (n)`
}

/** @param say is told of each part, as this may take minutes. */
export async function fill(url: string, past: Past, say: (line: string) => void): Promise<void> {
  const { wallets, roundsOfPayments } = past
  if (wallets % 2 !== 0 || roundsOfPayments % 2 !== 0) throw new Error('a past needs even numbers')
  await run(url, `${ID_FUNCTION}; ALTER TABLE transfers DISABLE TRIGGER check_transfers`)
  await run(url, accountsSql(past))
  await run(url, fundingSql(past))
  for (let round = 1; round <= roundsOfPayments; round++) {
    say(`  loading ${wallets} accounts: round ${round} of ${roundsOfPayments}`)
    await run(url, paymentsSql(past, round))
  }
  await run(url, 'ALTER TABLE transfers ENABLE TRIGGER check_transfers')
  await run(url, 'VACUUM ANALYZE')
}

export const transfersOf = ({ wallets, roundsOfPayments }: Past): number =>
  wallets + (roundsOfPayments * wallets) / 2

export async function accountsOf(url: string): Promise<Accounts> {
  const rows = await run(url, 'SELECT id, type FROM accounts ORDER BY id')
  const idsOf = (type: string) => rows.flatMap((row) => (row['type'] === type ? [row['id']] : []))
  return {
    wallets: idsOf('wallet') as AccountId[],
    merchant: idsOf('merchant')[0] as AccountId,
  }
}

/**
 * What is wrong with the books, one line each: what the audit finds, and transfers that were
 * answered and are not there, or are there and were not answered.
 */
export async function faultsOf(url: string, transfers: number): Promise<string[]> {
  const db = connect({ url, connectionsMax: 1, applicationName: 'florin bench' })
  try {
    const found = await audit(db)
    const faults = found.violations.map(({ invariant, subject }) => `${invariant}: ${subject}`)
    const isComplete = found.transfers === BigInt(transfers)
    return isComplete ? faults : [...faults, `${found.transfers} transfers, not ${transfers}`]
  } finally {
    await db.destroy()
  }
}

/** How often Postgres had to break a deadlock in the database. */
export async function deadlocksIn(url: string): Promise<number> {
  const [row] = await run(
    url,
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )
  return Number(row?.['deadlocks'])
}
