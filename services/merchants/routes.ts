/** Merchants, their orders and their settlements over HTTP. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
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
import { idIn, idOut, publicId } from '../ids.ts'
import { payeeById } from '../identity/parties.ts'
import { staffIssuer } from '../identity/staff.ts'
import { createMerchant } from './merchants.ts'
import { FeeScheduleIn, FeeScheduleOut, newScheduleOf, priceEndpoints } from './prices_routes.ts'
import { createOrder, findOrder, type ManualCapture, orderOut } from './orders.ts'
import {
  findSettlement,
  findSettlements,
  linesOf,
  settle,
  settlementOut,
  type SettlementLine,
} from './settlements.ts'

const MerchantOut = z
  .strictObject({
    id: idOut('mer'),
    name: z.string(),
    alias: z.string(),
    subject: z.string(),
    fee_schedule: FeeScheduleOut,
    created_at: Timestamp,
  })
  .meta({ id: 'Merchant' })

const OrderOut = z
  .strictObject({
    id: idOut('ord'),
    merchant: z.strictObject({ id: idOut('mer'), name: z.string() }),
    reference: z.string(),
    description: z.string(),
    amount: Amount,
    currency: CurrencyCode,
    capture: z.enum(['automatic', 'manual']),
    capture_within_s: z.int().nullable(),
    partial_captures: z.enum(['none', 'one', 'several']).nullable(),
    state: z.enum(['open', 'processing', 'authorized', 'paid', 'expired']),
    payment: idOut('pay').nullable(),
    created_at: Timestamp,
    expires_at: Timestamp,
  })
  .meta({ id: 'Order' })

const SettlementOut = z
  .strictObject({
    id: idOut('set'),
    merchant: idOut('mer'),
    bank_account: idOut('bac'),
    state: z.enum(['processing', 'settled', 'failed', 'returned']),
    payments: z.int(),
    gross: z.string(),
    fee: z.string(),
    tax: z.string(),
    net: z.string(),
    currency: CurrencyCode,
    failure: z.string().nullable(),
    created_at: Timestamp,
    changed_at: Timestamp,
  })
  .meta({ id: 'Settlement' })

const LineOut = z.strictObject({
  id: idOut('pay').describe('The payment'),
  gross: z.string(),
  fee: z.string(),
  tax: z.string(),
  net: z.string(),
})

const lineOut = (line: SettlementLine) => ({
  id: publicId('pay', line.payment),
  gross: line.gross.toString(),
  fee: line.fee.toString(),
  tax: line.tax.toString(),
  net: line.net.toString(),
})

/** Operators see every merchant's. */
const visibleTo = (caller: Extract<Caller, { scope: 'merchant' | 'operator' }>) =>
  caller.scope === 'merchant' ? caller.merchant : undefined

const DAY_S = 86_400

const merchantEndpoint = endpoint({
  ...{ method: 'POST', path: '/v1/merchants', summary: 'Take a merchant on' },
  ...{ tag: 'Merchants', scopes: ['operator'], idempotency: 'optional' },
  body: z.strictObject({
    name: text(100),
    alias: z.string().regex(/^[a-z0-9][a-z0-9_.]{1,31}$/),
    subject: text(64).describe('The subject of the tokens that act for the merchant'),
    issuer: text(200).optional().describe('Of those tokens; the first configured unless told'),
    fees: FeeScheduleIn,
  }),
  answers: { 201: MerchantOut },
  refusals: ['alias_taken', 'merchant_subject_exists', 'currency_unknown', 'issuer_unknown'],
  handle: (context, { body: { fees, subject, issuer, ...merchant }, caller, claim }) => {
    const staff = { issuer: staffIssuer(context.config, issuer), subject }
    const asked = { ...merchant, staff, by: caller.subject, fees: newScheduleOf(fees) }
    return createMerchant(context, asked, claim)
  },
})

const NewOrder = z
  .strictObject({
    reference: text(64).describe('The merchant’s own number; once per merchant'),
    description: text(140),
    amount: Amount,
    currency: CurrencyCode,
    expires_in_s: z
      .int()
      .min(60)
      .max(30 * DAY_S)
      .default(DAY_S),
    capture: z
      .enum(['automatic', 'manual'])
      .default('automatic')
      .describe('manual: paying only holds the money, for the merchant to capture'),
    capture_within_s: z
      .int()
      .min(1)
      .max(30 * DAY_S)
      .optional()
      .describe('How long the money is held; 7 days where left out'),
    partial_captures: z
      .enum(['none', 'one', 'several'])
      .optional()
      .describe('Whether less than all may be captured, once or several times; none if left out'),
  })
  .refine(
    ({ capture, capture_within_s, partial_captures }) =>
      capture === 'manual' || (capture_within_s ?? partial_captures) === undefined,
    { path: ['capture'], message: 'only what is captured manually can be held' },
  )

