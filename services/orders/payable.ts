/** Whether an order can be paid now. */
import { ServiceError } from '../errors.ts'
import type { Order } from './orders.ts'

/**
 * Postgres refuses it too, but for the clock: this says it before anybody's PIN is looked at.
 * @throws {ServiceError} `order_already_paid`, `order_canceled`, `merchant_not_active`,
 *   `order_expired`.
 */
export function refuseUnpayable(order: Order, now: Date): void {
  if (order.payment !== undefined) throw new ServiceError('order_already_paid')
  if (order.status === 'canceled') throw new ServiceError('order_canceled')
  if (order.merchantState !== 'active') throw new ServiceError('merchant_not_active')
  if (order.expiresAt !== null && order.expiresAt <= now) throw new ServiceError('order_expired')
}
