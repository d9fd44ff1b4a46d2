/** Payments that wait for an operator, over HTTP. */
import { z } from 'zod'
import { WAY_REFUSALS } from '../banks/refusals.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { listOf, page, pageQuery, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { showPeople } from '../privacy/shown.ts'
import { refuse, refuseReviewed, release, showReviews } from './decisions.ts'
import { findReview, findReviews, REVIEW_STATES } from './reviews.ts'
import { PaymentOut } from './routes.ts'

const TAG = 'Risk'
const Id = z.strictObject({ id: idIn('rev') })

const ReviewOut = z
  .strictObject({
    id: idOut('rev'),
    state: z.enum(REVIEW_STATES),
    payment: PaymentOut,
    rules: z.array(idOut('rsk')).describe('Those that wanted it'),
    reasons: z.array(z.string()),
    facts: z.record(z.string(), z.unknown()).describe('What they saw when it was made'),
    due_at: Timestamp.describe('Then the money goes back to the payer'),
    decided_by: z.string().nullable(),
    approved_by: z.string().nullable().describe('The second operator, of a release'),
    decided_at: Timestamp.nullable(),
    reason: z.string().nullable(),
    created_at: Timestamp,
  })
  .meta({ id: 'Review' })

export const reviewEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/reviews', tag: TAG, scopes: ['operator'] },
    summary: 'Payments that wait for a review, or did; what is due first comes first',
    query: pageQuery('rev').extend({ state: z.enum(REVIEW_STATES).default('pending') }),
    answers: { 200: listOf(ReviewOut) },
    shown: showPeople,
    refusals: [],
    handle: async (context, { query: { state, limit, cursor } }) => {
      const found = await findReviews(context.db, { state, after: cursor, limit })
      return { status: 200, body: page(await showReviews(context.db, found), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/reviews/:id', tag: TAG, scopes: ['operator'] },
    summary: 'A review: the payment, and why somebody must look at it',
    params: Id,
    answers: { 200: ReviewOut },
    shown: showPeople,
    refusals: ['not_found'],
    handle: async (context, { params }) => {
      const review = await findReview(context.db, params.id)
      if (review === undefined) throw new ServiceError('not_found')
      const [body] = await showReviews(context.db, [review])
      return { status: 200, body }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/reviews/:id/release', tag: TAG, scopes: ['operator'] },
    ...{ summary: 'Let the payment go on as it was asked for', idempotency: 'required' },
    secondPerson: true,
    params: Id,
    body: z.strictObject({ reason: text(200) }),
    answers: { 200: ReviewOut },
    shown: showPeople,
    refusals: [
      ...(['not_found', 'payment_not_in_review', 'bank_account_not_found'] as const),
      ...(['account_closed', 'account_frozen', 'hold_expired', 'hold_resolved'] as const),
      ...(['insufficient_funds', 'total_too_large'] as const),
      ...WAY_REFUSALS.debit,
    ],
    check: ({ db }, { params }) => refuseReviewed(db, params.id),
    handle: (context, { caller, params, body: { reason }, claim }) => {
      const { subject: operator, approvedBy } = caller
      return release(context, params.id, { operator, approvedBy, reason }, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/reviews/:id/refuse', tag: TAG, scopes: ['operator'] },
    ...{ summary: 'Do not make the payment; its money goes back', idempotency: 'required' },
    params: Id,
    body: z.strictObject({ reason: text(200) }),
    answers: { 200: ReviewOut },
    shown: showPeople,
    refusals: ['not_found', 'payment_not_in_review', 'hold_resolved', 'account_closed'],
    handle: (context, { caller, params, body: { reason }, claim }) =>
      refuse(context, params.id, { operator: caller.subject, reason }, claimed(claim)),
  }),
]
