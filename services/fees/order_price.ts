/** What paying an order costs, now and by this payer. */
import type { Currency, Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Asked, pricedFacts } from './facts.ts'
import { priceOf } from './price.ts'
import { type Splits, splitsOf } from './splits.ts'
import { scheduleAt } from './versions.ts'

interface PricedOrder {
  readonly merchant: Uuid
  /** Null where whoever pays fills it in. */
  readonly amount: bigint | null
  readonly currency: Currency
  /** How it is captured; undefined where paying is all there is. */
  readonly manual?: object | undefined
  readonly splits?: Splits | null
}

/**
 * What is captured later, or has no amount of its own, is borne by the merchant alone: what the fee
 * comes to is not known before, so no payer could agree to it.
 * @param by with what the payer fills in, where the order has no amount.
 * @throws {ServiceError} `fee_schedule_not_found`, `fee_exceeds_amount`.
 */
export async function priceOfOrder(
  context: Context,
  { merchant, amount, currency, manual }: PricedOrder,
  by: Pick<Asked, 'rail' | 'country'> & { readonly amount: bigint },
) {
  const at = context.now()
  const found = await scheduleAt(context, merchant, currency, at)
  if (found === undefined) throw new ServiceError('fee_schedule_not_found')
  const isKnown = manual === undefined && amount !== null
  const schedule = isKnown ? found : { ...found, surchargeRails: [] }
  const money = { amount: amount ?? by.amount, currency }
  const { rail, country } = by
  const priced = await pricedFacts(context, schedule, { merchant, money, at, rail, country })
  return { full: priceOf(schedule, priced), priced: { schedule, ...priced } }
}

/**
 * Refuses an order that could not be paid from a wallet, as far as that is known before.
 * @throws {ServiceError} `fee_schedule_not_found`, `fee_exceeds_amount`, `split_exceeds_net`.
 */
export async function refuseUnpriced(context: Context, order: PricedOrder): Promise<void> {
  const { merchant, amount, currency } = order
  if (amount !== null) {
    const { full } = await priceOfOrder(context, order, { amount, rail: 'wallet', country: null })
    if (order.splits) splitsOf(order.splits, full.net)
    return
  }
  const schedule = await scheduleAt(context, merchant, currency, context.now())
  if (schedule === undefined) throw new ServiceError('fee_schedule_not_found')
}
