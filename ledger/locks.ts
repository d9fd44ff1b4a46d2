/** Accounts as they are kept, and how they are locked. */
import type { Account, Restrictions } from './balances.ts'
import { uuidsOf } from './wire/binary.ts'
import type { Connection } from './database.ts'
import type { AccountId } from './ids.ts'

/** What of a row of `accounts` decisions need. */
export interface AccountRow {
  id: AccountId
  type: Account['type']
  currency: string
  floor: bigint | null
  debits_posted: bigint
  credits_posted: bigint
  debits_pending: bigint
  credits_pending: bigint
  last_entry: bigint
  debits_frozen: boolean
  credits_frozen: boolean
  closed_at: Date | null
  closed_through: Date | null
}

export const fromRow = (row: AccountRow): Account => ({
  id: row.id,
  type: row.type,
  currency: row.currency,
  floor: row.floor,
  debitsPosted: row.debits_posted,
  creditsPosted: row.credits_posted,
  debitsPending: row.debits_pending,
  creditsPending: row.credits_pending,
  lastEntry: row.last_entry,
  restrictions: restrictionsOf(
    row.debits_frozen,
    row.credits_frozen,
    row.closed_at,
    row.closed_through,
  ),
})

function restrictionsOf(
  debitsFrozen: boolean,
  creditsFrozen: boolean,
  closedAt: Date | null,
  closedThrough: Date | null,
): Restrictions | null {
  if (!debitsFrozen && !creditsFrozen && closedAt === null && closedThrough === null) return null
  return { debitsFrozen, creditsFrozen, isClosed: closedAt !== null, closedThrough }
}

/** `ctid` is where the row lies: nobody can move it while it is locked. */
const LOCK_ACCOUNTS = `
  SELECT ctid, id, type, currency, floor, debits_posted, credits_posted, debits_pending,
         credits_pending, last_entry, debits_frozen, credits_frozen, closed_at, closed_through
    FROM accounts
   WHERE id = ANY ($1::uuid[])
   ORDER BY id
     FOR NO KEY UPDATE`

export interface Locked {
  readonly accounts: ReadonlyMap<AccountId, Account>
  /** Where Postgres finds them again without looking them up, for as long as they are locked. */
  readonly places: ReadonlyMap<AccountId, string>
}

/** Locks the accounts in id order, so that nobody can deadlock, and answers how they stand. */
export async function lockAccounts(
  connection: Connection,
  ids: readonly AccountId[],
): Promise<Locked> {
  const accounts = new Map<AccountId, Account>()
  const places = new Map<AccountId, string>()
  if (ids.length === 0) return { accounts, places }
  const { rows } = await connection.query({
    name: 'lock_accounts',
    text: LOCK_ACCOUNTS,
    values: [uuidsOf(ids)],
    rowMode: 'array',
  })
  for (const row of rows as LockedRow[]) {
    accounts.set(row[1], fromLockedRow(row))
    places.set(row[1], row[0])
  }
  return { accounts, places }
}

/** The columns of LOCK_ACCOUNTS. */
type LockedRow = readonly [
  place: string,
  id: AccountId,
  type: Account['type'],
  currency: string,
  floor: bigint | null,
  debitsPosted: bigint,
  creditsPosted: bigint,
  debitsPending: bigint,
  creditsPending: bigint,
  lastEntry: bigint,
  debitsFrozen: boolean,
  creditsFrozen: boolean,
  closedAt: Date | null,
  closedThrough: Date | null,
]

const fromLockedRow = (row: LockedRow): Account => ({
  id: row[1],
  type: row[2],
  currency: row[3],
  floor: row[4],
  debitsPosted: row[5],
  creditsPosted: row[6],
  debitsPending: row[7],
  creditsPending: row[8],
  lastEntry: row[9],
  restrictions: restrictionsOf(row[10], row[11], row[12], row[13]),
})
