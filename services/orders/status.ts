/** How an order stands in the chat: what its merchant says of it, and whether it is paid. */
import type { Knex } from 'knex'
import type { Claim, Outcome, Uuid } from '../../ledger/index.ts'
import { answerFor } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { findOrder, type Order, showOrders } from './orders.ts'
import { ORDER_STATUSES, type OrderStatus, shownStatus } from './states.ts'

/** Where a merchant may say that an order goes. */
export const ORDER_MOVES = ORDER_STATUSES.filter((one) => one !== 'pending')
export type OrderMove = (typeof ORDER_MOVES)[number]

/**
 * Where an order may go from where it is shown to be. Goods may leave before they are paid for;
 * what has left is not canceled any more. Parts may be shipped one after the other.
 */
const MOVES: Readonly<Record<OrderStatus, readonly OrderMove[]>> = {
  pending: ['processing', 'partially_shipped', 'shipped', 'completed', 'canceled'],
  processing: ['partially_shipped', 'shipped', 'completed', 'canceled'],
  partially_shipped: ['partially_shipped', 'shipped', 'completed'],
  shipped: ['completed'],
  completed: [],
  canceled: [],
}

export interface StatusChange {
  readonly status: OrderMove
  /** For the customer to read. */
  readonly description: string | null
}

/**
 * Pure. What is reusable is never shipped: it can only be withdrawn, whoever has paid it.
 * @throws {ServiceError} `order_already_paid`, `order_move_not_allowed`.
 */
export function refuseMove(
  order: Pick<Order, 'status' | 'payment' | 'reusable'>,
  to: OrderMove,
): void {
  const from = shownStatus(order)
  const isAllowed = MOVES[from].includes(to) && (!order.reusable || to === 'canceled')
  if (!isAllowed) {
    throw new ServiceError('order_move_not_allowed', { detail: `from ${from} to ${to}` })
  }
  if (to === 'canceled' && order.payment !== undefined) {
    throw new ServiceError('order_already_paid')
  }
}

/**
 * The order, locked until the transaction ends. A payment of it waits for that lock to be inserted;
 * so nobody pays what is being canceled.
 */
async function lockOrder(trx: Knex.Transaction, context: Context, merchant: Uuid, id: Uuid) {
  const row = await trx('orders').where({ id, merchant_id: merchant }).forUpdate().first('id')
  const order = row && (await findOrder({ ...context, db: trx }, id))
  if (order === undefined) throw new ServiceError('not_found')
  return order
}

export async function changeStatus(
  context: Context,
  merchant: Uuid,
  id: Uuid,
  { status, description }: StatusChange,
  claim: Claim | undefined,
): Promise<Outcome> {
  return answerFor(context.db, claim, async (trx) => {
    const order = await lockOrder(trx, context, merchant, id)
    refuseMove(order, status)
    const at = context.now()
    const change = { status, status_description: description, status_at: at }
    await trx('orders').where({ id }).update(change)
    const after = { ...order, status, statusDescription: description, statusAt: at }
    const [data] = await showOrders(trx, [after], at)
    if (data === undefined) throw new Error(`order ${id} cannot be shown`)
    await recordEvent(trx, {
      type: `order.${status}`,
      object: publicId('ord', id),
      merchant,
      data,
      at,
    })
    return JSON.stringify(data)
  })
}
