/**
 * What a dispute may give back goes to the payer's wallet, so nobody closes it before the dispute
 * is decided, and none is opened once it is closed: it could never be lost.
 */
import type { Knex } from 'knex'
import {
  type AccountId,
  type Currency,
  findAccounts,
  LedgerError,
  type Uuid,
} from '../../ledger/index.ts'
import { lockBelongings } from '../books/chart.ts'

/** Not decided yet: each may still be lost. */
export const OPEN = ['needs_evidence', 'under_review'] as const

/**
 * Whoever asks has locked the payer's belongings to close them.
 * @param currency of what is to be closed; left out, all is.
 * @throws {LedgerError} `account_not_empty` while a payment of theirs is contested.
 */
export async function refuseContested(
  trx: Knex.Transaction,
  payer: Uuid,
  currency?: Currency,
): Promise<void> {
  const open = await trx('disputes')
    .join('payments', 'payments.id', 'disputes.payment_id')
    .where({ payer_id: payer, ...(currency !== undefined && { 'disputes.currency': currency }) })
    .whereIn('disputes.state', OPEN)
    .first('disputes.id')
  if (open !== undefined) throw new LedgerError('account_not_empty')
}

/**
 * Keeps the wallet open until `trx` ends. After the payment's lock, before that of any account.
 * @throws {LedgerError} `account_closed` where it is, as that of somebody who is erased.
 */
export async function keepWalletOpen(
  trx: Knex.Transaction,
  { payer, wallet }: { readonly payer: Uuid; readonly wallet: AccountId },
): Promise<void> {
  await lockBelongings(trx, payer, 'to add one')
  const [account] = await findAccounts(trx, { id: wallet })
  if (account?.closedAt !== null) throw new LedgerError('account_closed')
}
