/**
 * The single writer of money: lock, decide, write, all set-wise and all in the caller's
 * transaction.
 */
import type { Knex } from 'knex'
import {
  type Account,
  type Books,
  decide,
  type Decision,
  type NewTransfer,
  type NewUnit,
  type Pending,
  type Transfer,
} from './decide.ts'
import { LedgerError } from './errors.ts'
import type { AccountId, TransferId } from './ids.ts'

/** A connection inside a transaction. `name` makes Postgres prepare the statement once. */
export interface Connection {
  query(statement: {
    readonly name?: string
    readonly text: string
    readonly values?: readonly unknown[]
  }): Promise<{ rows: unknown[] }>
}

/**
 * Records the unit's transfers and moves the balances they touch: all of them, or none.
 *
 * The caller owns `trx`, so its own rows commit or roll back with the money. A refusal is decided
 * before anything is written: after it the transaction is still usable.
 * @throws {LedgerError} when the unit is refused.
 */
export async function createTransfers(
  trx: Knex.Transaction,
  unit: NewUnit,
): Promise<readonly Transfer[]> {
  const connection = (await trx.client.acquireConnection()) as Connection
  const { verdicts, ...rows } = await decideUnderLock(connection, [unit])
  const [verdict] = verdicts
  if (verdict === undefined) throw new Error('a unit went without a verdict')
  if (!verdict.accepted) throw new LedgerError(verdict.code)
  await Promise.all(writeMoney(connection, rows))
  return verdict.transfers
}

/** Locks every account the units touch, in id order so that nobody can deadlock, and decides. */
export async function decideUnderLock(
  connection: Connection,
  units: readonly NewUnit[],
): Promise<Decision> {
  const transfers = units.flatMap((unit) => unit.transfers)
  const pendings = await findPendings(connection, transfers)
  const accounts = await lockAccounts(connection, accountsOf(transfers, pendings))
  const resolved = await findResolved(connection, [...pendings.keys()])
  for (const [id, pending] of pendings) pendings.set(id, { ...pending, resolved: resolved.has(id) })
  return decide({ accounts, pendings }, units)
}

function accountsOf(transfers: readonly NewTransfer[], pendings: Books['pendings']): AccountId[] {
  const ids = new Set<AccountId>()
  for (const transfer of [...transfers, ...pendings.values()]) {
    if ('debit' in transfer) ids.add(transfer.debit).add(transfer.credit)
  }
  return [...ids]
}

export interface AccountRow {
  id: AccountId
  currency: string
  normal_side: Account['normalSide']
  floor: bigint | null
  debits_posted: bigint
  credits_posted: bigint
  debits_pending: bigint
  credits_pending: bigint
  last_entry: bigint
}

const LOCK_ACCOUNTS = `
  SELECT id, currency, normal_side, floor, debits_posted, credits_posted, debits_pending,
         credits_pending, last_entry
    FROM accounts
   WHERE id = ANY ($1::uuid[])
   ORDER BY id
     FOR NO KEY UPDATE`

async function lockAccounts(connection: Connection, ids: readonly AccountId[]) {
  if (ids.length === 0) return new Map<AccountId, Account>()
  const values = [arrayOf(ids)]
  const { rows } = await connection.query({ name: 'lock_accounts', text: LOCK_ACCOUNTS, values })
  return new Map((rows as AccountRow[]).map((row) => [row.id, fromRow(row)]))
}

/** An account as it is kept in `accounts`. */
export const fromRow = (row: AccountRow): Account => ({
  id: row.id,
  currency: row.currency,
  normalSide: row.normal_side,
  floor: row.floor,
  debitsPosted: row.debits_posted,
  creditsPosted: row.credits_posted,
  debitsPending: row.debits_pending,
  creditsPending: row.credits_pending,
  lastEntry: row.last_entry,
})

/** Pending transfers never change, so they may be read before their accounts are locked. */
async function findPendings(connection: Connection, transfers: readonly NewTransfer[]) {
  const pendings = new Map<TransferId, Pending>()
  const ids = transfers.flatMap((transfer) => ('pendingId' in transfer ? [transfer.pendingId] : []))
  if (ids.length === 0) return pendings
  const { rows } = await connection.query({
    text: `SELECT id, debit_account_id AS debit, credit_account_id AS credit, amount, currency
             FROM transfers WHERE id = ANY ($1::uuid[]) AND kind = 'pending'`,
    values: [arrayOf(ids)],
  })
  type Row = { id: TransferId; debit: AccountId; credit: AccountId } & Pending['money']
  for (const { id, debit, credit, amount, currency } of rows as Row[]) {
    pendings.set(id, { debit, credit, money: { amount, currency }, resolved: false })
  }
  return pendings
}

