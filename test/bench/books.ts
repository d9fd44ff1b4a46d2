/** The accounts that a load uses, and the proof that the books are in order afterwards. */
import { type AccountId, audit, connect } from '../../ledger/index.ts'
import { type Database, run } from './server.ts'

export interface Accounts {
  readonly wallets: readonly AccountId[]
  /** One merchant, whom everybody pays when the load is hot. */
  readonly merchant: AccountId
}

export async function accountsOf(url: string): Promise<Accounts> {
  const rows = await run(url, 'SELECT id, type FROM accounts ORDER BY id')
  const idsOf = (type: string) => rows.flatMap((row) => (row['type'] === type ? [row['id']] : []))
  return {
    wallets: idsOf('wallet') as AccountId[],
    merchant: idsOf('merchant')[0] as AccountId,
  }
}

/** What a part of the bench found, beside what it measured. */
export interface Examined {
  /** What is wrong with the books; empty when nothing is. */
  readonly faults: readonly string[]
  readonly deadlocks: number
}

export interface Measured<T> extends Examined {
  readonly figures: T
}

/** Call it when nobody is connected any more: a connection tells of its deadlocks at its end. */
export async function examine(
  { name, url }: Database,
  transfers: number,
  say: (line: string) => void,
): Promise<Examined> {
  say(`auditing ${name}: ${transfers} transfers`)
  const found = await faultsOf(url, transfers)
  return { faults: found.map((fault) => `${name}: ${fault}`), deadlocks: await deadlocksIn(url) }
}

export const together = (all: readonly Examined[]): Examined => ({
  faults: all.flatMap(({ faults }) => faults),
  deadlocks: all.reduce((sum, { deadlocks }) => sum + deadlocks, 0),
})

/** Ten million entries are sorted and compared several times. */
const AUDIT_MAX_MS = 15 * 60_000

/**
 * What is wrong with the books, one line each: what the audit finds, and transfers that were
 * answered and are not there, or are there and were not answered.
 */
async function faultsOf(url: string, transfers: number): Promise<string[]> {
  // Sorting in memory what would not fit into it otherwise; the audit's statements are unchanged.
  const roomy = `${url}${url.includes('?') ? '&' : '?'}options=-c%20work_mem%3D256MB`
  const db = connect({ url: roomy, connectionsMax: 1, applicationName: 'florin bench' })
  const timer = setTimeout(() => void db.destroy(), AUDIT_MAX_MS)
  try {
    const found = await audit(db)
    const faults = found.violations
      .filter(isNoWorkOfOurs)
      .map(({ invariant, subject }) => `${invariant}: ${subject}`)
    const isComplete = found.transfers === BigInt(transfers)
    return isComplete ? faults : [...faults, `${found.transfers} transfers, not ${transfers}`]
  } finally {
    clearTimeout(timer)
    await db.destroy()
  }
}

/** The bench itself takes this guard away, where it measures without it. */
const isNoWorkOfOurs = ({ invariant, subject }: { invariant: string; subject: string }) =>
  !(invariant === 'guards_are_in_place' && subject.endsWith('check_transfers'))

/** How often Postgres had to break a deadlock in the database: SQLSTATE 40P01. */
async function deadlocksIn(url: string): Promise<number> {
  const [row] = await run(
    url,
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )
  return Number(row?.['deadlocks'])
}

/**
 * The columns that the newest transfer fills and what it says of itself: the same in two books
 * whose writers write the same rows.
 */
export async function shapeOf({ url }: Database): Promise<string> {
  const [row] = await run(
    url,
    `SELECT string_agg(key, ', ' ORDER BY key) AS columns
       FROM (SELECT * FROM transfers ORDER BY id DESC LIMIT 1) t, jsonb_each(to_jsonb(t))
      WHERE value <> 'null'`,
  )
  return `${row?.['columns']}`
}
