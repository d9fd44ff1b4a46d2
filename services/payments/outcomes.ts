/** What a bank's word means for the payment that waited for it. */
import type { Knex } from 'knex'
import type { Dependant } from '../banking/resolve.ts'
import type { Context } from '../context.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { findPayment, type Payment, type PaymentState, showPayments } from './payment.ts'
import { transfersOf } from './pay.ts'

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
    const [state, failure] = outcome === 'settled' ? DONE : failedBy(reason ?? 'rejected')
    await moveOn(context, trx, payment, state, failure)
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
    const paying = { kind, payer, payee, money: { amount, currency }, fee, tax }
    return transfersOf(context, occasion, paying)
  },
  async conclude(context, trx, instruction, { outcome, reason, refusal }) {
    const payment = await paymentOf(trx, instruction.subject)
    if (outcome === 'returned') {
      await recordReturn(context, trx, payment, reason)
      return
    }
    const isPaid = outcome === 'settled' && refusal === undefined
    const [state, failure] = isPaid ? DONE : failedBy(refusal ?? reason ?? 'rejected')
    await moveOn(context, trx, payment, state, failure)
  },
}

const DONE = ['completed', null] as const
const failedBy = (failure: string) => ['failed', failure] as const

async function paymentOf(db: Knex, id: string): Promise<Payment> {
  const payment = await findPayment(db, id)
  if (payment === undefined) throw new Error(`payment ${id} has vanished`)
  return payment
}

async function moveOn(
  context: Context,
  trx: Knex.Transaction,
  payment: Payment,
  state: PaymentState,
  failure: string | null,
): Promise<void> {
  const changedAt = context.now()
  const moved = await trx('payments')
    .where({ id: payment.id, state: 'processing' })
    .update({ state, failure, changed_at: changedAt })
  if (moved === 0) throw new Error(`payment ${payment.id} is no longer processing`)
  const [data] = await showPayments(context, [{ ...payment, state, failure, changedAt }], trx)
  const merchant = payment.kind === 'order' ? (payment.payee ?? undefined) : undefined
  const object = publicId('pay', payment.id)
  await recordEvent(trx, { type: `payment.${state}`, object, merchant, data, at: changedAt })
}

async function recordReturn(
  context: Context,
  trx: Knex.Transaction,
  payment: Payment,
  reason: string | undefined,
): Promise<void> {
  const [shown] = await showPayments(context, [payment], trx)
  const data = { ...shown, reason: reason ?? null }
  const object = publicId('pay', payment.id)
  await recordEvent(trx, { type: 'instruction.returned', object, data, at: context.now() })
}
