/** What a payment would cost, without making one. */
import type { Currency, Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { pricedFacts } from './facts.ts'
import { type Price, priceOf } from './price.ts'
import { scheduleAt, scheduleOf } from './versions.ts'
import type { FeeSchedule, Priced } from './terms.ts'

export interface Asked {
  readonly merchant: Uuid
  /** A draft, or another version than the one in force. */
  readonly schedule: Uuid | undefined
  readonly money: { readonly amount: bigint; readonly currency: Currency }
  readonly rail: Priced['rail']
  readonly country: string | null
}

/** @throws {ServiceError} `fee_schedule_not_found`, `fee_exceeds_amount`, `not_found`. */
export async function quoteFee(context: Context, { schedule: id, ...asked }: Asked) {
  const at = context.now()
  const { merchant, money } = asked
  const schedule =
    id === undefined
      ? await scheduleAt(context, merchant, money.currency, at)
      : await scheduleOf(context, id)
  if (schedule === undefined || schedule.currency !== money.currency) {
    throw new ServiceError('fee_schedule_not_found')
  }
  const priced = await pricedFacts(context, schedule, { ...asked, at })
  return quoteOut(schedule, priced, priceOf(schedule, priced))
}

export function quoteOut(
  schedule: FeeSchedule,
  { amount, currency, volume }: Priced,
  { fee, tax, net, surcharge = 0n, lines }: Price,
) {
  return {
    amount: amount.toString(),
    currency,
    ...{ fee: fee.toString(), tax: tax.toString(), net: net.toString() },
    surcharge: surcharge.toString(),
    total: (amount + surcharge).toString(),
    fee_lines: lines.map(({ kind, amount: part, description }) => ({
      ...{ kind, amount: part.toString(), currency, description },
    })),
    fee_schedule: publicId('fee', schedule.id),
    version: schedule.version,
    volume: volume.toString(),
  }
}
