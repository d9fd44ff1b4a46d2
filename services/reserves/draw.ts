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
  type Funds,
  lockFunds,
  type Uuid,
} from '../../ledger/index.ts'
import { merchantOwner } from '../books/chart.ts'
import type { Drawn } from '../books/refund_postings.ts'
import { ServiceError } from '../errors.ts'
import { type ShareSources, shareSourcesOf, type Sources, sourcesOf } from '../refunds/policy.ts'
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
  /** The same of a beneficiary for its share: never more than it can. */
  readonly payShare: (need: bigint) => {
    readonly sources: ShareSources
    readonly drawn: readonly Drawn[]
  }
}

/** Of so many reserves one unit takes, of all who pay; a unit has room for 256 transfers. */
const DRAWN_MAX = 180

/** One at a time for a merchant and a currency, until `trx` ends. Before any account is locked. */
export async function takeTurn(
  trx: Knex.Transaction,
  { merchant, currency }: Pick<Paying, 'merchant' | 'currency'>,
): Promise<void> {
  const name = `reserves ${merchant} ${currency}`
  await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [name])
}

/** What the merchant has, alone. */
export async function lockMeans(
  trx: Knex.Transaction,
  paying: Paying,
  others: readonly AccountId[],
): Promise<Means> {
  return (await lockMeansOf(trx, [paying], others))(paying.account)
}

/**
 * What each merchant has, decided under the lock of all accounts that the unit moves.
 * @param others the accounts that the unit moves beside the merchants'.
 */
export async function lockMeansOf(
  trx: Knex.Transaction,
  all: readonly Paying[],
  others: readonly AccountId[],
): Promise<(account: AccountId) => Means> {
  // Everybody takes turns in the same order, so that nobody can deadlock.
  const inOrder = [...all].sort((one, other) => (one.merchant < other.merchant ? -1 : 1))
  const found: Found[] = []
  for (const paying of inOrder) {
    await takeTurn(trx, paying)
    found.push({ paying, ...(await reservesOf(trx, paying)) })
  }
  const accounts = found.flatMap(({ paying: { account }, reserve }) =>
    reserve === undefined ? [account] : [account, reserve],
  )
  const funds = await lockFunds(trx, [...accounts, ...others])
  return (account) => {
    const one = found.find(({ paying }) => paying.account === account)
    if (one === undefined) throw new Error(`account ${account} pays for nothing`)
    return meansOf(one, funds)
  }
}

interface Found {
  readonly paying: Paying
  readonly reserve: AccountId | undefined
  readonly reserves: readonly Drawn[]
}

async function reservesOf(trx: Knex.Transaction, paying: Paying) {
  const { merchant, currency } = paying
  const key = { owner: merchantOwner(merchant), type: 'reserve', currency } as const
  const [account] = await findAccounts(trx, key)
  // One more than may be drawn, so that whoever would need it is seen to.
  const open = await openReserves(trx, paying, DRAWN_MAX + 1)
  const reserves = open.map(({ id, remaining }) => ({ reserve: id, amount: remaining }))
  return { reserve: account?.id, reserves }
}

function meansOf(
  { paying: { account }, reserve, reserves }: Found,
  funds: (id: AccountId) => Funds,
): Means {
  const { available, credit, isOpen } = funds(account)
  const kept = reserves.reduce((sum, { amount }) => sum + amount, 0n)
  const balance = isOpen && available > 0n ? available : 0n
  const means = {
    balance,
    reserve: isOpen && (reserve === undefined || funds(reserve).isOpen) ? kept : 0n,
    credit: isOpen ? credit + available - balance : 0n,
  }
  return {
    reserve,
    pay(need) {
      const sources = sourcesOf(need, { balance: available, reserve: kept })
      return { sources, drawn: drawnOf(reserves, sources.reserve) }
    },
    payShare(need) {
      const sources = shareSourcesOf(need, means)
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

/**
 * What is taken of all who pay, as one unit has room for it. Where they would need more, nobody
 * else pays instead: all of it is refused, and less may be asked for.
 * @throws {ServiceError} `too_many_reserves`; it is not stored.
 */
export function drawnTogether(parts: readonly (readonly Drawn[])[]): Drawn[] {
  const all = parts.flat()
  if (all.length > DRAWN_MAX) throw new ServiceError('too_many_reserves')
  return all
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
