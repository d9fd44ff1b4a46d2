/**
 * A payer takes a payment back before any bank has heard of it.
 *
 * A worker writes down that an instruction is sent before it calls the bank, and only under the
 * lease by which it found it. Here the instruction is locked and ended, so of the two one comes
 * first: the bank is never told of what was canceled, and what it may have heard is not canceled.
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
import { findInstruction, type Purpose, withdrawInstruction } from '../banking/instructions.ts'
import { bankAccountsOf } from '../books/chart.ts'
import { type InstructionAccounts, resolvedByBank } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { changePayment } from './changes.ts'
import { findPayment, lockPayment, type PaymentKind } from './payment.ts'
import { endReview } from './reviews.ts'

/** @throws {ServiceError} when it is too late, or not for the payer to say; that is not stored. */
export async function cancel(
  context: Context,
  payer: Uuid,
  id: Uuid,
  claim: Claim,
): Promise<Outcome> {
  const payment = await findPayment(context.db, id, payer)
  if (payment?.payer !== payer) throw new ServiceError('not_found')
  const purpose = PURPOSES[payment.kind]
  const instruction = await findInstruction(context.db, { purpose, subject_id: id })
  const accounts = instruction && {
    owner: instruction.owner,
    ...(await bankAccountsOf(context, instruction.bank, instruction.money.currency)),
  }
  return answerOnce(context.db, claim, (trx) =>
    answerOf(() => cancelInside(context, trx, { purpose, subject_id: id }, accounts)),
  )
}

const PURPOSES = {
  ...{ person: 'payment', order: 'payment', top_up: 'top_up', withdrawal: 'withdrawal' },
} as const satisfies Record<PaymentKind, Purpose>

async function cancelInside(
  context: Context,
  trx: Knex.Transaction,
  where: { readonly purpose: Purpose; readonly subject_id: Uuid },
  accounts: InstructionAccounts | undefined,
) {
  const instruction = await findInstruction(trx, where, 'lock')
  const payment = await lockPayment(trx, { id: where.subject_id })
  if (payment?.state === 'review') return endReview(context, trx, payment, { how: 'canceled' })
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
