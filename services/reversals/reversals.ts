/**
 * An operator moves back what should never have moved: a payment as a whole, or a unit that nothing
 * of the business rests on. It leaves as many new transfers as there were, in the opposite order,
 * and once; what has been paid out since is for a refund, not for this.
 */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  createTransfers,
  findPurposes,
  LedgerError,
  newUnitId,
  type Outcome,
  transferIdAt,
  type UnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import { areSpokenFor } from '../books/purposes.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { capturesOf } from '../payments/captures.ts'
import { changePayment } from '../payments/changes.ts'
import { findPayment, lockPayment, type Payment } from '../payments/payment.ts'
import { areSettled } from '../settlements/outcomes.ts'

export interface ReversalRequest {
  readonly subject: { readonly unit: UnitId } | { readonly payment: Uuid }
  readonly reason: string
  /** Who says so. */
  readonly operator: string
  /** The other operator, who agreed. */
  readonly approvedBy: string | undefined
}

/** @throws {ServiceError} when it may not be reversed; that is not stored. The books' word is. */
export async function reverse(
  context: Context,
  request: ReversalRequest,
  claim: Claim,
): Promise<Outcome> {
  const subject = await subjectOf(context.db, request.subject)
  return answerOnce(context.db, claim, (trx) =>
    answerOf(() =>
      'payment' in subject
        ? reversePayment(context, trx, subject.payment, request)
        : reverseUnit(context, trx, subject, request),
    ),
  )
}

/** @throws {ServiceError} `not_found`, when there is nothing that could be reversed. */
export async function checkReversal(
  { db }: Context,
  subject: ReversalRequest['subject'],
): Promise<void> {
  await subjectOf(db, subject)
}

/** A unit that is a payment's stands for the payment, so that both are reversed or neither. */
async function subjectOf(db: Knex, subject: ReversalRequest['subject']) {
  if ('payment' in subject) {
    if ((await findPayment(db, subject.payment)) === undefined) throw new ServiceError('not_found')
    return subject
  }
  const unit = transferIdAt(subject.unit, 0)
  const purposes = await findPurposes(db, [unit])
  if (purposes.length === 0) throw new ServiceError('not_found')
  const payment = await db('payments').whereIn('id', purposes).first('id', 'transfer_id')
  if (payment?.transfer_id === unit) return { payment: payment.id as Uuid }
  return { unit, isSpokenFor: await areSpokenFor(db, [unit]) }
}

async function reversePayment(
  context: Context,
  trx: Knex.Transaction,
  id: Uuid,
  request: ReversalRequest,
) {
  const payment = await lockPayment(trx, { id })
  if (payment?.state === 'reversed') throw new LedgerError('already_reversed')
  if (payment?.state !== 'completed') throw new ServiceError('payment_not_completed')
  if (payment.refunded + payment.disputed > 0n) throw new ServiceError('payment_refunded')
  const originals = await unitsOf(trx, payment)
  await refuseSettled(trx, originals)
  const reversal = newReversal(context, originals, id)
  await createTransfers(trx, reversal.unit)
  // A batch may have taken it in while its money was not locked yet.
  await refuseSettled(trx, originals)
  const { at } = reversal.unit
  const change = { state: 'reversed', reversedAt: at } as const
  await changePayment(context, trx, payment, change, ['payment.reversed'])
  return record(trx, { ...reversal, original: payment.transfer, payment: id }, request)
}

async function refuseSettled(trx: Knex.Transaction, units: readonly UnitId[]): Promise<void> {
  if (await areSettled(trx, units)) throw new ServiceError('payment_settled')
}

/**
 * The units that made the payment, the last one first. What a bank has moved cannot be moved back
 * by us alone, and a payment that waited for a bank moved in one unit with the bank's money.
 */
async function unitsOf(trx: Knex.Transaction, payment: Payment): Promise<readonly UnitId[]> {
  if (payment.captured !== null) {
    const captures = (await capturesOf(trx, [payment.id])).get(payment.id) ?? []
    return captures.map(({ unit }) => unit).toReversed()
  }
  if (payment.bankAccount !== null) throw new LedgerError('not_reversible')
  return [payment.transfer]
}

async function reverseUnit(
  context: Context,
  trx: Knex.Transaction,
  { unit, isSpokenFor }: { readonly unit: UnitId; readonly isSpokenFor: boolean },
  request: ReversalRequest,
) {
  if (isSpokenFor) throw new LedgerError('not_reversible')
  const reversal = newReversal(context, [unit], unit)
  await createTransfers(trx, reversal.unit)
  return record(trx, { ...reversal, original: unit, payment: null }, request)
}

function newReversal(context: Context, originals: readonly UnitId[], reference: Uuid) {
  const transfers = originals.map((original) => ({
    ...{ kind: 'reversal' as const, code: 'reversal', reference, original },
  }))
  return { unit: { id: newUnitId(), at: context.now(), transfers } }
}

interface Made {
  readonly unit: { readonly id: UnitId; readonly at: Date }
  readonly original: UnitId
  readonly payment: Uuid | null
}

/** @returns the reversal as the API shows it. */
async function record(
  trx: Knex.Transaction,
  { unit: { id, at }, original, payment }: Made,
  { reason, operator, approvedBy }: ReversalRequest,
) {
  const who = { operator, approved_by: approvedBy ?? null }
  const row = { id, original_id: original, payment_id: payment, reason, ...who, created_at: at }
  await trx('reversals').insert(row)
  return {
    id: publicId('trf', id),
    original: publicId('trf', original),
    payment: payment === null ? null : publicId('pay', payment),
    reason,
    created_at: at.toISOString(),
  }
}
