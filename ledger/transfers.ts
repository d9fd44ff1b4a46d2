/**
 * The single writer of money: lock, decide, write, all set-wise and all in the caller's
 * transaction.
 */
import type { Knex } from 'knex'
import type { Account } from './balances.ts'
import {
  bigintsOf,
  placesOf,
  putBigint,
  putBytea,
  putOptional,
  putText,
  putTime,
  putUuid,
} from './wire/binary.ts'
import { type Column, copyOf } from './wire/copy.ts'
import type { Connection } from './database.ts'
import { type Books, decide, type Decision, referencesOf } from './decide.ts'
import { findOrigins, withWhatBecame } from './earlier.ts'
import { LedgerError } from './errors.ts'
import { type AccountId, transferIdAt, type Uuid } from './ids.ts'
import { type Locked, lockAccounts } from './locks.ts'
import { type KnownQuotas, lockQuotas, type LockedQuotas, updateQuotas } from './quotas.ts'
import type { NewUnit, Transfer } from './units.ts'

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
  for (const write of writesOf(rows)) await write(connection)
  return verdict.transfers
}

/** What was decided, and where the rows that it was decided on lie. */
export type LockedDecision = Decision & Pick<Locked, 'places'> & Pick<LockedQuotas, 'quotaPlaces'>

/** Locks every account the units touch, in id order so that nobody can deadlock, and decides. */
export async function decideUnderLock(
  connection: Connection,
  units: readonly NewUnit[],
  known?: KnownQuotas,
): Promise<LockedDecision> {
  const origins = await findOrigins(connection, [...referencesOf(units)])
  // In this order on one connection: nobody who waits for a quota has an account to wait for.
  const [{ accounts, places }, { quotas, quotaPlaces }] = await Promise.all([
    lockAccounts(connection, accountsOf(units, origins)),
    lockQuotas(connection, quotasOf(units), known),
  ])
  const current = await withWhatBecame(connection, origins)
  const decision = decide({ accounts, origins: current, quotas }, units)
  return { ...decision, places, quotaPlaces }
}

const quotasOf = (units: readonly NewUnit[]): Uuid[] => [
  ...new Set(units.flatMap(({ uses = [] }) => uses.map(({ quota }) => quota))),
]

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

const UPDATE_ACCOUNTS = `
  UPDATE accounts a
     SET debits_posted = n.debits_posted, credits_posted = n.credits_posted,
         debits_pending = n.debits_pending, credits_pending = n.credits_pending,
         last_entry = n.last_entry
    FROM unnest($1::tid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
      AS n (place, debits_posted, credits_posted, debits_pending, credits_pending, last_entry)
   WHERE a.ctid = n.place`

const updateOf = (accounts: readonly Account[], places: Locked['places']) => ({
  name: 'update_accounts',
  text: UPDATE_ACCOUNTS,
  values: [
    placesOf(accounts.map((account) => places.get(account.id) ?? '')),
    bigintsOf(accounts.map((account) => account.debitsPosted)),
    bigintsOf(accounts.map((account) => account.creditsPosted)),
    bigintsOf(accounts.map((account) => account.debitsPending)),
    bigintsOf(accounts.map((account) => account.creditsPending)),
    bigintsOf(accounts.map((account) => account.lastEntry)),
  ],
})

/** What is left out here, Postgres fills in: when it was recorded, and in which transaction. */
const TRANSFER_COLUMNS: readonly Column<Transfer>[] = [
  { name: 'id', put: ({ id }) => putUuid(id) },
  { name: 'kind', put: ({ kind }) => putText(kind) },
  { name: 'debit_account_id', put: ({ debit }) => putUuid(debit) },
  { name: 'credit_account_id', put: ({ credit }) => putUuid(credit) },
  { name: 'amount', put: ({ money }) => putBigint(money.amount) },
  { name: 'currency', put: ({ money }) => putText(money.currency) },
  { name: 'pending_id', put: ({ pendingId }) => putOptional(putUuid, pendingId) },
  { name: 'resolution', put: ({ resolution }) => putOptional(putBigint, resolution) },
  { name: 'reverses_id', put: ({ reversesId }) => putOptional(putUuid, reversesId) },
  { name: 'code', put: ({ code }) => putText(code) },
  { name: 'reference', put: ({ reference }) => putUuid(reference) },
  { name: 'effective_at', put: ({ effectiveAt }) => putOptional(putTime, effectiveAt) },
  { name: 'booked_at', put: ({ bookedAt }) => putOptional(putTime, bookedAt) },
  { name: 'expires_at', put: ({ expiresAt }) => putOptional(putTime, expiresAt) },
  { name: 'evidence', put: ({ evidence }) => putOptional(putBytea, evidence) },
  { name: 'debit_entry', put: ({ debitEntry }) => putBigint(debitEntry) },
  { name: 'credit_entry', put: ({ creditEntry }) => putBigint(creditEntry) },
  { name: 'debit_balance', put: ({ debitBalance }) => putBigint(debitBalance) },
  { name: 'credit_balance', put: ({ creditBalance }) => putBigint(creditBalance) },
]

interface Expiry {
  readonly hold: Transfer['id']
  readonly reference: Transfer['reference']
  readonly expiresAt: Date
}

const EXPIRY_COLUMNS: readonly Column<Expiry>[] = [
  { name: 'hold_id', put: ({ hold }) => putUuid(hold) },
  { name: 'reference', put: ({ reference }) => putUuid(reference) },
  { name: 'expires_at', put: ({ expiresAt }) => putTime(expiresAt) },
]

/** A hold is on the list of what runs out once, by its unit's id, however many legs it has. */
function expiriesOf(transfers: readonly Transfer[]): Expiry[] {
  const expiries = new Map<Transfer['id'], Expiry>()
  for (const { id, reference, expiresAt } of transfers) {
    if (expiresAt === null) continue
    const hold = transferIdAt(id, 0)
    const earlier = expiries.get(hold)
    if (earlier === undefined || expiresAt < earlier.expiresAt) {
      expiries.set(hold, { hold, reference, expiresAt })
    }
  }
  return [...expiries.values()]
}

/**
 * The statements that write what was decided, in their order: the accounts come first, because the
 * check on new transfers reads them. On a connection that pipelines they may be in flight together.
 */
export function writesOf({
  accounts,
  transfers,
  places,
  quotas,
  quotaPlaces,
}: Omit<LockedDecision, 'verdicts'>): readonly Write[] {
  const writes: Write[] = quotas.length === 0 ? [] : [updateQuotas(quotas, quotaPlaces)]
  if (transfers.length === 0) return writes
  const expiries = expiriesOf(transfers)
  writes.push((connection) => connection.query(updateOf(accounts, places)))
  writes.push(copyOf('transfers', TRANSFER_COLUMNS, transfers))
  if (expiries.length > 0) writes.push(copyOf('hold_expiries', EXPIRY_COLUMNS, expiries))
  return writes
}

type Write = (connection: Connection) => Promise<unknown>
