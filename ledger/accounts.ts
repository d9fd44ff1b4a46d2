/** Opening, restricting and closing accounts, and reading how they stand. */
import type { Knex } from 'knex'
import { availableBalance, postedBalance } from './balances.ts'
import { type AccountType, CHART, type Side } from './chart.ts'
import { LedgerError } from './errors.ts'
import {
  type AccountId,
  newId,
  transferIdAt,
  TRANSFERS_PER_UNIT_MAX,
  type UnitId,
  type Uuid,
} from './ids.ts'
import type { Currency } from './money.ts'
import { type AccountRow, fromRow } from './locks.ts'

/** What makes an account the one it is: there is one per owner, type and currency. */
export interface AccountKey {
  readonly owner: string
  readonly type: AccountType
  readonly currency: Currency
}

/** What the business remembers beside an account. Opaque to the ledger. */
export type Metadata = Readonly<Record<string, string>>

export interface AccountBalances extends AccountKey {
  readonly id: AccountId
  readonly openedAt: Date
  /** How often it has changed: the number of its newest entry. */
  readonly lastEntry: bigint
  /** Settled money, in minor units on the account's normal side. */
  readonly posted: bigint
  /** What may still leave: posted, less what is reserved to leave. */
  readonly available: bigint
  readonly debitsFrozen: boolean
  readonly creditsFrozen: boolean
  readonly closedAt: Date | null
  /** The end of its last closed period. */
  readonly closedThrough: Date | null
  readonly metadata: Metadata
}

/** What is left of one leg of a hold, on one of its accounts. */
export interface OpenHold {
  /** The unit by which it is posted or voided. */
  readonly hold: UnitId
  readonly side: Side
  /** Minor units, when it was made and now. */
  readonly amount: bigint
  readonly remaining: bigint
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
  debits_frozen: boolean
  credits_frozen: boolean
  closed_at: Date | null
  closed_through: Date | null
  metadata: Metadata
  /** The lowest that `floor` ever was, where it was changed. */
  floor_lowest: bigint | null
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
  debitsFrozen: row.debits_frozen,
  creditsFrozen: row.credits_frozen,
  closedAt: row.closed_at,
  closedThrough: row.closed_through,
  metadata: row.metadata,
})

/**
 * The account for whoever changes it, as nobody else can change it until `trx` ends.
 * @throws {LedgerError} `account_not_found`.
 */
export async function lockAccount(trx: Knex.Transaction, id: AccountId): Promise<Row> {
  const row: Row | undefined = await trx('accounts').where({ id }).forNoKeyUpdate().first()
  if (row === undefined) throw new LedgerError('account_not_found')
  return row
}

/** Like `lockAccount`, and closed accounts stay as they are: `account_closed`. */
export async function lockOpenAccount(trx: Knex.Transaction, id: AccountId): Promise<Row> {
  const row = await lockAccount(trx, id)
  if (row.closed_at !== null) throw new LedgerError('account_closed')
  return row
}

async function change(trx: Knex.Transaction, row: Row, to: Partial<Row>): Promise<AccountBalances> {
  await trx('accounts').where({ id: row.id }).update(to)
  return toBalances({ ...row, ...to })
}

/**
 * Stops new debits, new credits, both or neither. What was reserved before may still be posted and
 * voided: a promise that was made is kept.
 * @throws {LedgerError} `account_not_found` or `account_closed`.
 */
export async function freezeAccount(
  trx: Knex.Transaction,
  id: AccountId,
  { debits, credits }: { readonly debits: boolean; readonly credits: boolean },
): Promise<AccountBalances> {
  const row = await lockOpenAccount(trx, id)
  return change(trx, row, { debits_frozen: debits, credits_frozen: credits })
}

/**
 * For ever, and only at zero with nothing reserved.
 * @param at when, by the clock of who asks.
 * @throws {LedgerError} `account_not_found`, `account_closed` or `account_not_empty`.
 */
export async function closeAccount(
  trx: Knex.Transaction,
  id: AccountId,
  at: Date,
): Promise<AccountBalances> {
  const row = await lockOpenAccount(trx, id)
  const isReserved = row.debits_pending > 0n || row.credits_pending > 0n
  if (isReserved || row.debits_posted !== row.credits_posted) {
    throw new LedgerError('account_not_empty')
  }
  return change(trx, row, { closed_at: at })
}

/** Replaces what was remembered. @throws {LedgerError} `account_not_found`. */
export async function setMetadata(
  trx: Knex.Transaction,
  id: AccountId,
  metadata: Metadata,
): Promise<AccountBalances> {
  return change(trx, await lockAccount(trx, id), { metadata })
}

/** Which accounts; what is left out is any. Amounts are minor units on the normal side. */
export interface AccountFilter {
  readonly id?: AccountId | undefined
  readonly owner?: string | undefined
  readonly type?: AccountType | undefined
  readonly currency?: Currency | undefined
  /** At least these, with these values. */
  readonly metadata?: Metadata | undefined
  /** `frozen` in either direction, and not closed. */
  readonly state?: AccountState | undefined
  readonly postedBelow?: bigint | undefined
  readonly postedAbove?: bigint | undefined
  readonly availableBelow?: bigint | undefined
  readonly availableAbove?: bigint | undefined
}

