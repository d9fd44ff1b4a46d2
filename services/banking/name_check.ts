/**
 * Before an account is paid for the first time on an old answer, its bank is asked again whose it
 * is. What it says is written down before anything is sent; whether that is enough, the rail says.
 */
import assert from 'node:assert/strict'
import { BankError, type NameAnswer } from '../../adapters/adapter.ts'
import { isOld } from '../banks/choose.ts'
import { OWNER_CODES, ownerObstacle } from '../banks/owners.ts'
import type { Context } from '../context.ts'
import {
  answerColumns,
  type BankAccount,
  detailsOf,
  findBankAccount,
  nameAtBank,
  toldName,
  wasPaid,
} from './bank_accounts.ts'
import type { Instruction } from './instructions.ts'

/** `silent`: the bank gave no answer, and why. `left_alone`: it has failed too often of late. */
export type Asked =
  | { readonly is: 'known' }
  | { readonly is: 'left_alone' }
  | { readonly is: 'refused'; readonly reason: string }
  | { readonly is: 'silent'; readonly reason: string }

export async function askName(context: Context, instruction: Instruction): Promise<Asked> {
  const { banks, breakers, db } = context
  const account = await findBankAccount(db, instruction.bankAccount)
  // Another payout may have asked meanwhile, or have been paid.
  if ((await wasPaid(db, account.id)) || !isOld(context, account)) {
    return judge(context, instruction, account)
  }
  const bank = banks.get(account.bank)
  const details = detailsOf(context, account)
  assert(bank && details, `instruction ${instruction.id} is of somebody whom nobody knows`)
  const isRepeated = instruction.failures > 0
  if (!breakers.mayCall(bank.name) || (isRepeated && !breakers.mayRepeat(bank.name))) {
    return { is: 'left_alone' }
  }
  try {
    const answer = await breakers.call(bank.name, () => bank.checkName(details))
    return await judge(context, instruction, await write(context, account, answer))
  } catch (error) {
    if (error instanceof BankError) return { is: 'silent', reason: error.code }
    throw error
  }
}

/** What was confirmed is the name of then: under another one, the owner is asked again. */
async function write(context: Context, { id }: BankAccount, answer: NameAnswer) {
  return context.db.transaction(async (trx) => {
    const known = await findBankAccount(trx, id, 'lock')
    const isSame =
      answer.result === known.nameCheck && toldName(answer) === nameAtBank(context, known)
    await trx('bank_accounts')
      .where({ id })
      .update(answerColumns(context.vault, id, answer, context.now()))
      .update(isSame ? {} : { confirmed_at: null })
    return findBankAccount(trx, id)
  })
}

async function judge(
  { db, registry }: Context,
  { id, bank, rail: name }: Instruction,
  { id: account, nameCheck, confirmedAt }: BankAccount,
): Promise<Asked> {
  const rail = registry.get(bank)?.rails.find((one) => one.rail === name)
  assert(rail, `instruction ${id} goes over a rail that ${bank} does not have`)
  const isPaid = await wasPaid(db, account)
  const isConfirmed = confirmedAt !== null
  const obstacle = ownerObstacle({ nameCheck, isConfirmed, isPaid }, rail.nameCheck)
  if (obstacle !== undefined) return { is: 'refused', reason: OWNER_CODES[obstacle] }
  await db('instructions').where({ id }).update({ name_due: false })
  return { is: 'known' }
}
