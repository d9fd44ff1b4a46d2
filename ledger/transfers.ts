/**
 * The single writer of money: lock, decide, write, all set-wise and all in the caller's
 * transaction.
 */
import type { Knex } from 'knex'
import type { Account, Restrictions } from './balances.ts'
import { type Books, decide, type Decision, referencesOf } from './decide.ts'
import { LedgerError } from './errors.ts'
import { type AccountId, transferIdAt, TRANSFERS_PER_UNIT_MAX, type UnitId } from './ids.ts'
import type { Origin, OriginRow } from './origins.ts'
import type { NewUnit, Transfer } from './units.ts'

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
  const origins = await findOrigins(connection, [...referencesOf(units)])
  const accounts = await lockAccounts(connection, accountsOf(units, origins))
  const current = await withWhatBecame(connection, origins)
  return decide({ accounts, origins: current }, units)
}

function accountsOf(units: readonly NewUnit[], origins: Books['origins']): AccountId[] {
  const ids = new Set<AccountId>()
  for (const { transfers, conditions = [] } of units) {
    for (const { account } of conditions) ids.add(account)
    for (const transfer of transfers) {
      if ('debit' in transfer) ids.add(transfer.debit).add(transfer.credit)
    }
  }
  for (const origin of origins.values()) {
    for (const { debit, credit } of origin) ids.add(debit).add(credit)
  }
  return [...ids]
}

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
  restrictions: RestrictionsRow | null
}

interface RestrictionsRow {
  debits_frozen: boolean
  credits_frozen: boolean
  is_closed: boolean
  closed_through: string | null
}

/** The restrictions of a row of `accounts` as one value, which is null for most. */
export const RESTRICTIONS = `
  CASE WHEN debits_frozen OR credits_frozen OR closed_at IS NOT NULL OR closed_through IS NOT NULL
    THEN json_build_object('debits_frozen', debits_frozen, 'credits_frozen', credits_frozen,
           'is_closed', closed_at IS NOT NULL, 'closed_through', closed_through)
  END AS restrictions`

const LOCK_ACCOUNTS = `
  SELECT id, type, currency, floor, debits_posted, credits_posted, debits_pending,
         credits_pending, last_entry, ${RESTRICTIONS}
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
  type: row.type,
  currency: row.currency,
  floor: row.floor,
  debitsPosted: row.debits_posted,
  creditsPosted: row.credits_posted,
  debitsPending: row.debits_pending,
  creditsPending: row.credits_pending,
  lastEntry: row.last_entry,
  restrictions: row.restrictions && restrictionsOf(row.restrictions),
})

const restrictionsOf = (row: RestrictionsRow): Restrictions => ({
  debitsFrozen: row.debits_frozen,
  creditsFrozen: row.credits_frozen,
  isClosed: row.is_closed,
  closedThrough: row.closed_through === null ? null : new Date(row.closed_through),
})

/** Transfers never change, so those of earlier units may be read before any account is locked. */
async function findOrigins(connection: Connection, ids: readonly UnitId[]) {
  const origins = new Map<UnitId, OriginRow[]>()
  if (ids.length === 0) return origins
  const { rows } = await connection.query({
    name: 'find_origins',
    text: `SELECT u.first AS unit, t.id, t.kind, t.debit_account_id AS debit,
                  t.credit_account_id AS credit, t.amount, t.currency, t.expires_at AS "expiresAt"
             FROM unnest($1::uuid[], $2::uuid[]) AS u (first, last)
            CROSS JOIN LATERAL (
                  SELECT * FROM transfers WHERE id BETWEEN u.first AND u.last ORDER BY id) t`,
    values: [
      arrayOf(ids.map((id) => transferIdAt(id, 0))),
      arrayOf(ids.map((id) => transferIdAt(id, TRANSFERS_PER_UNIT_MAX - 1))),
    ],
  })
  type Row = Omit<OriginRow, 'money'> & OriginRow['money'] & { unit: UnitId }
  for (const { unit, amount, currency, ...row } of rows as Row[]) {
    const money = { amount, currency }
    const origin = origins.get(unit) ?? []
    origin.push({ ...row, money, resolved: 0n, resolutions: 0n, isReversed: false })
    origins.set(unit, origin)
  }
  return origins
}

/**
 * What was posted, voided or reversed of them already. May only be asked under lock: whoever does
 * any of it locks their accounts.
 */
async function withWhatBecame(
  connection: Connection,
  origins: ReadonlyMap<UnitId, Origin>,
): Promise<ReadonlyMap<UnitId, Origin>> {
  const ids = [...origins.values()].flatMap((origin) => origin.map((row) => row.id))
  if (ids.length === 0) return origins
  const { rows } = await connection.query({
    name: 'find_what_became',
    text: `SELECT o.id, r.resolved, r.resolutions,
                  EXISTS (SELECT FROM transfers WHERE reverses_id = o.id) AS "isReversed"
             FROM unnest($1::uuid[]) AS o (id)
            CROSS JOIN LATERAL (
                  SELECT coalesce(sum(amount), 0)::bigint AS resolved, count(*) AS resolutions
                    FROM transfers WHERE pending_id = o.id) r`,
    values: [arrayOf(ids)],
  })
  const became = new Map((rows as OriginRow[]).map((row) => [row.id, row]))
  return new Map(
    [...origins].map(([id, origin]) => [
      id,
      origin.map((row) => ({ ...row, ...became.get(row.id) })),
    ]),
  )
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
         pending_id, resolution, reverses_id, code, reference, effective_at, booked_at, expires_at,
         debit_entry, credit_entry, debit_balance, credit_balance)
  SELECT * FROM unnest($1::uuid[], $2::transfer_kind[], $3::uuid[], $4::uuid[], $5::bigint[],
         $6::text[], $7::uuid[], $8::bigint[], $9::uuid[], $10::text[], $11::uuid[],
         $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::bigint[],
         $16::bigint[], $17::bigint[], $18::bigint[])`

