/**
 * A merchant takes what is held for it, in part or whole, or lets go of it.
 *
 * What a capture costs depends on what was captured before, and the payment's row must change with
 * the money. A group only adds rows, so each of these is a transaction of its own: the payment is
 * locked, then its accounts by the ledger, and the answer is stored under the claim. So captures of
 * one payment wait for each other; a crash anywhere leaves nothing; a repetition finds the answer.
 * Captures are rarer than payments, which keep the fast way.
 */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  createTransfers,
  newId,
  newUnitId,
  type Outcome,
  type UnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import { feeAccounts, merchantAccountOf } from '../books/chart.ts'
import { captured, released } from '../books/postings.ts'
import { shared } from '../books/split_postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordShares, sharesOfPayment, splitsOfPayment } from '../fees/split_rows.ts'
import { scheduleOf } from '../fees/versions.ts'
import { findOrder } from '../orders/orders.ts'
import {
  type CaptureRequest,
  capturesOf,
  nextCapture,
  NOTHING_CHARGED,
  priceOfMore,
  recordCapture,
} from './captures.ts'
import { changePayment } from './changes.ts'
import { findPayment, lockPayment, type Payment } from './payment.ts'
import { factsOf } from './priced.ts'
import { givenNow, intoAccounts } from './shares.ts'

/** A payment whose money is held. */
interface Held extends Payment {
  readonly hold: UnitId
  readonly captured: bigint
}

/**
 * @throws {ServiceError} for what the payment or its order does not allow; such a refusal is not
 *   stored. What the books refuse is.
 */
export async function capture(
  context: Context,
  merchant: Uuid,
  id: Uuid,
  request: CaptureRequest,
  claim: Claim,
): Promise<Outcome> {
  const terms = await termsOf(context, merchant, id)
  const { partial, schedule, facts, accounts, accountOf } = terms
  return answerOnce(context.db, claim, (trx) =>
    answerOf(async () => {
      const payment = await lockHeld(trx, id)
      const earlier = (await capturesOf(trx, [id])).get(id) ?? []
      const { amount: authorized, currency } = payment
      const shares = await sharesOfPayment(trx, id, true)
      const counts = { captures: earlier.length, shares: shares.length }
      const held = { authorized, charged: payment, ...counts }
      const { amount, isFinal, price } = nextCapture(held, partial, { schedule, facts }, request)
      const { fee, tax, net, lines } = price
      const [unit, at] = [newUnitId(), context.now()]
      const taken = { amount, fee, tax, currency, isFinal }
      const whole = priceOfMore(schedule, facts, NOTHING_CHARGED, authorized).net
      const given = givenNow(shares, { whole, before: payment.net, now: net })
      const others = given.map(({ merchant: one, amount: part }) => ({
        ...{ account: accountOf(one), amount: part },
      }))
      const transfers = [
        ...captured({ reference: id }, accounts, payment.hold, taken),
        ...shared({ reference: id }, accounts.merchant, currency, others),
      ]
      await createTransfers(trx, { id: unit, at, transfers })
      const made = { id: newId(), number: earlier.length + 1, unit, amount, fee, tax, net }
      await recordCapture(trx, id, { ...made, createdAt: at }, lines)
      await recordShares(trx, { payment: id, capture: made.id }, given)
      const sums = {
        captured: payment.captured + amount,
        ...{ fee: payment.fee + fee, tax: payment.tax + tax, net: payment.net + net },
      }
      return isFinal
        ? changePayment(context, trx, payment, { ...sums, ...completed(at) }, CAPTURED_LAST)
        : changePayment(context, trx, payment, { ...sums, changedAt: at }, ['payment.captured'])
    }),
  )
}

const CAPTURED_LAST = ['payment.captured', 'payment.completed'] as const
const completed = (changedAt: Date) => ({ state: 'completed', changedAt }) as const

/** Everything that cannot change, looked up before any lock is taken. */
async function termsOf(context: Context, merchant: Uuid, id: Uuid) {
  const payment = await heldFor(context, merchant, id)
  const { order: orderId, feeSchedule, currency } = payment
  const order = orderId === null ? undefined : await findOrder(context, orderId)
  if (order?.manual === undefined || feeSchedule === null) {
    throw new ServiceError('payment_not_authorized')
  }
  const [schedule, account, platform, splits] = await Promise.all([
    scheduleOf(context, feeSchedule),
    merchantAccountOf(context, merchant, currency),
    feeAccounts(context, currency),
    splitsOfPayment(context.db, id),
  ])
  const beneficiaries = await intoAccounts(context, splits, currency)
  const known = new Map(splits.map((one, at) => [one.merchant, beneficiaries[at]?.account]))
  const accountOf = (beneficiary: Uuid) => {
    const found = known.get(beneficiary)
    if (found === undefined) throw new Error(`payment ${id} has a beneficiary that it had not`)
    return found
  }
  const accounts = { merchant: account, ...platform }
  return { partial: order.manual.partial, schedule, facts: factsOf(payment), accounts, accountOf }
}

/** A payment to the merchant, or with undefined to any, for an operator. */
async function heldFor(context: Context, merchant: Uuid | undefined, id: Uuid): Promise<Payment> {
  const payment = await findPayment(context.db, id, merchant)
  if (payment === undefined) throw new ServiceError('not_found')
  if (payment.captured === null) throw new ServiceError('payment_not_authorized')
  return payment
}

async function lockHeld(trx: Knex.Transaction, id: Uuid): Promise<Held> {
  const payment = await lockPayment(trx, { id })
  if (payment === undefined || !isHeld(payment)) throw new ServiceError('payment_not_authorized')
  return payment
}

export const isHeld = (payment: Payment): payment is Held =>
  payment.state === 'authorized' && payment.hold !== null && payment.captured !== null

/** Releases what is left of the hold. What was captured before stays with the merchant. */
export async function voidHold(
  context: Context,
  merchant: Uuid | undefined,
  id: Uuid,
  claim: Claim,
): Promise<Outcome> {
  await heldFor(context, merchant, id)
  return answerOnce(context.db, claim, (trx) =>
    answerOf(async () => {
      const payment = await lockHeld(trx, id)
      const at = context.now()
      const transfers = released({ reference: id }, payment.hold)
      await createTransfers(trx, { id: newUnitId(), at, transfers })
      return endHold(context, trx, payment, 'canceled', at)
    }),
  )
}

/** The payment, now that nothing of it is held any more. */
export function endHold(
  context: Context,
  trx: Knex.Transaction,
  payment: Held,
  otherwise: 'canceled' | 'expired',
  at: Date,
) {
  const state = payment.captured > 0n ? 'completed' : otherwise
  return changePayment(context, trx, payment, { state, changedAt: at }, [`payment.${state}`])
}
