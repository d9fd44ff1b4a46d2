/** Two things that an order says of itself: whether it is paid, and how it stands in the chat. */
import type { Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'

/** As chats show it. */
export const ORDER_STATUSES = [
  ...(['pending', 'processing', 'partially_shipped'] as const),
  ...(['shipped', 'completed', 'canceled'] as const),
] as const
export type OrderStatus = (typeof ORDER_STATUSES)[number]

/** States of a payment that came to nothing: its order may be paid by another. */
export const FREEING = ['failed', 'canceled', 'expired', 'reversed']

export type PayingState = 'processing' | 'review' | 'authorized' | 'completed'

export interface Standing {
  /** What its merchant said last. */
  readonly status: OrderStatus
  /** Null: never. */
  readonly expiresAt: Date | null
  /** The one that pays it and has not come to nothing; never of a reusable order. */
  readonly payment: { readonly id: Uuid; readonly state: PayingState } | undefined
}

const STATES = {
  processing: 'processing',
  // The merchant learns that somebody is paying, not that we look at it.
  review: 'processing',
  authorized: 'authorized',
  completed: 'paid',
} as const satisfies Record<PayingState, string>

/** Derived, never stored: whether an order is paid is what its payment and the clock say. */
export function stateOf({ payment, expiresAt, status }: Standing, now: Date) {
  if (payment !== undefined) return STATES[payment.state]
  if (status === 'canceled') return 'canceled'
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'open'
}

/** What the merchant said last; as long as it says nothing, a paid order is being processed. */
export function shownStatus({
  status,
  payment,
}: Pick<Standing, 'status' | 'payment'>): OrderStatus {
  const isPaid = payment?.state === 'completed' || payment?.state === 'authorized'
  return status === 'pending' && isPaid ? 'processing' : status
}

/** The payment that pays it, unless nobody may know of it yet. */
export const shownPayment = ({ payment }: Pick<Standing, 'payment'>) =>
  payment === undefined || payment.state === 'review' ? null : publicId('pay', payment.id)
