/** What merchants ask to be paid, over HTTP. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { listOf, page, pageQuery, text } from '../http/schemas.ts'
import { payeeById } from '../people/parties.ts'
import { idIn } from '../ids.ts'
import { createOrder, findOrder, findOrders, showOrders } from './orders.ts'
import { newOrderOf, OrderIn, OrderOut } from './schemas.ts'
import { changeStatus, ORDER_MOVES } from './status.ts'

const TAG = 'Orders'

/** Operators see every merchant's. */
const visibleTo = (caller: Extract<Caller, { scope: 'merchant' | 'operator' }>) =>
  caller.scope === 'merchant' ? caller.merchant : undefined

export const orderEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/orders', tag: TAG, scopes: ['merchant'] },
    ...{ summary: 'Ask to be paid; the chat shows it as "pay"', idempotency: 'optional' },
    body: OrderIn,
    answers: { 201: OrderOut },
    refusals: [
      ...(['currency_unknown', 'fee_exceeds_amount', 'fee_schedule_not_found'] as const),
      ...(['merchant_not_active', 'order_reference_exists', 'order_total_mismatch'] as const),
      ...(['beneficiary_not_found', 'split_exceeds_net'] as const),
    ],
    handle: async (context, { caller, body, claim }) => {
      const { id, name } = await payeeById(context, 'merchant', caller.merchant)
      return createOrder(context, { id, name: name ?? '' }, newOrderOf(body), claim)
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/orders', tag: TAG, scopes: ['merchant', 'operator'] },
    summary: 'Orders, newest first',
    query: pageQuery('ord').extend({
      reference: text(64).optional().describe('Only the one with this reference'),
    }),
    answers: { 200: listOf(OrderOut) },
    refusals: [],
    handle: async ({ db, now }, { caller, query: { limit, cursor, reference } }) => {
      const where = { merchant: visibleTo(caller), reference, before: cursor, limit }
      const shown = await showOrders(db, await findOrders(db, where), now())
      return { status: 200, body: page(shown, limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/orders/:id', summary: 'An order, and whether it is paid' },
    ...{ tag: TAG, scopes: ['merchant', 'person', 'chat', 'operator'] },
    params: z.strictObject({ id: idIn('ord') }),
    answers: { 200: OrderOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const order = await findOrder(context, params.id)
      const isOther = caller.scope === 'merchant' && order?.merchant !== caller.merchant
      if (order === undefined || isOther) throw new ServiceError('not_found')
      const [body] = await showOrders(context.db, [order], context.now())
      return { status: 200, body }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/orders/:id/status', tag: TAG, scopes: ['merchant'] },
    ...{ summary: 'Say how an order stands; the chat shows it', idempotency: 'optional' },
    params: z.strictObject({ id: idIn('ord') }),
    body: z.strictObject({
      status: z.enum(ORDER_MOVES),
      description: text(140).optional().describe('For the customer to read'),
    }),
    answers: { 200: OrderOut },
    refusals: ['not_found', 'order_already_paid', 'order_move_not_allowed'],
    handle: (context, { caller, params, body, claim }) => {
      const change = { status: body.status, description: body.description ?? null }
      return changeStatus(context, caller.merchant, params.id, change, claim)
    },
  }),
]
