/** Payments, top-ups and withdrawals over HTTP. */
import { z } from 'zod'
import { WAY_REFUSALS } from '../banks/refusals.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { FEE_LINE_KINDS } from '../fees/price.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import {
  Amount,
  CurrencyCode,
  listOf,
  moneyOf,
  page,
  pageQuery,
  text,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { APPROVAL_REFUSALS, ApprovalBody } from '../approvals/approvals.ts'
import { findOrder } from '../orders/orders.ts'
import { showPeople } from '../privacy/shown.ts'
import { DIRECTIONS, moveOwnMoney } from './own_money.ts'
import { cancel } from './cancel.ts'
import { capture, voidHold } from './holds.ts'
import { pay } from './pay.ts'
import { findPayment, findPayments, PAYMENT_STATES } from './payment.ts'
import { findStored } from './shown.ts'

const PayeeName = z
  .string()
  .regex(/^(@[a-z0-9][a-z0-9_.]{1,31}|(per|mer)_[0-9a-z]{26})$/)
  .describe('"@alias" or the id of a person')

const NewPayment = z
  .strictObject({
    payee: PayeeName.optional(),
    amount: Amount,
    currency: CurrencyCode,
    source: idIn('bac').optional().describe('A linked bank account; the wallet where left out'),
    order: idIn('ord').optional(),
    note: text(140).optional(),
    approval: ApprovalBody.optional(),
  })
  .refine((payment) => payment.payee !== undefined || payment.order !== undefined, {
    path: ['payee'],
    message: 'a payee or an order is needed',
  })

const OwnMoney = z.strictObject({
  bank_account: idIn('bac'),
  amount: Amount,
  currency: CurrencyCode,
  approval: ApprovalBody.optional(),
})

const Party = z.strictObject({
  id: z.string().regex(/^(per|mer)_/),
  alias: z.string().nullable(),
  name: z.string().nullable().describe('Null once the person is erased'),
})

const FeeLine = z.strictObject({
  kind: z.enum(FEE_LINE_KINDS),
  amount: z.string(),
  currency: CurrencyCode,
  description: z.string(),
})

const CaptureOut = z.strictObject({
  id: idOut('cap'),
  amount: Amount,
  fee: z.string(),
  tax: z.string(),
  net: z.string(),
  created_at: Timestamp,
})

export const PaymentOut = z
  .strictObject({
    id: idOut('pay'),
    kind: z.enum(['person', 'order', 'top_up', 'withdrawal']),
    state: z.enum([...PAYMENT_STATES, 'partially_refunded', 'refunded']),
    amount: Amount,
    currency: CurrencyCode,
    payer: Party,
    payee: Party.nullable(),
    order: idOut('ord').nullable(),
    bank_account: idOut('bac').nullable(),
    note: z.string().nullable(),
    fee: z.string(),
    tax: z.string(),
    net: z.string(),
    surcharge: z
      .string()
      .describe('Of the amount: the fee and its tax, where the payer bears them'),
    fee_schedule: idOut('fee').nullable(),
    fee_lines: z.array(FeeLine),
    captured: z.string().nullable().describe('Of what is held first: so much is taken'),
    capture_before: Timestamp.nullable().describe('Until when the money is held'),
    captures: z.array(CaptureOut),
    refunded: z.string().describe('What the merchant has given back'),
    disputed: z.string().describe('What is in disputes that are open or lost'),
    failure: z.string().nullable(),
    timeline: z.array(z.strictObject({ state: z.string(), at: Timestamp })),
    created_at: Timestamp,
  })
  .meta({ id: 'Payment' })

const ACCOUNT_REFUSALS = ['account_closed', 'account_frozen'] as const

/** Accepted, and not yet done. */
const statusOf = ({ state }: { readonly state?: string }) =>
  state === 'processing' || state === 'review' ? 202 : 201

const partyOf = (caller: Extract<Caller, { scope: 'person' | 'merchant' }>) =>
  caller.scope === 'person' ? caller.person.id : caller.merchant

const ownMoney = (kind: 'top_up' | 'withdrawal', path: `/${string}`, summary: string) =>
  endpoint({
    ...{ method: 'POST', path, summary, tag: 'Payments', scopes: ['person'] },
    ...{ idempotency: 'required', rate: 'money' },
    body: OwnMoney,
    answers: { 202: PaymentOut },
    shown: showPeople,
    refusals: [
      ...APPROVAL_REFUSALS,
      ...(['payment_refused', 'bank_account_not_found'] as const),
      ...WAY_REFUSALS[DIRECTIONS[kind]],
      ...ACCOUNT_REFUSALS,
      ...(['currency_unknown', 'insufficient_funds'] as const),
    ],
    handle: (context, { caller, body, claim, idempotencyKey }) =>
      moveOwnMoney(
        context,
        kind,
        caller.person,
        { money: moneyOf(body), bankAccount: body.bank_account, approval: body.approval },
        { claim: claimed(claim), key: idempotencyKey, standing: caller.standing },
      ),
  })

const BOOKS_REFUSALS = ['account_closed', 'account_frozen', 'insufficient_funds'] as const

const holdEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/payments/:id/capture', tag: 'Payments', scopes: ['merchant'] },
    summary: 'Take what is held, in part or whole; the fee is of what is taken',
    idempotency: 'required',
    params: z.strictObject({ id: idIn('pay') }),
    body: z.strictObject({
      amount: Amount.optional().describe('All that is left where left out'),
      final: z.boolean().optional().describe('Whether what it leaves goes back to the payer'),
    }),
    answers: { 200: PaymentOut },
    shown: showPeople,
    refusals: [
      ...(['not_found', 'payment_not_authorized', 'partial_capture_not_allowed'] as const),
      ...(['amount_exceeds_hold', 'hold_expired', 'hold_resolved', 'fee_exceeds_amount'] as const),
      'too_many_captures',
      ...BOOKS_REFUSALS,
    ],
    handle: (context, { caller, params: { id }, body: { amount, final = false }, claim }) => {
      const request = { amount: amount === undefined ? undefined : BigInt(amount), isFinal: final }
      return capture(context, caller.merchant, id, request, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/payments/:id/void', tag: 'Payments' },
    ...{ scopes: ['merchant', 'operator'], idempotency: 'required' },
    summary: 'Give back what is still held',
    secondPerson: ({ scope }) => scope === 'operator',
    params: z.strictObject({ id: idIn('pay') }),
    answers: { 200: PaymentOut },
    shown: showPeople,
    refusals: ['not_found', 'payment_not_authorized', 'hold_resolved', 'account_closed'],
    check: async ({ db }, { params }) => {
      if ((await findPayment(db, params.id)) === undefined) throw new ServiceError('not_found')
    },
    handle: (context, { caller, params, claim }) => {
      const merchant = caller.scope === 'merchant' ? caller.merchant : undefined
      return voidHold(context, merchant, params.id, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/payments/:id/cancel', tag: 'Payments', scopes: ['person'] },
    summary: 'Take a payment back before any bank has heard of it',
    idempotency: 'required',
    params: z.strictObject({ id: idIn('pay') }),
    answers: { 200: PaymentOut },
    shown: showPeople,
    refusals: ['not_found', 'payment_is_held', 'payment_not_cancelable', ...BOOKS_REFUSALS],
    handle: (context, { caller, params, claim }) =>
      cancel(context, caller.person.id, params.id, claimed(claim)),
  }),
]

export const paymentEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/payments', summary: 'Pay a person or an order' },
    ...{ tag: 'Payments', scopes: ['person'], idempotency: 'required', rate: 'money' },
    body: NewPayment,
    answers: { 201: PaymentOut, 202: PaymentOut },
    shown: showPeople,
    statusOf,
    refusals: [
      ...APPROVAL_REFUSALS,
      ...(['payment_refused', 'bank_account_not_found'] as const),
      ...WAY_REFUSALS.debit,
      ...ACCOUNT_REFUSALS,
      ...(['currency_unknown', 'fee_exceeds_amount', 'fee_schedule_not_found'] as const),
      ...(['insufficient_funds', 'order_already_paid', 'order_expired'] as const),
      ...(['merchant_not_active', 'order_canceled', 'split_exceeds_net'] as const),
      ...(['order_mismatch', 'order_required', 'payee_not_found', 'same_account'] as const),
      ...(['not_found', 'total_too_large'] as const),
    ],
    handle: (context, { caller, body, claim, idempotencyKey }) => {
      const { payee, source, order, note, approval } = body
      const request = { payee, money: moneyOf(body), source, order, note, approval }
      const asking = { claim: claimed(claim), key: idempotencyKey, standing: caller.standing }
      return pay(context, caller.person, request, asking)
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/payments', summary: 'Payments made and received, newest first' },
    ...{ tag: 'Payments', scopes: ['person', 'merchant'] },
    query: pageQuery('pay'),
    answers: { 200: listOf(PaymentOut) },
    shown: showPeople,
    refusals: [],
    handle: async ({ db }, { caller, query: { limit, cursor } }) => {
      const found = await findPayments(db, { party: partyOf(caller), before: cursor, limit })
      return { status: 200, body: page(await findStored(db, found), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/payments/:id', summary: 'A payment, its fee lines, its states' },
    ...{ tag: 'Payments', scopes: ['person', 'merchant', 'chat', 'operator'] },
    params: z.strictObject({ id: idIn('pay') }),
    answers: { 200: PaymentOut },
    shown: showPeople,
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const party = 'subject' in caller ? undefined : partyOf(caller)
      return { status: 200, body: await showPayment(context, params.id, party) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/orders/:id/payments', tag: 'Payments' },
    summary: 'What pays an order, or came to nothing, newest first',
    scopes: ['merchant', 'operator'],
    params: z.strictObject({ id: idIn('ord') }),
    query: pageQuery('pay'),
    answers: { 200: listOf(PaymentOut) },
    shown: showPeople,
    refusals: ['not_found'],
    handle: async (context, { caller, params: { id }, query: { limit, cursor } }) => {
      const party = caller.scope === 'merchant' ? caller.merchant : undefined
      const order = await findOrder(context, id)
      const isOther = party !== undefined && order?.merchant !== party
      if (order === undefined || isOther) throw new ServiceError('not_found')
      const found = await findPayments(context.db, { party, order: id, before: cursor, limit })
      return { status: 200, body: page(await findStored(context.db, found), limit) }
    },
  }),
  ownMoney('top_up', '/v1/top_ups', 'Move money from a linked bank account to the wallet'),
  ownMoney('withdrawal', '/v1/withdrawals', 'Move money from the wallet to a linked bank account'),
  ...holdEndpoints,
]

async function showPayment(context: Context, id: string, party: string | undefined) {
  const payment = await findPayment(context.db, id, party)
  if (payment === undefined) throw new ServiceError('not_found')
  const [stored] = await findStored(context.db, [payment])
  return stored
}
