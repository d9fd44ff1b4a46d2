/**
 * An account is closed for ever, so nobody closes it while something may still have to come back to
 * it: the money would find no way there. What leads away from it, or keeps some of it back, locks
 * the account; so it is asked once that is locked for good, and sees whatever this waited for.
 */
import type { Knex } from 'knex'
import {
  type AccountBalances,
  type AccountId,
  type AccountType,
  closeAccount,
  findAccounts,
  LedgerError,
} from '../../ledger/index.ts'
import { WORKED_ON } from '../banking/machine.ts'
import { OPEN, refuseContested } from '../disputes/contested.ts'
import { uuidOf } from '../ids.ts'
import { lockBelongings } from './chart.ts'

interface Owed {
  /** Before the account is locked, where what is owed may be added to without its lock. */
  readonly lock?: (trx: Knex.Transaction, account: AccountBalances) => Promise<void>
  /** @throws {LedgerError} `account_not_empty` while something is owed. */
  readonly refuse: (trx: Knex.Transaction, account: AccountBalances) => Promise<void>
}

/** A person's wallet: a dispute of theirs may give money back to it. */
const WALLET: Owed = {
  lock: (trx, { owner }) => lockBelongings(trx, uuidOf(owner), 'to close all'),
  refuse: (trx, { owner, currency }) => refuseContested(trx, uuidOf(owner), currency),
}

/** A merchant's: what is kept back from it, and what a dispute took that it may win. */
const MERCHANT: Owed = {
  refuse: async (trx, { owner, currency }) => {
    const its = { merchant_id: uuidOf(owner), currency }
    const [kept, contested] = await Promise.all([
      trx('reserves').where(its).where('remaining', '>', 0).first('id'),
      trx('disputes').where(its).whereIn('state', OPEN).first('id'),
    ])
    if (kept !== undefined || contested !== undefined) throw new LedgerError('account_not_empty')
  },
}

const OWED: readonly (readonly [AccountType, prefix: string, Owed])[] = [
  ['wallet', 'per_', WALLET],
  ['merchant', 'mer_', MERCHANT],
]

/**
 * Closes an account to which nothing has to come back.
 * @throws {LedgerError} `account_not_empty`, and what `closeAccount` throws.
 */
export async function closeUnowed(
  trx: Knex.Transaction,
  id: AccountId,
  at: Date,
): Promise<AccountBalances> {
  const [account] = await findAccounts(trx, { id })
  const isOf = ([type, prefix]: (typeof OWED)[number]) =>
    account?.type === type && account.owner.startsWith(prefix)
  const owed = OWED.find(isOf)?.[2]
  if (account !== undefined) await owed?.lock?.(trx, account)
  const closed = await closeAccount(trx, id, at)
  await owed?.refuse(trx, closed)
  await refuseInstructed(trx, id)
  return closed
}

/** What a bank rejects goes back to the account that it left. */
async function refuseInstructed(trx: Knex.Transaction, id: AccountId): Promise<void> {
  const open = await trx('instructions')
    .where({ owner_account_id: id })
    .whereIn('state', [...WORKED_ON, 'manual'])
    .first('id')
  if (open !== undefined) throw new LedgerError('account_not_empty')
}
