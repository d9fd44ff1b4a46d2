/** How a payment moves on: its row, and the events that say so, in the transaction of the money. */
import type { Knex } from 'knex'
import { returnUses } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import type { EventType } from '../events/catalogue.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { returnsOf } from '../limits/uses.ts'
import { isHidden, type Payment, type PaymentState } from './payment.ts'
import { findStored } from './shown.ts'

/** What may change, by column; the rest of a payment is as it was asked for. */
const COLUMNS = {
  state: 'state',
  failure: 'failure',
  changedAt: 'changed_at',
  captured: 'captured',
  fee: 'fee',
  tax: 'tax',
  net: 'net',
  hold: 'hold_id',
  authorizedAt: 'authorized_at',
  captureBefore: 'capture_before',
  reversedAt: 'reversed_at',
  releasedAt: 'released_at',
  transfer: 'transfer_id',
} as const satisfies Partial<Record<keyof Payment, string>>

export type Change = Partial<Pick<Payment, keyof typeof COLUMNS>>

/**
 * Moves the payment from exactly where it was found, and records the events. Whoever calls has the
 * locks that make it so: that it has moved meanwhile is a bug.
 * @returns the payment as it is now, to be stored.
 */
export async function changePayment(
  context: Context,
  trx: Knex.Transaction,
  payment: Payment,
  change: Change,
  events: readonly EventType[],
) {
  const { id, state } = payment
  const moved = await trx('payments').where({ id, state }).update(columnsOf(change))
  if (moved === 0) throw new Error(`payment ${id} is no longer ${state}`)
  const after = { ...payment, ...change }
  await returnQuotas(context, trx, after)
  const [data] = await findStored(trx, [after])
  if (data === undefined) throw new Error(`payment ${id} cannot be shown`)
  const isMerchants = payment.kind === 'order' && !isHidden(after)
  const merchant = isMerchants ? (payment.payee ?? undefined) : undefined
  const object = publicId('pay', id)
  for (const type of events) {
    await recordEvent(trx, { type, object, merchant, data, at: context.now() })
  }
  return data
}

/** Those in which nothing more will be taken of what was used up. */
const ENDS: ReadonlySet<PaymentState> = new Set(['completed', 'failed', 'canceled', 'expired'])

/** A payment that has come to less than it was to be leaves the rest to be spent on others. */
async function returnQuotas(
  { calendar }: Context,
  trx: Knex.Transaction,
  { state, amount, captured, quotas, createdAt }: Payment,
): Promise<void> {
  const cameTo = captured ?? (state === 'completed' ? amount : 0n)
  if (!ENDS.has(state) || cameTo === amount) return
  const rest = { amount: amount - cameTo, isAll: cameTo === 0n }
  await returnUses(trx, returnsOf(quotas, rest, calendar(createdAt)))
}

const columnsOf = (change: Change): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(change).map(([name, value]) => [
      COLUMNS[name as keyof Change],
      typeof value === 'bigint' ? value.toString() : value,
    ]),
  )