const manualOf = (body: z.output<typeof NewOrder>): ManualCapture | undefined =>
  body.capture === 'automatic'
    ? undefined
    : {
        within_s: body.capture_within_s ?? 7 * DAY_S,
        partial: body.partial_captures ?? 'none',
      }

const orderEndpoints = [
  endpoint({
    ...{
      method: 'POST',
      path: '/v1/orders',
      summary: 'Ask to be paid; the chat shows it as "pay"',
    },
    ...{ tag: 'Merchants', scopes: ['merchant'], idempotency: 'optional' },
    body: NewOrder,
    answers: { 201: OrderOut },
    refusals: [
      ...(['currency_unknown', 'fee_exceeds_amount', 'fee_schedule_not_found'] as const),
      'order_reference_exists',
    ],
    handle: async (context, { caller, body, claim }) => {
      const { id, name } = await payeeById(context, 'merchant', caller.merchant)
      const { reference, description, expires_in_s: expiresIn_s } = body
      const terms = { reference, description, expiresIn_s, manual: manualOf(body) }
      const order = { ...terms, money: moneyOf(body) }
      return createOrder(context, { id, name: name ?? '' }, order, claim)
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/orders/:id', summary: 'An order, and whether it is paid' },
    ...{ tag: 'Merchants', scopes: ['merchant', 'person', 'chat', 'operator'] },
    params: z.strictObject({ id: idIn('ord') }),
    answers: { 200: OrderOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const order = await findOrder(context, params.id)
      const isOther = caller.scope === 'merchant' && order?.merchant !== caller.merchant
      if (order === undefined || isOther) throw new ServiceError('not_found')
      return { status: 200, body: orderOut(order, context.now()) }
    },
  }),
]

const settlementEndpoints = [
  endpoint({
    ...{
      method: 'POST',
      path: '/v1/settlements',
      summary: 'Pay out what is completed, net of fees',
    },
    ...{ tag: 'Settlements', scopes: ['merchant'], idempotency: 'required' },
    body: z.strictObject({ currency: CurrencyCode, bank_account: idIn('bac').optional() }),
    answers: { 202: SettlementOut },
    refusals: [
      ...(['bank_account_not_found', 'nothing_to_settle', 'payment_already_settled'] as const),
      ...(['currency_unknown', 'insufficient_funds', 'payment_changed'] as const),
      ...(['account_closed', 'account_frozen'] as const),
    ],
    handle: (context, { caller, body, claim }) => {
      if (!isCurrency(body.currency)) throw new ServiceError('currency_unknown')
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      const request = { currency: body.currency, bankAccount: body.bank_account }
      return settle(context, caller.merchant, request, claim)
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/settlements', summary: 'Batches, newest first' },
    ...{ tag: 'Settlements', scopes: ['merchant', 'operator'] },
    query: pageQuery('set'),
    answers: { 200: listOf(SettlementOut) },
    refusals: [],
    handle: async (context, { caller, query: { limit, cursor } }) => {
      const where = { merchant: visibleTo(caller), before: cursor, limit }
      const found = await findSettlements(context.db, where)
      return { status: 200, body: page(found.map(settlementOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/settlements/:id', summary: 'A batch' },
    ...{ tag: 'Settlements', scopes: ['merchant', 'operator'] },
    params: z.strictObject({ id: idIn('set') }),
    answers: { 200: SettlementOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const batch = await findSettlement(context.db, params.id, visibleTo(caller))
      if (batch === undefined) throw new ServiceError('not_found')
      return { status: 200, body: settlementOut(batch) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/settlements/:id/statement', summary: 'The payments of a batch' },
    ...{ tag: 'Settlements', scopes: ['merchant', 'operator'] },
    params: z.strictObject({ id: idIn('set') }),
    query: pageQuery('pay'),
    answers: { 200: listOf(LineOut) },
    refusals: ['not_found'],
    handle: async (context, { caller, params, query: { limit, cursor } }) => {
      const batch = await findSettlement(context.db, params.id, visibleTo(caller))
      if (batch === undefined) throw new ServiceError('not_found')
      const lines = await linesOf(context.db, batch.id, { after: cursor, limit })
      return { status: 200, body: page(lines.map(lineOut), limit) }
    },
  }),
]

export const merchantEndpoints = [
  merchantEndpoint,
  ...priceEndpoints,
  ...orderEndpoints,
  ...settlementEndpoints,
]
