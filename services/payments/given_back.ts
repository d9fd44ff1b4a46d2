/** How much of a payment may go back, by refunds and disputes together. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'

/** What of a payment says how much of it may go back; minor units. */
export interface Taken<S extends string = string> {
  readonly state: S
  readonly amount: bigint
  readonly captured: bigint | null
  readonly refunded: bigint
  readonly disputed: bigint
}

/** What the merchant took of it: the most that can ever go back. */
export const takenOf = ({ captured, amount }: Pick<Taken, 'captured' | 'amount'>): bigint =>
  captured ?? amount

/**
 * What goes back when `asked` for, or all that is left. Pure.
 * @throws {ServiceError} `payment_not_completed`, `refund_exceeds_capture`.
 */
export function refundable(payment: Taken, asked: bigint | undefined): bigint {
  const { state, captured, refunded, disputed } = payment
  const isTaken = state === 'completed' || (state === 'authorized' && (captured ?? 0n) > 0n)
  if (!isTaken) throw new ServiceError('payment_not_completed')
  const left = takenOf(payment) - refunded - disputed
  const amount = asked ?? left
  if (amount <= 0n || amount > left) throw new ServiceError('refund_exceeds_capture')
  return amount
}

/** A guarded transition: whoever has locked the payment never fails at it. */
export async function addRefunded(trx: Knex.Transaction, id: Uuid, amount: bigint): Promise<void> {
  await add(trx, id, 'refunded', amount)
}

/** @param amount negative where a dispute ends in the merchant's favour. */
export async function addDisputed(trx: Knex.Transaction, id: Uuid, amount: bigint): Promise<void> {
  await add(trx, id, 'disputed', amount)
}

async function add(
  trx: Knex.Transaction,
  id: Uuid,
  column: 'refunded' | 'disputed',
  amount: bigint,
): Promise<void> {
  const part = amount.toString()
  const moved = await trx('payments')
    .where({ id })
    .whereRaw('refunded + disputed + ?::bigint <= coalesce(captured, amount)', [part])
    .update({ [column]: trx.raw('?? + ?::bigint', [column, part]) })
  if (moved === 0) throw new Error(`of payment ${id} more would go back than was taken`)
}

/** A payment's state as the API shows it: what went back is not one of its own. */
export function shownState<S extends string>(
  payment: Taken<S>,
): S | 'refunded' | 'partially_refunded' {
  const { state, refunded } = payment
  if (state !== 'completed' || refunded === 0n) return state
  return refunded === takenOf(payment) ? 'refunded' : 'partially_refunded'
}