/**
 * Whether one is resolved already may only be asked under lock: a resolution locks its accounts.
 */
async function findResolved(connection: Connection, ids: readonly TransferId[]) {
  if (ids.length === 0) return new Set<TransferId>()
  const { rows } = await connection.query({
    text: 'SELECT pending_id FROM transfers WHERE pending_id = ANY ($1::uuid[])',
    values: [arrayOf(ids)],
  })
  return new Set((rows as { pending_id: TransferId }[]).map((row) => row.pending_id))
}

const UPDATE_ACCOUNTS = `
  UPDATE accounts a
     SET debits_posted = n.debits_posted, credits_posted = n.credits_posted,
         debits_pending = n.debits_pending, credits_pending = n.credits_pending,
         last_entry = n.last_entry
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
      AS n (id, debits_posted, credits_posted, debits_pending, credits_pending, last_entry)
   WHERE a.id = n.id`

const INSERT_TRANSFERS = `
  INSERT INTO transfers (id, kind, debit_account_id, credit_account_id, amount, currency,
         pending_id, code, reference, effective_at, debit_entry, credit_entry, debit_balance,
         credit_balance)
  SELECT * FROM unnest($1::uuid[], $2::transfer_kind[], $3::uuid[], $4::uuid[], $5::bigint[],
         $6::text[], $7::uuid[], $8::text[], $9::uuid[], $10::timestamptz[], $11::bigint[],
         $12::bigint[], $13::bigint[], $14::bigint[])`

/**
 * Writes what was decided. The statements are in flight together when the connection pipelines;
 * the accounts come first, because the check on new transfers reads them.
 */
export function writeMoney(
  connection: Connection,
  { accounts, transfers }: Omit<Decision, 'verdicts'>,
): Promise<unknown>[] {
  if (transfers.length === 0) return []
  const update = {
    name: 'update_accounts',
    text: UPDATE_ACCOUNTS,
    values: [
      arrayOf(accounts.map((account) => account.id)),
      arrayOf(accounts.map((account) => account.debitsPosted)),
      arrayOf(accounts.map((account) => account.creditsPosted)),
      arrayOf(accounts.map((account) => account.debitsPending)),
      arrayOf(accounts.map((account) => account.creditsPending)),
      arrayOf(accounts.map((account) => account.lastEntry)),
    ],
  }
  const insert = {
    name: 'insert_transfers',
    text: INSERT_TRANSFERS,
    values: [
      arrayOf(transfers.map((transfer) => transfer.id)),
      arrayOf(transfers.map((transfer) => transfer.kind)),
      arrayOf(transfers.map((transfer) => transfer.debit)),
      arrayOf(transfers.map((transfer) => transfer.credit)),
      arrayOf(transfers.map((transfer) => transfer.money.amount)),
      arrayOf(transfers.map((transfer) => transfer.money.currency)),
      arrayOf(transfers.map((transfer) => transfer.pendingId ?? 'NULL')),
      arrayOf(transfers.map((transfer) => transfer.code)),
      arrayOf(transfers.map((transfer) => transfer.reference)),
      arrayOf(transfers.map((transfer) => transfer.effectiveAt.toISOString())),
      arrayOf(transfers.map((transfer) => transfer.debitEntry)),
      arrayOf(transfers.map((transfer) => transfer.creditEntry)),
      arrayOf(transfers.map((transfer) => transfer.debitBalance)),
      arrayOf(transfers.map((transfer) => transfer.creditBalance)),
    ],
  }
  return [connection.query(update), connection.query(insert)]
}

/**
 * An array in Postgres's own notation, many times faster than the driver quotes one. Elements are
 * ids, whole numbers, times and single words of ours, none of which needs quotes.
 */
function arrayOf(elements: readonly (string | bigint)[]): string {
  if (elements.some((element) => typeof element === 'string' && NEEDS_QUOTES.test(element))) {
    throw new Error('an array element would need quotes')
  }
  return `{${elements.join(',')}}`
}

const NEEDS_QUOTES = /[^\w:.-]/
