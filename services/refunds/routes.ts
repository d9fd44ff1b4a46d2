/** Refunds over HTTP. */
import { z } from 'zod'
import { isCurrency, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { Amount, CurrencyCode, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { refuseUnknown } from '../merchants/merchants.ts'
import { findPayment } from '../payments/payment.ts'
import { refundLimitsOf, setRefundLimit } from './limit.ts'
import { refund } from './refunds.ts'
import { findRefund, type Refund, refundOut, refundsOf } from './rows.ts'

const TAG = 'Refunds'

const PaidFrom = z.strictObject({
  balance: z.string(),
  reserve: z.string(),
  limit: z.string().describe('What the merchant owes for it'),
})

const RefundOut = z
  .strictObject({
    id: idOut('rfd'),
    payment: idOut('pay'),
    merchant: idOut('mer'),
    amount: Amount.describe('What the payer gets'),
    currency: CurrencyCode,
    fee_returned: z.string(),
    tax_returned: z.string(),
    shares_returned: z
      .string()
      .nullable()
      .describe('What others, with whom the payment was shared, gave back; as paid_from'),
    paid_from: PaidFrom.nullable().describe('For the merchant and for operators'),
    reason: z.string().nullable(),
    created_at: Timestamp,
  })
  .meta({ id: 'Refund' })

type Reader = Extract<Caller, { scope: 'person' | 'merchant' | 'operator' | 'chat' }>

/** Whose payments the caller may see; undefined for everybody's. */
const partyOf = (caller: Reader): Uuid | undefined => {
  if (caller.scope === 'person') return caller.person.id
  return caller.scope === 'merchant' ? caller.merchant : undefined
}

/** How a merchant stands is nothing that its customers need to know. */
const shownTo = ({ scope }: Reader, made: Refund) => ({
  ...refundOut(made),
  ...((scope === 'person' || scope === 'chat') && {
    ...{ paid_from: null, shares_returned: null },
  }),
})

async function visible({ db }: Context, payment: Uuid, caller: Reader): Promise<void> {
  const found = await findPayment(db, payment, partyOf(caller))
  if (found === undefined) throw new ServiceError('not_found')
}

const LIMIT = '/v1/merchants/:id/refund_limit'
const ofMerchant = { params: z.strictObject({ id: idIn('mer') }), tag: TAG } as const
const Limit = z.strictObject({
  ...{ merchant: idOut('mer'), currency: CurrencyCode, amount: z.string() },
})

const setLimit = endpoint({
  ...{ method: 'POST', path: LIMIT, ...ofMerchant, scopes: ['operator'] },
  summary: 'How much a merchant may owe for refunds and disputes, beyond balance and reserve',
  ...{ idempotency: 'required', secondPerson: true },
  body: z.strictObject({
    currency: CurrencyCode,
    amount: z.string().regex(/^(0|[1-9][0-9]{0,14})$/),
    reason: text(140),
  }),
  answers: { 200: Limit.extend({ reason: z.string() }) },
  refusals: ['not_found', 'currency_unknown', 'account_closed', 'insufficient_funds'],
  check: ({ db }, { params }) => refuseUnknown(db, params.id),
  handle: (context, { params: { id: merchant }, body: { currency, amount, reason }, claim }) => {
    if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
    const limit = { merchant, currency, amount: BigInt(amount), reason }
    return setRefundLimit(context, limit, claimed(claim))
  },
})

const readLimits = endpoint({
  ...{ method: 'GET', path: LIMIT, ...ofMerchant, scopes: ['merchant', 'operator'] },
  summary: 'How much a merchant may owe in each currency, and how much of it is used',
  answers: {
    200: z.strictObject({
      data: z.array(Limit.extend({ used: z.string().describe('How far it is below zero') })),
    }),
  },
  refusals: ['not_found'],
  handle: async ({ db }, { caller, params: { id } }) => {
    if (caller.scope === 'merchant' && caller.merchant !== id) throw new ServiceError('not_found')
    await refuseUnknown(db, id)
    return { status: 200, body: { data: await refundLimitsOf(db, id) } }
  },
})

const READERS = ['merchant', 'person', 'operator', 'chat'] as const

export const refundEndpoints = [
  setLimit,
  readLimits,
  endpoint({
    ...{ method: 'POST', path: '/v1/payments/:id/refunds', tag: TAG, scopes: ['merchant'] },
    summary: 'Give back what was paid, in full or part, as often as something is left',
    idempotency: 'required',
    params: z.strictObject({ id: idIn('pay') }),
    body: z.strictObject({
      amount: Amount.optional().describe('All that is left where left out'),
      reason: text(140).optional(),
    }),
    answers: { 201: RefundOut },
    refusals: [
      ...(['not_found', 'payment_not_completed', 'refund_exceeds_capture'] as const),
      ...(['too_many_refunds', 'account_closed', 'account_frozen'] as const),
      ...(['insufficient_funds', 'too_many_reserves'] as const),
    ],
    handle: (context, { caller, params: { id }, body: { amount, reason }, claim }) => {
      const request = { amount: amount === undefined ? undefined : BigInt(amount), reason }
      return refund(context, caller.merchant, id, request, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/payments/:id/refunds', tag: TAG, scopes: [...READERS] },
    summary: 'The refunds of a payment, in their order: 100 at most',
    params: z.strictObject({ id: idIn('pay') }),
    answers: { 200: z.strictObject({ data: z.array(RefundOut) }) },
    refusals: ['not_found'],
    handle: async (context, { caller, params: { id } }) => {
      await visible(context, id, caller)
      const refunds = (await refundsOf(context.db, [id])).get(id) ?? []
      return { status: 200, body: { data: refunds.map((one) => shownTo(caller, one)) } }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/refunds/:id', tag: TAG, scopes: [...READERS] },
    summary: 'A refund',
    params: z.strictObject({ id: idIn('rfd') }),
    answers: { 200: RefundOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params: { id } }) => {
      const made = await findRefund(context.db, id)
      if (made === undefined) throw new ServiceError('not_found')
      await visible(context, made.payment, caller)
      return { status: 200, body: shownTo(caller, made) }
    },
  }),
]
