/** How an order is handed to whoever pays it: QR codes, links and messages of chats, over HTTP. */
import { z } from 'zod'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { idIn } from '../ids.ts'
import { findMerchant } from '../merchants/profile.ts'
import { linesOf } from './lines.ts'
import { OrderDetails, OrderStatusMessage } from './messages_schemas.ts'
import { orderDetails, orderStatus, SHAPES } from './messages.ts'
import { findOrder } from './orders.ts'
import { refuseUnpayable } from './payable.ts'
import { qrPng, qrSvg } from './pictures.ts'
import { wayOf, WAYS } from './ways.ts'

const TAG = 'Orders'
const params = z.strictObject({ id: idIn('ord') })

/** What each format is drawn by, and its content type. */
const FORMATS = {
  svg: ['image/svg+xml', qrSvg],
  png: ['image/png', qrPng],
  text: ['text/plain; charset=utf-8', (text: string) => text],
} as const

async function known(context: Context, caller: Caller, id: string) {
  const order = await findOrder(context, id)
  const isOther = caller.scope === 'merchant' && order?.merchant !== caller.merchant
  if (order === undefined || isOther) throw new ServiceError('not_found')
  const merchant = await findMerchant(context.db, order.merchant)
  if (merchant === undefined) throw new ServiceError('not_found')
  return { order, merchant }
}

const To = z
  .string()
  .regex(/^[0-9]{6,15}$/)
  .optional()
  .describe('The number of whoever it goes to; left out, the chat app adds it')

export const wayEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/orders/:id/qr', tag: TAG, params },
    ...{ scopes: ['merchant', 'person', 'chat', 'operator'] },
    summary: 'A QR code that pays the order, as a picture or as what it says',
    query: z.strictObject({
      format: z.enum(['svg', 'png', 'text']).default('svg'),
      kind: z
        .enum(WAYS)
        .default('link')
        .describe('A link into the chat app, EMVCo merchant-presented, UPI, or Pix'),
    }),
    answers: { 200: null },
    otherTypes: ['image/svg+xml', 'image/png', 'text/plain'],
    refusals: ['not_found', 'payment_way_not_available'],
    handle: async (context, { caller, params: { id }, query: { format, kind } }) => {
      const { order, merchant } = await known(context, caller, id)
      const [contentType, drawn] = FORMATS[format]
      const body = drawn(wayOf(kind, context.config, order, merchant))
      return { status: 200, contentType, body }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/orders/:id/messages/order_details', tag: TAG, params },
    ...{ scopes: ['merchant', 'chat', 'operator'] },
    summary: 'The WhatsApp message that asks for the order to be paid',
    query: z.strictObject({
      shape: z.enum(SHAPES),
      goods: z.enum(['digital', 'physical']).default('digital'),
      to: To,
    }),
    answers: { 200: OrderDetails },
    refusals: [
      ...(['not_found', 'payment_way_not_available', 'merchant_not_active'] as const),
      ...(['order_already_paid', 'order_canceled', 'order_expired'] as const),
    ],
    handle: async (context, { caller, params: { id }, query: { shape, goods, to } }) => {
      const { order, merchant } = await known(context, caller, id)
      const now = context.now()
      refuseUnpayable(order, now)
      const lines = (await linesOf(context.db, [id])).get(id) ?? []
      const asked = { order, merchant, lines, goods, to, now, links: context.config }
      return { status: 200, body: orderDetails(shape, asked) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/orders/:id/messages/order_status', tag: TAG, params },
    ...{ scopes: ['merchant', 'chat', 'operator'] },
    summary: 'The WhatsApp message that says how the order stands',
    query: z.strictObject({ to: To }),
    answers: { 200: OrderStatusMessage },
    refusals: ['not_found'],
    handle: async (context, { caller, params: { id }, query: { to } }) => {
      const { order } = await known(context, caller, id)
      return { status: 200, body: orderStatus({ order, to }) }
    },
  }),
]
