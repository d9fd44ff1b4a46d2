/**
 * What a merchant pays with when money goes back: its balance, then its reserves, then its credit.
 * Whoever takes from reserves or adds to them has the merchant's turn, so that what they decide
 * from stays true until they have written it.
 */
import type { Knex } from 'knex'
import {
  type AccountId,
  type Currency,
  findAccounts,
  lockAvailable,
  type Uuid,
} from '../../ledger/index.ts'
import { merchantOwner } from '../books/chart.ts'
import type { Drawn } from '../books/refund_postings.ts'
import { type Sources, sourcesOf } from '../refunds/policy.ts'
import { openReserves } from './rows.ts'

/** Whose money, and the account that it is in. */
export interface Paying {
  readonly merchant: Uuid
  readonly currency: Currency
  readonly account: AccountId
}

export interface Means {
  /** The account of the merchant's reserves, if there is one. */
  readonly reserve: AccountId | undefined
  /** What pays for `need`, and what that takes of which reserves. */
  readonly pay: (need: bigint) => { readonly sources: Sources; readonly drawn: readonly Drawn[] }
}

/** Of so many reserves one unit takes; a unit has room for 256 transfers. */
const DRAWN_MAX = 200

/** One at a time for a merchant and a currency, until `trx` ends. Before any account is locked. */
export async function takeTurn(
  trx: Knex.Transaction,
  { merchant, currency }: Pick<Paying, 'merchant' | 'currency'>,
): Promise<void> {
  const name = `reserves ${merchant} ${currency}`
  await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [name])
}

/**
 * What the merchant has, decided under the lock of all accounts that the unit moves.
 * @param others the accounts that the unit moves beside the merchant's.
 */
export async function lockMeans(
  trx: Knex.Transaction,
  paying: Paying,
  others: readonly AccountId[],
): Promise<Means> {
  const { merchant, currency, account } = paying
  await takeTurn(trx, paying)
  const key = { owner: merchantOwner(merchant), type: 'reserve', currency } as const
  const [found] = await findAccounts(trx, key)
  const open = await openReserves(trx, paying, DRAWN_MAX)
  const reserves = open.map(({ id, remaining }) => ({ reserve: id, amount: remaining }))
  const reserve = found?.id
  const all = [account, ...(reserve === undefined ? [] : [reserve]), ...others]
  const available = await lockAvailable(trx, all)
  const kept = reserves.reduce((sum, { amount }) => sum + amount, 0n)
  return {
    reserve,
    pay(need) {
      const sources = sourcesOf(need, { balance: available(account), reserve: kept })
      return { sources, drawn: drawnOf(reserves, sources.reserve) }
    },
  }
}

/** The first ones whole, and of the last as much as is needed. Pure. */
export function drawnOf(reserves: readonly Drawn[], amount: bigint): Drawn[] {
  let missing = amount
  const drawn: Drawn[] = []
  for (const { reserve, amount: left } of reserves) {
    if (missing === 0n) break
    const part = left < missing ? left : missing
    drawn.push({ reserve, amount: part })
    missing -= part
  }
  return drawn
}

/** The rows of what was taken, once its money has moved. */
export async function recordDrawn(
  trx: Knex.Transaction,
  drawn: readonly Drawn[],
  at: Date,
): Promise<void> {
  if (drawn.length === 0) return
  await trx.raw(
    `UPDATE reserves r SET remaining = r.remaining - d.amount, changed_at = ?
       FROM unnest(?::uuid[], ?::bigint[]) AS d (id, amount) WHERE r.id = d.id`,
    [at, drawn.map(({ reserve }) => reserve), drawn.map(({ amount }) => amount.toString())],
  )
}
