/** How low accounts may fall, and how much they have, for those who decide by it under the lock. */
import type { Knex } from 'knex'
import { lockOpenAccount } from './accounts.ts'
import { availableBalance } from './balances.ts'
import type { AccountType } from './chart.ts'
import type { Connection } from './database.ts'
import { LedgerError } from './errors.ts'
import type { AccountId } from './ids.ts'
import { type AccountRow, fromRow, lockAccounts } from './locks.ts'

/**
 * Lets a merchant's account fall to `floor`, in minor units: below zero, it may owe so much.
 * Postgres refuses it for any other account, and above zero.
 * @throws {LedgerError} `account_not_found`, `account_closed`, and `insufficient_funds` where it is
 *   lower already.
 */
export async function setFloor(trx: Knex.Transaction, id: AccountId, floor: bigint): Promise<void> {
  const row = await lockOpenAccount(trx, id)
  if (availableBalance(fromRow(row)) < floor) throw new LedgerError('insufficient_funds')
  await trx.raw('SELECT set_floor(?, ?)', [id, floor.toString()])
}

/** How far below zero an account may fall, and how far it has; minor units, neither negative. */
export interface Credit {
  readonly currency: string
  readonly most: bigint
  readonly used: bigint
}

/** Of each account of this kind that the owner has, by currency. */
export async function creditsOf(db: Knex, owner: string, type: AccountType): Promise<Credit[]> {
  const rows: AccountRow[] = await db('accounts').where({ owner, type }).orderBy('currency')
  return rows.map((row) => {
    const available = availableBalance(fromRow(row))
    const used = available < 0n ? -available : 0n
    return { currency: row.currency, most: -(row.floor ?? 0n), used }
  })
}

/** What an account has, in minor units. */
export interface Funds {
  readonly available: bigint
  /** So much it may owe. */
  readonly credit: bigint
  /** Neither closed nor frozen. */
  readonly isOpen: boolean
}

/**
 * What the accounts have. They stay locked until `trx` ends, so what is decided from it stays true.
 * Name every account that the transaction will move, and name them all at once: they are locked in
 * id order, as everybody locks them, so that nobody can deadlock.
 */
export async function lockFunds(
  trx: Knex.Transaction,
  ids: readonly AccountId[],
): Promise<(id: AccountId) => Funds> {
  const connection = (await trx.client.acquireConnection()) as Connection
  const { accounts } = await lockAccounts(connection, [...new Set(ids)])
  return (id) => {
    const account = accounts.get(id)
    if (account === undefined) throw new Error(`account ${id} was not locked`)
    const [available, { restrictions: rests }] = [availableBalance(account), account]
    const isOpen = !(rests?.isClosed || rests?.debitsFrozen || rests?.creditsFrozen)
    return { available, credit: -(account.floor ?? 0n), isOpen }
  }
}

/** The same, for those who ask for nothing but what is available. */
export async function lockAvailable(
  trx: Knex.Transaction,
  ids: readonly AccountId[],
): Promise<(id: AccountId) => bigint> {
  const funds = await lockFunds(trx, ids)
  return (id) => funds(id).available
}
