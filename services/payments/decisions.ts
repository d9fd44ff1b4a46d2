/** An operator decides about a payment in review: it goes on as it was asked for, or not at all. */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  createTransfers,
  LedgerError,
  newUnitId,
  type NewTransfer,
  type Outcome,
  type UnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import { bankAccountOf } from '../banking/bank_accounts.ts'
import { chooseBank } from '../banks/choose.ts'
import { prepareInstruction, type Prepared } from '../banking/prepare.ts'
import { personOwner, walletOf } from '../books/chart.ts'
import { released } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { splitsOfPayment } from '../fees/split_rows.ts'
import { publicId } from '../ids.ts'
import { findOrder } from '../orders/orders.ts'
import { recordSecurity } from '../security/log.ts'
import { type Change, changePayment } from './changes.ts'
import { authorized, findPayment, later, lockPayment, type Payment } from './payment.ts'
import { findStored } from './shown.ts'
import { transfersOf } from './moving.ts'
import { decideReview, endReview, findReview, type Review } from './reviews.ts'

/** What an operator says. */
export interface Decision {
  readonly operator: string
  /** The second operator, where it takes two. */
  readonly approvedBy?: string | undefined
  readonly reason: string
}

/**
 * The payment goes on: what is held is the payee's, or held for the merchant, who may take it
 * later; out of a bank account, the bank is told now.
 * @throws {ServiceError} `payment_not_in_review` when somebody was faster; that is not stored.
 */
export async function release(
  context: Context,
  id: Uuid,
  { operator, approvedBy, reason }: Decision,
  claim: Claim,
): Promise<Outcome> {
  const { review, payment } = await reviewed(context.db, id)
  const onward = await onwardOf(context, payment, review)
  const outcome = await answerOnce(context.db, claim, (trx) =>
    answerOf(async () => {
      const locked = await lockReviewed(trx, payment.id)
      if (review.dueAt <= onward.at) throw new LedgerError('hold_expired')
      const { unit, at, transfers, change, prepared } = onward
      const evidence = review.evidence ?? undefined
      await createTransfers(trx, { id: unit, at, transfers, evidence })
      if (prepared !== undefined) await trx('instructions').insert(prepared.instruction)
      const decided = { decided_by: operator, approved_by: approvedBy, reason }
      await decideReview(trx, payment.id, at, { state: 'released', ...decided })
      const moved = { ...change, transfer: unit, releasedAt: at, changedAt: at }
      await changePayment(context, trx, locked, moved, [`payment.${change.state}`])
      await recordDecision(trx, context, 'review_released', id)
      return showReview(trx, id)
    }),
  )
  const told = onward.prepared
  if (told !== undefined && !outcome.replayed) {
    await context.queue.ring('instruction', [told.instruction.id])
  }
  return outcome
}

/** The payer gets back what is held; the payee never hears of it. */
export async function refuse(
  context: Context,
  id: Uuid,
  { operator, reason }: Decision,
  claim: Claim,
): Promise<Outcome> {
  const { payment } = await reviewed(context.db, id)
  return answerOnce(context.db, claim, (trx) =>
    answerOf(async () => {
      const locked = await lockReviewed(trx, payment.id)
      await endReview(context, trx, locked, { how: 'refused', by: operator, reason })
      await recordDecision(trx, context, 'review_refused', id)
      return showReview(trx, id)
    }),
  )
}

function recordDecision(
  trx: Knex.Transaction,
  context: Context,
  kind: 'review_released' | 'review_refused',
  id: Uuid,
): Promise<void> {
  return recordSecurity({ ...context, db: trx }, { kind, subject: publicId('rev', id) })
}

/** @throws {ServiceError} `not_found`, or `payment_not_in_review` when it is decided. */
export async function refuseReviewed(db: Knex, id: Uuid): Promise<void> {
  await reviewed(db, id)
}

async function reviewed(db: Knex, id: Uuid) {
  const review = await findReview(db, id)
  const payment = review && (await findPayment(db, review.payment))
  if (review === undefined || payment === undefined) throw new ServiceError('not_found')
  if (payment.state !== 'review') throw new ServiceError('payment_not_in_review')
  return { review, payment }
}

