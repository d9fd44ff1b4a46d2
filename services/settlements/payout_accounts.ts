/** Where merchants are paid out. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import {
  type BankAccount,
  bankAccountOf,
  findLinkedBankAccounts,
  findNewestBankAccounts,
} from '../banking/bank_accounts.ts'
import { merchantOwner } from '../books/chart.ts'
import { ServiceError } from '../errors.ts'

/**
 * To the account that two operators looked at, where there is one, and to no other: whoever got
 * hold of a merchant's key may link an account, and must not be paid. Elsewhere to the one that was
 * linked last. Whoever has neither is left out: what it is owed waits.
 */
export async function payoutAccounts(
  db: Knex,
  merchants: readonly Uuid[],
): Promise<ReadonlyMap<Uuid, BankAccount>> {
  const reviewed = await reviewedAccounts(db, merchants)
  const [known, newest] = await Promise.all([
    findLinkedBankAccounts(db, [...reviewed.values()]),
    findNewestBankAccounts(db, merchants.filter((one) => !reviewed.has(one)).map(merchantOwner)),
  ])
  const found = merchants.flatMap((merchant) => {
    const id = reviewed.get(merchant)
    const account = id === undefined ? newest.get(merchantOwner(merchant)) : known.get(id)
    return account === undefined ? [] : [[merchant, account] as const]
  })
  return new Map(found)
}

async function reviewedAccounts(db: Knex, merchants: readonly Uuid[]) {
  const rows: { id: Uuid; account: Uuid }[] = await db('merchants')
    .whereIn('id', [...merchants])
    .whereNotNull('settlement_account_id')
    .select('id', { account: 'settlement_account_id' })
  return new Map(rows.map(({ id, account }) => [id, account]))
}

/**
 * @param asked for; where the merchant is paid out otherwise if it is left out.
 * @throws {ServiceError} `bank_account_not_found`, `bank_account_not_reviewed`.
 */
export async function payoutAccount(
  db: Knex,
  merchant: Uuid,
  asked: Uuid | undefined,
): Promise<BankAccount> {
  if (asked === undefined) {
    const account = (await payoutAccounts(db, [merchant])).get(merchant)
    if (account === undefined) throw new ServiceError('bank_account_not_found')
    return account
  }
  const account = await bankAccountOf(db, merchantOwner(merchant), asked)
  const reviewed = (await reviewedAccounts(db, [merchant])).get(merchant)
  if (reviewed !== undefined && reviewed !== asked) {
    throw new ServiceError('bank_account_not_reviewed')
  }
  return account
}
