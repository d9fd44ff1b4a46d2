/** What a bank's word means for the payment that waited for it. */
import type { Knex } from 'knex'
import type { NewTransfer } from '../../ledger/index.ts'
import type { Dependant } from '../banking/resolve.ts'
import type { Context } from '../context.ts'
import { recordEvent } from '../events/events.ts'
import { splitsOfPayment } from '../fees/split_rows.ts'
import { publicId } from '../ids.ts'
import { findOrder } from '../orders/orders.ts'
import { changePayment } from './changes.ts'
import { authorized, findPayment, later, type Payment } from './payment.ts'
import { findStored } from './shown.ts'
import { transfersOf } from './moving.ts'

/** Top-ups and withdrawals: the bank's movement is all there is. */
export const ownMoney: Dependant = {
  follow: async () => [],
  async conclude(context, trx, instruction, { outcome, reason }) {
    const payment = await paymentOf(trx, instruction.subject)
    if (outcome === 'returned') {
      // The payment was what it was; the money coming back is a movement of its own.
      await recordReturn(context, trx, payment, reason)
      return
    }
    await moveOn(
      context,
      trx,
      payment,
      outcome === 'settled' ? DONE : failedBy(reason ?? 'rejected'),
    )
  },
}

/** Payments from a bank account: once the bank has paid the wallet, the wallet pays the payee. */
export const bankFunded: Dependant = {
  async follow(context, { subject }, { outcome }) {
    if (outcome !== 'settled') return []
    const payment = await paymentOf(context.db, subject)
    const { id, kind, payer, payee, amount, currency, fee, tax } = payment
    if (payee === null || (kind !== 'person' && kind !== 'order')) {
      throw new Error(`payment ${id} waits for a bank and has nobody to pay`)
    }
    const occasion = { reference: id }
    const heldUntil = await holdUntil(context, payment)
    const money = { amount, currency }
    const splits = await splitsOfPayment(context.db, id)
    const paying = { kind, payer, payee, money, fee, tax, splits, heldUntil }
    return transfersOf(context, occasion, paying)
  },
  async conclude(context, trx, instruction, { outcome, reason, refusal, unit, following }) {
    const payment = await paymentOf(trx, instruction.subject)
    if (outcome === 'returned') {
      await recordReturn(context, trx, payment, reason)
      return
    }
    const isPaid = outcome === 'settled' && refusal === undefined
    const heldUntil = expiryOf(following)
    if (isPaid && heldUntil !== undefined) {
      const change = authorized(unit, context.now(), heldUntil)
      await changePayment(context, trx, payment, change, ['payment.authorized'])
      return
    }
    await moveOn(context, trx, payment, isPaid ? DONE : failedBy(refusal ?? reason ?? 'rejected'))
  },
}

/** Until when what the order asks for is held, from now; null where it is paid at once. */
async function holdUntil(context: Context, { captured, order: id }: Payment) {
  const order = captured === null || id === null ? undefined : await findOrder(context, id)
  return order?.manual === undefined ? null : later(context.now(), order.manual.within_s)
}

const expiryOf = (transfers: readonly NewTransfer[]): Date | undefined =>
  transfers.flatMap((one) => (one.kind === 'pending' ? (one.expiresAt ?? []) : []))[0]

const DONE = { state: 'completed', failure: null } as const
const failedBy = (failure: string) => ({ state: 'failed', failure }) as const

async function paymentOf(db: Knex, id: string): Promise<Payment> {
  const payment = await findPayment(db, id)
  if (payment === undefined) throw new Error(`payment ${id} has vanished`)
  return payment
}

async function moveOn(
  context: Context,
  trx: Knex.Transaction,
  payment: Payment,
  { state, failure }: { readonly state: 'completed' | 'failed'; readonly failure: string | null },
): Promise<void> {
  const change = { state, failure, changedAt: context.now() }
  await changePayment(context, trx, payment, change, [`payment.${state}`])
}

async function recordReturn(
  context: Context,
  trx: Knex.Transaction,
  payment: Payment,
  reason: string | undefined,
): Promise<void> {
  const [shown] = await findStored(trx, [payment])
  const data = { ...shown, reason: reason ?? null }
  const object = publicId('pay', payment.id)
  await recordEvent(trx, { type: 'instruction.returned', object, data, at: context.now() })
}