const INSERT_EXPIRIES = `
  INSERT INTO hold_expiries (hold_id, reference, expires_at)
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) ON CONFLICT DO NOTHING`

/**
 * Writes what was decided. The statements are in flight together when the connection pipelines;
 * the accounts come first, because the check on new transfers reads them.
 */
export function writeMoney(
  connection: Connection,
  { accounts, transfers }: Omit<Decision, 'verdicts'>,
): Promise<unknown>[] {
  if (transfers.length === 0) return []
  const statements = [updateOf(accounts), insertOf(transfers)]
  const expiring = transfers.filter((transfer) => transfer.expiresAt !== null)
  if (expiring.length > 0) statements.push(expiriesOf(expiring))
  return statements.map((statement) => connection.query(statement))
}

const updateOf = (accounts: readonly Account[]) => ({
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
})

const insertOf = (transfers: readonly Transfer[]) => ({
  name: 'insert_transfers',
  text: INSERT_TRANSFERS,
  values: [
    arrayOf(transfers.map((transfer) => transfer.id)),
    arrayOf(transfers.map((transfer) => transfer.kind)),
    arrayOf(transfers.map((transfer) => transfer.debit)),
    arrayOf(transfers.map((transfer) => transfer.credit)),
    arrayOf(transfers.map((transfer) => transfer.money.amount)),
    arrayOf(transfers.map((transfer) => transfer.money.currency)),
    arrayOf(transfers.map((transfer) => transfer.pendingId)),
    arrayOf(transfers.map((transfer) => transfer.resolution)),
    arrayOf(transfers.map((transfer) => transfer.reversesId)),
    arrayOf(transfers.map((transfer) => transfer.code)),
    arrayOf(transfers.map((transfer) => transfer.reference)),
    arrayOf(transfers.map((transfer) => transfer.effectiveAt?.toISOString() ?? null)),
    arrayOf(transfers.map((transfer) => transfer.bookedAt?.toISOString() ?? null)),
    arrayOf(transfers.map((transfer) => transfer.expiresAt?.toISOString() ?? null)),
    arrayOf(transfers.map((transfer) => transfer.debitEntry)),
    arrayOf(transfers.map((transfer) => transfer.creditEntry)),
    arrayOf(transfers.map((transfer) => transfer.debitBalance)),
    arrayOf(transfers.map((transfer) => transfer.creditBalance)),
  ],
})

/** A hold is on the list once, by the unit's id, however many legs it has. */
const expiriesOf = (pendings: readonly Transfer[]) => ({
  name: 'insert_expiries',
  text: INSERT_EXPIRIES,
  values: [
    arrayOf(pendings.map((leg) => transferIdAt(leg.id, 0))),
    arrayOf(pendings.map((leg) => leg.reference)),
    arrayOf(pendings.map((leg) => leg.expiresAt?.toISOString() ?? null)),
  ],
})

/**
 * An array in Postgres's own notation, many times faster than the driver quotes one. Elements are
 * ids, whole numbers, times and single words of ours, none of which needs quotes.
 */
function arrayOf(elements: readonly (string | bigint | null)[]): string {
  if (elements.some((element) => typeof element === 'string' && NEEDS_QUOTES.test(element))) {
    throw new Error('an array element would need quotes')
  }
  return `{${elements.map((element) => element ?? 'NULL').join(',')}}`
}

const NEEDS_QUOTES = /[^\w:.-]/
