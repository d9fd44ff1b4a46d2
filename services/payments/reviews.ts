/**
 * Payments that a person must look at before the payee is paid. Out of a wallet the money is held
 * meanwhile; out of a bank account nothing has moved and no bank has heard of it.
 *
 * Whoever ends a review locks the payment first, so of an operator, the payer and the clock one
 * comes first, and the others find a payment that is no longer in review.
 */
import type { Knex } from 'knex'
import {
  type CompanionRow,
  createTransfers,
  newId,
  newUnitId,
  type UnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { released } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { changePayment } from './changes.ts'
import { lockPayment, type Payment } from './payment.ts'

export const REVIEW_STATES = ['pending', 'released', 'refused', 'expired', 'canceled'] as const
export type ReviewState = (typeof REVIEW_STATES)[number]

export interface Review {
  readonly id: Uuid
  readonly payment: Uuid
  readonly state: ReviewState
  /** The unit that holds the money; null where it is still at the bank. */
  readonly hold: UnitId | null
  /** Of the payer's approval: sealed again with what a release moves. */
  readonly evidence: Buffer | null
  readonly dueAt: Date
  /** The subject of the operator; null where the clock or the payer ended it. */
  readonly decidedBy: string | null
  /** The second operator, who agreed to a release. */
  readonly approvedBy: string | null
  readonly decidedAt: Date | null
  readonly reason: string | null
  readonly createdAt: Date
  /** Why it is here: the rules that wanted it, and what they saw. */
  readonly rules: readonly Uuid[]
  readonly reasons: readonly string[]
  readonly facts: Readonly<Record<string, unknown>>
}

/** The row that commits with a payment in review. */
export const reviewRow = (
  payment: Payment,
  assessment: Uuid,
  evidence: Buffer | undefined,
): CompanionRow => ({
  ...{ id: newId(), payment_id: payment.id, assessment_id: assessment, state: 'pending' },
  ...{ hold_id: payment.bankAccount === null ? payment.transfer : null },
  evidence: evidence === undefined ? null : `\\x${evidence.toString('hex')}`,
  ...{ due_at: payment.reviewDueAt, created_at: payment.createdAt },
})

/** How a review ends without the payee being paid, and what that makes of the payment. */
const ENDS = {
  refused: { state: 'failed', failure: 'review_refused' },
  expired: { state: 'failed', failure: 'review_expired' },
  canceled: { state: 'canceled', failure: null },
} as const satisfies Partial<Record<ReviewState, Pick<Payment, 'state' | 'failure'>>>

type Ending =
  | { readonly how: 'refused'; readonly by: string; readonly reason: string }
  | { readonly how: 'expired' | 'canceled' }

/**
 * Gives the payer back what is held, if anything is, and ends the review and the payment.
 * @param payment in review, and locked.
 * @returns the payment as the API shows it now.
 */
export async function endReview(
  context: Context,
  trx: Knex.Transaction,
  payment: Payment,
  ending: Ending,
) {
  const [at, { id }] = [context.now(), payment]
  const { hold } = await pendingReview(trx, id)
  if (hold !== null) {
    const transfers = released({ reference: id }, hold)
    await createTransfers(trx, { id: newUnitId(), at, transfers })
  }
  const { state, failure } = ENDS[ending.how]
  await decideReview(trx, id, at, {
    state: ending.how,
    ...(ending.how === 'refused' && { decided_by: ending.by, reason: ending.reason }),
  })
  const change = { state, failure, changedAt: at }
  return changePayment(context, trx, payment, change, [`payment.${state}`])
}

/** The review of a payment that is in review and locked. */
async function pendingReview(
  trx: Knex.Transaction,
  payment: Uuid,
): Promise<{ readonly hold: UnitId | null }> {
  const where = { payment_id: payment, state: 'pending' }
  const row = await trx('reviews').where(where).first({ hold: 'hold_id' })
  if (row === undefined) throw new Error(`payment ${payment} is in review without a review`)
  return row
}

/** Ends it, if nobody has; that somebody has, though the payment is in review, is a bug. */
export async function decideReview(
  trx: Knex.Transaction,
  payment: Uuid,
  at: Date,
  decision: {
    readonly state: Exclude<ReviewState, 'pending'>
    readonly decided_by?: string
    readonly approved_by?: string | undefined
    readonly reason?: string
  },
): Promise<void> {
  const pending = trx('reviews').where({ payment_id: payment, state: 'pending' })
  const ended = await pending.update({ ...decision, decided_at: at })
  if (ended !== 1) throw new Error(`the review of payment ${payment} is not pending`)
}

/** Whose review it is that a hold was made for. */
export async function findReviewOfHold(
  db: Knex,
  hold: UnitId,
): Promise<{ readonly payment: Uuid } | undefined> {
  return db('reviews').where({ hold_id: hold }).first({ payment: 'payment_id' })
}

/** One run ends so many at most; the next one goes on. */
const DUE_MAX = 1_000

/** Payments whose review ran out by `now` and that hold no money, the oldest first. */
export async function dueReviews(db: Knex, now: Date): Promise<Uuid[]> {
  return db('reviews')
    .where({ state: 'pending', hold_id: null })
    .where('due_at', '<=', now)
    .orderBy('due_at')
    .limit(DUE_MAX)
    .pluck('payment_id')
}

/** Ends the review because its time is over, unless somebody was faster. */
export async function expireReview(
  context: Context,
  trx: Knex.Transaction,
  payment: Uuid,
): Promise<void> {
  const locked = await lockPayment(trx, { id: payment })
  if (locked?.state === 'review') await endReview(context, trx, locked, { how: 'expired' })
}

const COLUMNS = {
  ...{ id: 'reviews.id', payment: 'payment_id', state: 'state', hold: 'hold_id' },
  evidence: 'evidence',
  ...{
    dueAt: 'due_at',
    decidedBy: 'decided_by',
    approvedBy: 'approved_by',
    decidedAt: 'decided_at',
    reason: 'reason',
  },
  ...{ createdAt: 'reviews.created_at', rules: 'rules', reasons: 'reasons', facts: 'facts' },
}

const reviewsIn = (db: Knex) =>
  db('reviews').join('risk_assessments', 'risk_assessments.id', 'assessment_id')

export async function findReview(db: Knex, id: Uuid): Promise<Review | undefined> {
  return reviewsIn(db).where('reviews.id', id).first(COLUMNS)
}

/** In one state, those that are due first coming first. */
export async function findReviews(
  db: Knex,
  {
    state,
    after,
    limit,
  }: { readonly state: ReviewState; readonly after: Uuid | undefined; readonly limit: number },
): Promise<Review[]> {
  const query = reviewsIn(db).where({ state }).orderBy(['due_at', 'reviews.id']).limit(limit)
  if (after !== undefined) {
    const last = '(SELECT due_at, id FROM reviews WHERE id = ?)'
    void query.whereRaw(`(due_at, reviews.id) > ${last}`, [after])
  }
  return query.select(COLUMNS)
}
