/** Opening accounts, and reading what is in them. */
import type { Knex } from 'knex'
import { type AccountType, CHART, type Side } from './chart.ts'
import { availableBalance, postedBalance } from './balances.ts'
import {
  type AccountId,
  newId,
  type TransferId,
  transferIdAt,
  TRANSFERS_PER_UNIT_MAX,
  type UnitId,
  type Uuid,
} from './ids.ts'
import type { Currency } from './money.ts'
import type { Transfer } from './units.ts'
import { type AccountRow, fromRow } from './locks.ts'

/** What makes an account the one it is: there is one per owner, type and currency. */
export interface AccountKey {
  readonly owner: string
  readonly type: AccountType
  readonly currency: Currency
}

export interface AccountBalances extends AccountKey {
  readonly id: AccountId
  readonly openedAt: Date
  readonly lastEntry: bigint
  /** Settled money, in minor units on the account's normal side. */
  readonly posted: bigint
  /** What may still leave: posted, less what is reserved to leave. */
  readonly available: bigint
}

export interface Entry {
  /** 1, 2, 3, ... without gaps. */
  readonly entry: bigint
  readonly side: Side
  readonly transferId: TransferId
  readonly kind: Transfer['kind']
  readonly code: string
  readonly reference: Uuid
  readonly amount: bigint
  readonly currency: Currency
  /** Posted balance after the entry. */
  readonly balance: bigint
  readonly effectiveAt: Date
  readonly recordedAt: Date
}

/** The account's id; opens the account if it is not open yet. Safe to call at any time. */
export async function openAccount(db: Knex, key: AccountKey): Promise<AccountId> {
  const { owner, type, currency } = key
  const { normalSide, floor } = CHART[type]
  const id = newId()
  const row = { id, owner, type, currency, normal_side: normalSide, floor: floor?.toString() }
  await db('accounts').insert(row).onConflict(['owner', 'type', 'currency']).ignore()
  const found = await db('accounts').where({ owner, type, currency }).first('id')
  return found.id
}

interface Row extends AccountRow {
  owner: string
  type: AccountType
  opened_at: Date
}

const toBalances = (row: Row): AccountBalances => ({
  id: row.id,
  owner: row.owner,
  type: row.type,
  currency: row.currency,
  openedAt: row.opened_at,
  lastEntry: row.last_entry,
  posted: postedBalance(fromRow(row)),
  available: availableBalance(fromRow(row)),
})

/** The accounts that match, oldest first, after account `after` if given; `limit` at most. */
export async function findAccounts(
  db: Knex,
  where: Partial<AccountKey> & { readonly id?: AccountId },
  {
    after,
    limit = ACCOUNTS_MAX,
  }: { readonly after?: AccountId | undefined; readonly limit?: number } = {},
): Promise<AccountBalances[]> {
  const query = db('accounts').where(where).orderBy('id').limit(limit)
  if (after !== undefined) query.where('id', '>', after)
  const rows: Row[] = await query
  return rows.map(toBalances)
}

const ACCOUNTS_MAX = 1_000

/**
 * The newest entries first, before entry number `before` if given.
 * @param limit how many at most.
 */
export async function findEntries(
  db: Knex,
  account: AccountId,
  { before, limit }: { readonly before?: bigint | undefined; readonly limit: number },
): Promise<Entry[]> {
  const query = db('entries').where({ account_id: account }).orderBy('entry', 'desc').limit(limit)
  if (before !== undefined) query.where('entry', '<', before.toString())
  return query.select({
    entry: 'entry',
    side: 'side',
    transferId: 'transfer_id',
    kind: 'kind',
    code: 'code',
    reference: 'reference',
    amount: 'amount',
    currency: 'currency',
    balance: 'balance',
    effectiveAt: 'effective_at',
    recordedAt: 'recorded_at',
  })
}

/** What the transfers of a unit are for: their references, each once. None: there is no unit. */
export async function findPurposes(db: Knex, unit: UnitId): Promise<Uuid[]> {
  const ids = [transferIdAt(unit, 0), transferIdAt(unit, TRANSFERS_PER_UNIT_MAX - 1)] as const
  return db('transfers').whereBetween('id', ids).distinct('reference').pluck('reference')
}

/**
 * The posted balance as it stood at `at`, by the time of recording. Zero before the first entry.
 */
export async function balanceAt(db: Knex, account: AccountId, at: Date): Promise<bigint> {
  const row = await db('entries')
    .where({ account_id: account })
    .where('recorded_at', '<=', at)
    .orderBy('entry', 'desc')
    .first('balance')
  return row?.balance ?? 0n
}
