/**
 * What a merchant asks a customer to pay; the chat shows it as "pay". What is asked never changes;
 * only what the merchant says of it does.
 */
import type { Knex } from 'knex'
import {
  type Claim,
  type Currency,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { eventRow } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { priceOf } from '../merchants/fees.ts'
import { scheduleAt } from '../merchants/merchants.ts'
import { type MerchantState, refuseInactive } from '../merchants/standing.ts'
import { type Line, lineOut, lineRows, linesOf, type Totals } from './lines.ts'
import {
  FREEING,
  type PayingState,
  shownPayment,
  shownStatus,
  type Standing,
  stateOf,
} from './states.ts'

export interface Order extends Standing {
  readonly id: Uuid
  readonly merchant: Uuid
  readonly merchantName: string
  readonly merchantState: MerchantState
  readonly reference: string
  readonly description: string
  /** Minor units; null where whoever pays fills it in. */
  readonly amount: bigint | null
  readonly currency: Currency
  /** What the amount is the sum of; null where the order has no lines. */
  readonly totals: Totals | null
  /** Whether any number of payments may pay it: a QR code on a wall. */
  readonly reusable: boolean
  /** With the status, for the customer to read. */
  readonly statusDescription: string | null
  readonly statusAt: Date | null
  readonly createdAt: Date
  /** How the money is captured once it is authorised; undefined where paying is all there is. */
  readonly manual: ManualCapture | undefined
}

/** `one`: once, of any part, and the rest is released; `several`: until the merchant says final. */
export type PartialCaptures = 'none' | 'one' | 'several'

export interface ManualCapture {
  /** How long the money is held for the merchant. */
  readonly within_s: number
  readonly partial: PartialCaptures
}

export interface NewOrder extends Pick<
  Order,
  'reference' | 'description' | 'amount' | 'currency' | 'totals' | 'reusable' | 'manual'
> {
  readonly lines: readonly Line[]
  /** Undefined: never. */
  readonly expiresIn_s: number | undefined
}

/** Refused when the merchant's fee would eat the order: nobody should find that out when paying. */
export async function createOrder(
  context: Context,
  merchant: { readonly id: Uuid; readonly name: string },
  { expiresIn_s, lines, ...asked }: NewOrder,
  claim: Claim | undefined,
): Promise<Outcome> {
  const now = context.now()
  const { amount, currency } = asked
  await refuseInactive(context.db, merchant.id)
  const schedule = await scheduleAt(context.db, merchant.id, currency, now)
  if (schedule === undefined) throw new ServiceError('fee_schedule_not_found')
  if (amount !== null) priceOf(schedule, { amount, currency })
  const order: Order = {
    ...{ id: newId(), merchant: merchant.id, merchantName: merchant.name, ...asked },
    ...{ merchantState: 'active', createdAt: now, payment: undefined },
    ...{ status: 'pending', statusDescription: null, statusAt: null },
    expiresAt: expiresIn_s === undefined ? null : new Date(now.getTime() + expiresIn_s * 1000),
  }
  const data = orderOut(order, lines, now)
  const created = {
    type: 'order.created',
    object: data.id,
    merchant: merchant.id,
    at: now,
  } as const
  return context.group.submit({
    ...{ id: newUnitId(), at: now, transfers: [], ...(claim && { claim }) },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const answer = JSON.stringify(data)
      const rows = {
        orders: [toRow(order)],
        order_lines: lineRows(order.id, lines),
        events: [eventRow({ ...created, data: answer })],
      }
      return { rows, answer }
    },
  })
}

export async function findOrder({ db }: Context, id: Uuid): Promise<Order | undefined> {
  const row = await ordersQuery(db).where('orders.id', id).first()
  return row && fromRow(row)
}