async function lockReviewed(trx: Knex.Transaction, id: Uuid): Promise<Payment> {
  const payment = await lockPayment(trx, { id })
  if (payment?.state !== 'review') throw new ServiceError('payment_not_in_review')
  return payment
}

/** All that happens when it goes on, looked up before any lock is taken. */
interface Onward {
  readonly unit: UnitId
  readonly at: Date
  readonly transfers: readonly NewTransfer[]
  readonly change: Change & { readonly state: 'completed' | 'authorized' | 'processing' }
  /** What the bank is told. */
  readonly prepared?: Prepared
}

async function onwardOf(context: Context, payment: Payment, review: Review): Promise<Onward> {
  const [unit, at] = [newUnitId(), context.now()]
  const { hold } = review
  if (hold === null) return fromBank(context, payment, unit, at)
  const { kind, payer, payee, order: id, amount, currency, fee, tax } = payment
  const order = id === null ? undefined : await findOrder(context, id)
  if (payee === null || (kind !== 'person' && order === undefined)) {
    throw new Error(`payment ${payment.id} pays nobody`)
  }
  const heldUntil = order?.manual === undefined ? null : later(at, order.manual.within_s)
  const splits = await splitsOfPayment(context.db, payment.id)
  const paying = { kind: order === undefined ? 'person' : 'order', payer, payee } as const
  const onward = await transfersOf(
    context,
    { reference: payment.id },
    { ...paying, money: { amount, currency }, fee, tax, splits, heldUntil },
  )
  const transfers = [...released({ reference: payment.id }, hold), ...onward]
  const change = heldUntil === null ? PAID : authorized(unit, at, heldUntil)
  return { unit, at, transfers, change }
}

const PAID = { state: 'completed' } as const

async function fromBank(
  context: Context,
  { id, payer, bankAccount, amount, currency }: Payment,
  unit: UnitId,
  at: Date,
): Promise<Onward> {
  if (bankAccount === null) throw new Error(`payment ${id} has neither a hold nor a bank`)
  const account = await bankAccountOf(context.db, personOwner(payer), bankAccount)
  const money = { amount, currency }
  const way = await chooseBank(context, account, 'debit', money)
  const owner = await walletOf(context, payer, currency)
  const prepared = await prepareInstruction(
    context,
    {
      ...{ ...way, direction: 'debit', purpose: 'payment', subject: id },
      ...{ bankAccount, owner, transfer: unit, money },
    },
    at,
  )
  return { unit, at, transfers: prepared.transfers, change: { state: 'processing' }, prepared }
}

/** The review as it is stored and shown: whose payment it is stands there by ids. */
async function showReview(db: Knex, id: Uuid) {
  const review = await findReview(db, id)
  if (review === undefined) throw new ServiceError('not_found')
  const [shown] = await showReviews(db, [review])
  return shown
}

/** The same for many, each with its payment. */
export async function showReviews(db: Knex, reviews: readonly Review[]) {
  const payments = await findReviewed(
    db,
    reviews.map(({ payment }) => payment),
  )
  const stored = await findStored(db, payments)
  const byId = new Map(stored.map((payment) => [payment.id, payment]))
  return reviews.map((review) => ({
    id: publicId('rev', review.id),
    state: review.state,
    payment: byId.get(publicId('pay', review.payment)),
    rules: review.rules.map((rule) => publicId('rsk', rule)),
    reasons: review.reasons,
    facts: review.facts,
    due_at: review.dueAt.toISOString(),
    decided_by: review.decidedBy,
    approved_by: review.approvedBy,
    decided_at: review.decidedAt?.toISOString() ?? null,
    reason: review.reason,
    created_at: review.createdAt.toISOString(),
  }))
}

async function findReviewed(db: Knex, ids: readonly Uuid[]): Promise<Payment[]> {
  const found: Payment[] = []
  for (const id of ids) {
    const payment = await findPayment(db, id)
    if (payment !== undefined) found.push(payment)
  }
  return found
}
