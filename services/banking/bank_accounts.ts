/**
 * Linking a person's or a merchant's account at a partner bank, after asking the bank whose it is.
 */
import type { Knex } from 'knex'
import {
  type Claim,
  type Money,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'

export interface BankAccount {
  readonly id: Uuid
  readonly owner: string
  readonly bank: string
  readonly number: string
  readonly holder: string
  readonly nameCheck: 'match' | 'close_match' | 'not_possible'
  readonly createdAt: Date
}

export async function linkBankAccount(
  context: Context,
  owner: string,
  { bank: name, number, holder }: Pick<BankAccount, 'bank' | 'number' | 'holder'>,
  claim: Claim | undefined,
): Promise<Outcome> {
  const bank = context.banks.get(name)
  if (bank === undefined) throw new ServiceError('bank_not_found')
  const nameCheck = await bank.checkName({ number, holder })
  if (nameCheck === 'no_match') throw new ServiceError('name_mismatch')
  const createdAt = context.now()
  const account = { id: newId(), owner, bank: name, number, holder, nameCheck, createdAt }
  return context.group.submit({
    ...{ id: newUnitId(), at: createdAt, transfers: [], ...(claim && { claim }) },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const { nameCheck: name_check, createdAt: created_at, ...columns } = account
      const rows = { bank_accounts: [{ ...columns, name_check, created_at }] }
      return { rows, answer: JSON.stringify(bankAccountOut(account)) }
    },
  })
}

export async function findBankAccounts(db: Knex, owner: string): Promise<BankAccount[]> {
  const rows = await db('bank_accounts').where({ owner, deleted_at: null }).orderBy('id', 'desc')
  return rows.map(fromRow)
}

/** @throws {ServiceError} `bank_account_not_found` unless it is linked and the owner's. */
export async function bankAccountOf(db: Knex, owner: string, id: Uuid): Promise<BankAccount> {
  const row = await db('bank_accounts').where({ id, owner, deleted_at: null }).first()
  if (row === undefined) throw new ServiceError('bank_account_not_found')
  return fromRow(row)
}

/** @throws {ServiceError} `currency_not_supported` unless the bank handles the currency. */
export function refuseCurrency({ config }: Context, bank: string, { currency }: Money): void {
  const known = config.BANKS.find((one) => one.name === bank)
  if (known?.currencies.includes(currency) !== true)
    throw new ServiceError('currency_not_supported')
}

export async function unlinkBankAccount(
  context: Context,
  owner: string,
  id: Uuid,
): Promise<boolean> {
  const changed = await context
    .db('bank_accounts')
    .where({ id, owner, deleted_at: null })
    .update({ deleted_at: context.now() })
  return changed === 1
}

interface Row {
  readonly id: Uuid
  readonly owner: string
  readonly bank: string
  readonly number: string
  readonly holder: string
  readonly name_check: BankAccount['nameCheck']
  readonly created_at: Date
}

const fromRow = (row: Row): BankAccount => ({
  id: row.id,
  owner: row.owner,
  bank: row.bank,
  number: row.number,
  holder: row.holder,
  nameCheck: row.name_check,
  createdAt: row.created_at,
})

/** Nobody is shown more of an account number than its end. */
export const bankAccountOut = (account: Omit<BankAccount, 'owner'>) => ({
  id: publicId('bac', account.id),
  bank: account.bank,
  number: `•••• ${account.number.slice(-4)}`,
  holder: account.holder,
  name_check: account.nameCheck,
  created_at: account.createdAt.toISOString(),
})