/** Newest first; of every merchant where none is named. */
export async function findOrders(
  db: Knex,
  { merchant, reference, before, limit }: OrdersWanted,
): Promise<Order[]> {
  const query = ordersQuery(db).orderBy('orders.id', 'desc').limit(limit)
  if (merchant !== undefined) query.where('orders.merchant_id', merchant)
  if (reference !== undefined) query.where('orders.reference', reference)
  if (before !== undefined) query.where('orders.id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

interface OrdersWanted {
  readonly merchant: Uuid | undefined
  readonly reference: string | undefined
  readonly before: Uuid | undefined
  readonly limit: number
}

const COLUMNS = {
  ...{ id: 'orders.id', merchant: 'orders.merchant_id', merchantName: 'merchants.name' },
  ...{ merchantState: 'merchants.state', reference: 'reference', description: 'description' },
  ...{ amount: 'orders.amount', currency: 'orders.currency', reusable: 'reusable' },
  ...{ subtotal: 'subtotal', discount: 'discount', shipping: 'shipping', tax: 'orders.tax' },
  ...{ status: 'orders.status', statusDescription: 'status_description', statusAt: 'status_at' },
  ...{ createdAt: 'orders.created_at', expiresAt: 'expires_at' },
  ...{ within_s: 'capture_within_s', partial: 'partial_captures' },
  ...{ paymentId: 'payments.id', paymentState: 'payments.state' },
}

interface Row extends Omit<Order, 'totals' | 'manual' | 'payment'> {
  readonly subtotal: bigint | null
  readonly discount: bigint
  readonly shipping: bigint
  readonly tax: bigint
  readonly within_s: number
  readonly partial: PartialCaptures | null
  readonly paymentId: Uuid | null
  readonly paymentState: PayingState
}

const ordersQuery = (db: Knex): Knex.QueryBuilder =>
  db('orders')
    .join('merchants', 'merchants.id', 'orders.merchant_id')
    .leftJoin('payments', (on) =>
      on
        .on('payments.order_id', 'orders.id')
        .andOnVal('payments.order_reusable', false)
        .andOnNotIn('payments.state', FREEING),
    )
    .select(COLUMNS)

function fromRow({ within_s, partial, paymentId, paymentState, ...row }: Row): Order {
  const { subtotal, discount, shipping, tax, ...order } = row
  return {
    ...order,
    totals: subtotal === null ? null : { subtotal, discount, shipping, tax },
    manual: partial === null ? undefined : { within_s, partial },
    payment: paymentId === null ? undefined : { id: paymentId, state: paymentState },
  }
}

const toRow = (order: Order) => ({
  ...{ id: order.id, merchant_id: order.merchant, reference: order.reference },
  ...{ description: order.description, amount: order.amount?.toString() ?? null },
  ...{ currency: order.currency, created_at: order.createdAt, expires_at: order.expiresAt },
  ...{ reusable: order.reusable, status: order.status, ...totalsOut(order) },
  capture: order.manual === undefined ? 'automatic' : 'manual',
  capture_within_s: order.manual?.within_s ?? null,
  partial_captures: order.manual?.partial ?? null,
})

const totalsOut = ({ totals }: Order) => ({
  subtotal: totals?.subtotal.toString() ?? null,
  discount: totals?.discount.toString() ?? null,
  shipping: totals?.shipping.toString() ?? null,
  tax: totals?.tax.toString() ?? null,
})

/** The orders as the API shows them, each with its lines. */
export async function showOrders(db: Knex, orders: readonly Order[], now: Date) {
  const lines = await linesOf(
    db,
    orders.flatMap(({ id, totals }) => (totals === null ? [] : [id])),
  )
  return orders.map((order) => orderOut(order, lines.get(order.id) ?? [], now))
}

const orderOut = (order: Order, lines: readonly Line[], now: Date) => ({
  id: publicId('ord', order.id),
  merchant: { id: publicId('mer', order.merchant), name: order.merchantName },
  reference: order.reference,
  description: order.description,
  lines: lines.map(lineOut),
  ...totalsOut(order),
  amount: order.amount?.toString() ?? null,
  currency: order.currency,
  usage: order.reusable ? 'reusable' : 'one_time',
  capture: order.manual === undefined ? 'automatic' : 'manual',
  capture_within_s: order.manual?.within_s ?? null,
  partial_captures: order.manual?.partial ?? null,
  state: stateOf(order, now),
  payment: shownPayment(order),
  status: shownStatus(order),
  status_description: order.statusDescription,
  status_at: order.statusAt?.toISOString() ?? null,
  created_at: order.createdAt.toISOString(),
  expires_at: order.expiresAt?.toISOString() ?? null,
})
