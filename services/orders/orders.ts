/** What a merchant asks a customer to pay; the chat shows it as "pay". An order never changes. */
import {
  type Claim,
  type Money,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { priceOf } from '../merchants/fees.ts'
import { scheduleAt } from '../merchants/merchants.ts'

export interface Order {
  readonly id: Uuid
  readonly merchant: Uuid
  readonly merchantName: string
  readonly reference: string
  readonly description: string
  readonly money: Money
  readonly createdAt: Date
  readonly expiresAt: Date
  /** How the money is captured once it is authorised; undefined where paying is all there is. */
  readonly manual: ManualCapture | undefined
  /** The payment that pays it, if there is one that has not come to nothing. */
  readonly payment: { readonly id: Uuid; readonly state: PayingState } | undefined
}

type PayingState = 'processing' | 'review' | 'authorized' | 'completed'

/** `one`: once, of any part, and the rest is released; `several`: until the merchant says final. */
export type PartialCaptures = 'none' | 'one' | 'several'

export interface ManualCapture {
  /** How long the money is held for the merchant. */
  readonly within_s: number
  readonly partial: PartialCaptures
}

/** States of a payment that came to nothing: its order may be paid by another. */
const FREEING = ['failed', 'canceled', 'expired', 'reversed']

export interface NewOrder {
  readonly reference: string
  readonly description: string
  readonly money: Money
  readonly expiresIn_s: number
  readonly manual: ManualCapture | undefined
}

/** Refused when the merchant's fee would eat the order: nobody should find that out when paying. */
export async function createOrder(
  context: Context,
  merchant: { readonly id: Uuid; readonly name: string },
  { reference, description, money, expiresIn_s, manual }: NewOrder,
  claim: Claim | undefined,
): Promise<Outcome> {
  const now = context.now()
  const schedule = await scheduleAt(context.db, merchant.id, money.currency, now)
  if (schedule === undefined) throw new ServiceError('fee_schedule_not_found')
  priceOf(schedule, money)
  const order: Order = {
    ...{ id: newId(), merchant: merchant.id, merchantName: merchant.name },
    ...{ reference, description, money, manual, createdAt: now, payment: undefined },
    expiresAt: new Date(now.getTime() + expiresIn_s * 1000),
  }
  return context.group.submit({
    ...{ id: newUnitId(), at: now, transfers: [], ...(claim && { claim }) },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      return { rows: { orders: [toRow(order)] }, answer: JSON.stringify(orderOut(order, now)) }
    },
  })
}

export async function findOrder({ db }: Context, id: Uuid): Promise<Order | undefined> {
  const row = await db('orders')
    .join('merchants', 'merchants.id', 'orders.merchant_id')
    .leftJoin('payments', (on) =>
      on.on('payments.order_id', 'orders.id').andOnNotIn('payments.state', FREEING),
    )
    .where('orders.id', id)
    .first({
      ...{ id: 'orders.id', merchant: 'orders.merchant_id', merchantName: 'merchants.name' },
      ...{ reference: 'reference', description: 'description', amount: 'orders.amount' },
      ...{ currency: 'orders.currency', createdAt: 'orders.created_at', expiresAt: 'expires_at' },
      ...{ payment: 'payments.id', state: 'payments.state' },
      ...{ within_s: 'capture_within_s', partial: 'partial_captures' },
    })
  if (row === undefined) return undefined
  const { amount, currency, payment, state, within_s, partial, ...order } = row
  return {
    ...order,
    money: { amount, currency },
    manual: partial === null ? undefined : { within_s, partial },
    payment: payment === null ? undefined : { id: payment, state },
  }
}

const toRow = (order: Order) => ({
  ...{ id: order.id, merchant_id: order.merchant, reference: order.reference },
  ...{ description: order.description, amount: order.money.amount.toString() },
  ...{ currency: order.money.currency, created_at: order.createdAt, expires_at: order.expiresAt },
  capture: order.manual === undefined ? 'automatic' : 'manual',
  capture_within_s: order.manual?.within_s ?? null,
  partial_captures: order.manual?.partial ?? null,
})

const STATES = {
  processing: 'processing',
  // The merchant learns that somebody is paying, not that we look at it.
  review: 'processing',
  authorized: 'authorized',
  completed: 'paid',
} as const satisfies Record<PayingState, string>

/** Derived, never stored: an order is what its payment and the clock say. */
function stateOf({ payment, expiresAt }: Order, now: Date) {
  if (payment !== undefined) return STATES[payment.state]
  return expiresAt <= now ? 'expired' : 'open'
}

const shownPaymentOf = ({ payment }: Order) =>
  payment === undefined || payment.state === 'review' ? null : publicId('pay', payment.id)

export const orderOut = (order: Order, now: Date) => ({
  id: publicId('ord', order.id),
  merchant: { id: publicId('mer', order.merchant), name: order.merchantName },
  reference: order.reference,
  description: order.description,
  amount: order.money.amount.toString(),
  currency: order.money.currency,
  capture: order.manual === undefined ? 'automatic' : 'manual',
  capture_within_s: order.manual?.within_s ?? null,
  partial_captures: order.manual?.partial ?? null,
  state: stateOf(order, now),
  payment: shownPaymentOf(order),
  created_at: order.createdAt.toISOString(),
  expires_at: order.expiresAt.toISOString(),
})
