/**
 * A payer takes a payment back before any bank has heard of it.
 *
 * A worker writes down that an instruction is sent before it calls the bank, and only from the state
 * in which it found it. Here the instruction is locked and ended, so of the two one comes first: the
 * bank is never told of what was canceled, and what it may have been told is not canceled.
 */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  createTransfers,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import { findInstruction, withdrawInstruction } from '../banking/instructions.ts'
import { bankAccountsOf } from '../books/chart.ts'
import { type InstructionAccounts, resolvedByBank } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { changePayment } from './changes.ts'
import { findPayment, lockPayment } from './payment.ts'

/** @throws {ServiceError} when it is too late, or not for the payer to say; that is not stored. */
export async function cancel(
  context: Context,
  payer: Uuid,
  id: Uuid,
  claim: Claim,
): Promise<Outcome> {
  const payment = await findPayment(context.db, id, payer)
  if (payment?.payer !== payer) throw new ServiceError('not_found')
  const instruction = await findInstruction(context.db, { subject_id: id })
  const accounts = instruction && {
    owner: instruction.owner,
    ...(await bankAccountsOf(context, instruction.bank, instruction.money.currency)),
  }
  return answerOnce(context.db, claim, (trx) =>
    answerOf(() => cancelInside(context, trx, id, accounts)),
  )
}

async function cancelInside(
  context: Context,
  trx: Knex.Transaction,
  id: Uuid,
  accounts: InstructionAccounts | undefined,
) {
  const instruction = await findInstruction(trx, { subject_id: id }, 'lock')
  const payment = await lockPayment(trx, { id })
  if (payment?.state === 'authorized') throw new ServiceError('payment_is_held')
  const isUntold = payment?.state === 'processing' && instruction?.state === 'created'
  if (!isUntold || accounts === undefined) throw new ServiceError('payment_not_cancelable')
  const at = context.now()
  const { direction, money, transfer: hold } = instruction
  const back = resolvedByBank({ reference: instruction.id }, direction, 'rejected', {
    ...{ accounts, money, hold },
  })
  await createTransfers(trx, { id: newUnitId(), at, transfers: [back] })
  await withdrawInstruction(trx, instruction, at)
  const canceled = { state: 'canceled', changedAt: at } as const
  return changePayment(context, trx, payment, canceled, ['payment.canceled'])
}