export type AccountState = 'open' | 'frozen' | 'closed'

/** Column for column what `stateOf` says. */
const IN_STATE = {
  open: 'closed_at IS NULL AND NOT debits_frozen AND NOT credits_frozen',
  frozen: 'closed_at IS NULL AND (debits_frozen OR credits_frozen)',
  closed: 'closed_at IS NOT NULL',
} as const satisfies Record<AccountState, string>

export function stateOf({ closedAt, debitsFrozen, creditsFrozen }: AccountBalances): AccountState {
  if (closedAt !== null) return 'closed'
  return debitsFrozen || creditsFrozen ? 'frozen' : 'open'
}

const POSTED = `CASE normal_side WHEN 'credit' THEN credits_posted - debits_posted
                                 ELSE debits_posted - credits_posted END`
const AVAILABLE = `${POSTED} - CASE normal_side WHEN 'credit' THEN debits_pending
                                                ELSE credits_pending END`

/** What a filter demands, as SQL with one binding; equality of columns aside. */
const DEMANDS = {
  metadata: ['metadata @> ?::jsonb', (metadata: Metadata) => JSON.stringify(metadata)],
  postedBelow: [`${POSTED} < ?`, String],
  postedAbove: [`${POSTED} > ?`, String],
  availableBelow: [`${AVAILABLE} < ?`, String],
  availableAbove: [`${AVAILABLE} > ?`, String],
} as const satisfies Record<string, readonly [sql: string, bind: (value: never) => string]>

/** The accounts that match, oldest first, after account `after` if given; `limit` at most. */
export async function findAccounts(
  db: Knex,
  filter: AccountFilter,
  {
    after,
    limit = ACCOUNTS_MAX,
  }: { readonly after?: AccountId | undefined; readonly limit?: number } = {},
): Promise<AccountBalances[]> {
  const query = db('accounts').orderBy('id').limit(limit)
  const { id, owner, type, currency, state } = filter
  for (const [column, value] of Object.entries({ id, owner, type, currency })) {
    if (value !== undefined) query.where(column, value)
  }
  if (state !== undefined) query.whereRaw(IN_STATE[state])
  for (const [name, [sql, bind]] of Object.entries(DEMANDS)) {
    const value = filter[name as keyof typeof DEMANDS]
    if (value !== undefined) query.whereRaw(sql, [bind(value as never)])
  }
  if (after !== undefined) query.where('id', '>', after)
  const rows: Row[] = await query
  return rows.map(toBalances)
}

const ACCOUNTS_MAX = 1_000

/** How many holds are shown with an account. */
export const HOLDS_MAX = 100

/** What the transfers of these units are for, as their makers said: the references, each once. */
export async function findPurposes(db: Knex, units: readonly UnitId[]): Promise<Uuid[]> {
  const { rows } = await db.raw<{ rows: { reference: Uuid }[] }>(
    `SELECT DISTINCT t.reference FROM unnest(?::uuid[], ?::uuid[]) AS u (first, last)
      CROSS JOIN LATERAL (SELECT reference FROM transfers WHERE id BETWEEN u.first AND u.last) t`,
    [
      units.map((unit) => transferIdAt(unit, 0)),
      units.map((unit) => transferIdAt(unit, TRANSFERS_PER_UNIT_MAX - 1)),
    ],
  )
  return rows.map(({ reference }) => reference)
}

/**
 * The account and what is left of its newest holds, as they stood at one and the same moment: when
 * `lastEntry` has not changed since, neither have they.
 */
export async function findAccountWithHolds(
  db: Knex,
  filter: AccountFilter & { readonly id: AccountId },
): Promise<{ readonly account: AccountBalances; readonly holds: readonly OpenHold[] } | undefined> {
  type Holds = { transfer_id: UnitId; side: Side; amount: string; remaining: string }[]
  const { id, owner } = filter
  const row: (Row & { holds: Holds }) | undefined = await db('accounts')
    .where({ id, ...(owner !== undefined && { owner }) })
    .first(
      '*',
      // Amounts as text: JSON's numbers would lose digits.
      db.raw(
        `(SELECT coalesce(json_agg(json_build_object('transfer_id', transfer_id, 'side', side,
                   'amount', amount::text, 'remaining', remaining::text)), '[]')
            FROM open_holds(accounts.id, ?)) AS holds`,
        [HOLDS_MAX],
      ),
    )
  if (row === undefined) return undefined
  const holds = row.holds.map(({ transfer_id, side, amount, remaining }) => ({
    ...{ hold: transferIdAt(transfer_id, 0), side },
    ...{ amount: BigInt(amount), remaining: BigInt(remaining) },
  }))
  return { account: toBalances(row), holds }
}
