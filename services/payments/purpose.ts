/** Whom a payment is for and at what price: a person, or a merchant's order. */
import { LedgerError, type Money, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { isPublicId, uuidOf } from '../ids.ts'
import { priceOfOrder } from '../fees/order_price.ts'
import type { Price } from '../fees/price.ts'
import { type Split, splitsOf } from '../fees/splits.ts'
import type { FeeSchedule, Priced } from '../fees/terms.ts'
import type { ApprovalBody } from '../approvals/approvals.ts'
import { findPayee, type Payee, payeeByAlias, payeeById, type Person } from '../people/parties.ts'
import type { Standing } from '../credentials/standing.ts'
import { findOrder, type ManualCapture } from '../orders/orders.ts'
import { refuseUnpayable } from '../orders/payable.ts'
import { noPrice } from './priced.ts'

export interface PaymentRequest {
  /** '@alias' or a public id; may be left out where an order says it. */
  readonly payee: string | undefined
  readonly money: Money
  /** A linked bank account to pay from; the wallet where none is named. */
  readonly source: Uuid | undefined
  readonly order: Uuid | undefined
  readonly note: string | undefined
  readonly approval: ApprovalBody | undefined
}

/** Whom the money is for, and at what price. */
export interface Purpose {
  readonly kind: 'person' | 'order'
  readonly payee: Payee
  readonly price: Price
  /** What priced it; null between people. */
  readonly priced: (Priced & { readonly schedule: FeeSchedule }) | null
  readonly order: Uuid | null
  /** Whether others may pay it too. */
  readonly orderReusable: boolean
  /** Undefined where paying is all there is. */
  readonly manual: ManualCapture | undefined
  /** What of the net goes on to other merchants. */
  readonly splits: readonly Split[]
}

export const purposeOf = (
  context: Context,
  payer: Person,
  request: PaymentRequest,
  standing: Promise<Standing> | undefined,
): Promise<Purpose> =>
  request.order === undefined
    ? payPerson(context, payer, request)
    : payOrder(context, request.order, request, () => standing ?? context.standings(payer.id))

async function payPerson(
  context: Context,
  payer: Person,
  request: PaymentRequest,
): Promise<Purpose> {
  const payee = await findNamedPayee(context, request.payee)
  // Who was erased is still there by id, and by nothing else.
  if (payee === undefined || payee.name === null) throw new ServiceError('payee_not_found')
  if (payee.kind === 'merchant') throw new ServiceError('order_required')
  if (payee.id === payer.id) throw new LedgerError('same_account')
  const price = noPrice(request.money.amount)
  return { kind: 'person', payee, price, priced: null, ...NO_ORDER }
}

const NO_ORDER = { order: null, orderReusable: false, manual: undefined, splits: [] }

async function findNamedPayee(context: Context, name: string | undefined) {
  if (name === undefined) return undefined
  if (name.startsWith('@')) return payeeByAlias(context, name.slice(1))
  if (isPublicId('per', name)) return findPayee(context, 'person', uuidOf(name))
  if (isPublicId('mer', name)) return findPayee(context, 'merchant', uuidOf(name))
  return undefined
}

async function payOrder(
  context: Context,
  id: Uuid,
  request: PaymentRequest,
  standingOf: () => Promise<Standing | undefined>,
): Promise<Purpose> {
  const order = await findOrder(context, id)
  if (order === undefined) throw new ServiceError('not_found')
  const payee = await payeeById(context, 'merchant', order.merchant)
  const named = request.payee === undefined ? payee : await findNamedPayee(context, request.payee)
  if (named?.id !== payee.id) throw new ServiceError('order_mismatch')
  refuseUnpayable(order, context.now())
  const { manual, reusable: orderReusable, currency } = order
  const { money } = request
  const { full, priced } = await priceOfOrder(context, order, {
    amount: money.amount,
    rail: request.source === undefined ? 'wallet' : 'bank',
    country: (await standingOf())?.country ?? null,
  })
  const total = priced.amount + (full.surcharge ?? 0n)
  const isSame = money.amount === total && money.currency === currency
  if (!isSame) throw new ServiceError('order_mismatch')
  // Nothing is charged before it is captured, and then by this schedule.
  const price = manual === undefined ? full : noPrice(0n)
  const splits = order.splits === null ? [] : splitsOf(order.splits, full.net)
  return { kind: 'order', payee, price, priced, order: order.id, orderReusable, manual, splits }
}
