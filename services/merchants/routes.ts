/** Merchants and their orders over HTTP. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { Amount, CurrencyCode, moneyOf, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { payeeById } from '../identity/parties.ts'
import { staffIssuer } from '../identity/staff.ts'
import { createMerchant } from './merchants.ts'
import { FeeScheduleIn, FeeScheduleOut, newScheduleOf, priceEndpoints } from './prices_routes.ts'
import { createOrder, findOrder, type ManualCapture, orderOut } from './orders.ts'

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

export const merchantEndpoints = [merchantEndpoint, ...priceEndpoints, ...orderEndpoints]
