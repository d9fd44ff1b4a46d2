/**
 * A merchant gives money back: all that it took for a payment, or a part, as often as there is
 * something left.
 *
 * The payment is locked, then the accounts, and only then it is decided what pays for it; a refusal
 * has written nothing. The answer is stored under the claim in the same transaction, so a refund
 * that is asked for twice is made once.
 */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  createTransfers,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import { feeAccounts, merchantAccountOf, walletOf } from '../books/chart.ts'
import { refunded } from '../books/refund_postings.ts'
import { sharesReturned } from '../books/split_postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import type { RefundFees } from '../fees/terms.ts'
import { scheduleOf } from '../fees/versions.ts'
import { addRefunded, refundable } from '../payments/given_back.ts'
import { findPayment, lockPayment, type Payment } from '../payments/payment.ts'
import { drawnTogether, lockMeansOf, recordDrawn } from '../reserves/draw.ts'
import { type Charged, returnedBy } from './policy.ts'
import { type Refund, refundOut, refundRow, refundsOf } from './rows.ts'
import { type Back, beneficiariesOf, ownOf, paidBack, recordBack, sharesDue } from './shares.ts'

export interface RefundRequest {
  /** Minor units; left out, all that is left. */
  readonly amount: bigint | undefined
  readonly reason: string | undefined
}

/** A payment's timeline shows all of them. */
const REFUNDS_MAX = 100

/**
 * @throws {ServiceError} for what the payment does not allow; that is not stored. What the books
 *   refuse is.
 */
export async function refund(
  context: Context,
  merchant: Uuid,
  id: Uuid,
  request: RefundRequest,
  claim: Claim,
): Promise<Outcome> {
  const terms = await termsOf(context, merchant, id)
  return answerOnce(context.db, claim, (trx) =>
    answerOf(() => refundInside(context, trx, terms, request)),
  )
}

type Terms = Awaited<ReturnType<typeof termsOf>>

/** Everything that cannot change, looked up before any lock is taken. */
async function termsOf(context: Context, merchant: Uuid, id: Uuid) {
  const payment = await findPayment(context.db, id, merchant)
  if (payment?.kind !== 'order') throw new ServiceError('not_found')
  const { payer, currency, feeSchedule } = payment
  const [schedule, wallet, account, platform, others] = await Promise.all([
    feeSchedule === null ? undefined : scheduleOf(context, feeSchedule),
    walletOf(context, payer, currency),
    merchantAccountOf(context, merchant, currency),
    feeAccounts(context, currency),
    beneficiariesOf(context, id, currency),
  ])
  const policy: RefundFees = schedule?.refundFees ?? 'keep'
  const accounts = { payer: wallet, merchant: account, ...platform }
  return { id, merchant, policy, accounts, others }
}

async function refundInside(
  context: Context,
  trx: Knex.Transaction,
  { id, merchant, policy, accounts, others }: Terms,
  request: RefundRequest,
) {
  const payment = await lockPayment(trx, { id })
  if (payment === undefined) throw new ServiceError('not_found')
  const earlier = (await refundsOf(trx, [id])).get(id) ?? []
  if (earlier.length >= REFUNDS_MAX) throw new ServiceError('too_many_refunds')
  const amount = refundable(payment, request.amount)
  const { fee, tax } = returnedNow(policy, await chargedFor(trx, payment), earlier, amount)
  const { currency } = payment
  const dues = await sharesDue(trx, payment, others, amount)
  const paying = { merchant, currency, account: accounts.merchant }
  const all = [paying, ...dues.map((due) => ({ ...due, currency }))]
  const meansOf = await lockMeansOf(trx, all, Object.values(accounts))
  const backs = paidBack(dues, meansOf)
  const shares = backs.reduce((sum, one) => sum + ownOf(one), 0n)
  const back = fee + tax + shares
  const means = meansOf(accounts.merchant)
  const { sources, drawn } = means.pay(amount > back ? amount - back : 0n)
  const taken = drawnTogether([drawn, ...backs.map((one) => one.drawn)])
  const made = { id: newId(), unit: newUnitId(), createdAt: context.now() }
  const transfers = [
    ...sharesReturned({ reference: made.id }, accounts.merchant, currency, movedBy(backs)),
    ...refunded({ reference: made.id }, { ...accounts, reserve: means.reserve }, currency, {
      ...{ amount, fee, tax, drawn },
    }),
  ]
  await createTransfers(trx, { id: made.unit, at: made.createdAt, transfers })
  await recordDrawn(trx, taken, made.createdAt)
  await addRefunded(trx, id, amount)
  const shown = await record(trx, {
    ...{ ...made, payment: id, merchant, number: earlier.length + 1, amount, currency },
    ...{ feeReturned: fee, taxReturned: tax, sharesReturned: shares, sources },
    reason: request.reason ?? null,
  })
  await recordBack(trx, { refund: made.id, payment: id }, backs)
  return shown
}

const movedBy = (backs: readonly Back[]) =>
  backs.map((one) => ({ ...one, amount: ownOf(one) })).filter(({ amount }) => amount > 0n)

/** What was charged for what was captured so far. */
async function chargedFor(trx: Knex.Transaction, payment: Payment): Promise<Charged> {
  const { id, captured, amount, fee, tax } = payment
  const lines = trx('fee_lines').where({ payment_id: id }).whereIn('kind', ['fixed', 'floor'])
  const [sum] = await lines.sum({ fixed: 'amount' })
  return { captured: captured ?? amount, fee, tax, fixed: BigInt(sum?.['fixed'] ?? 0) }
}

/**
 * What this refund returns, beside what the earlier ones did. Never less than nothing: what was
 * captured after a refund makes the refunded share smaller, and is no reason to charge again.
 */
function returnedNow(
  policy: RefundFees,
  charged: Charged,
  earlier: readonly Refund[],
  amount: bigint,
) {
  const sum = (part: 'amount' | 'feeReturned' | 'taxReturned') =>
    earlier.reduce((total, one) => total + one[part], 0n)
  const due = returnedBy(policy, charged, sum('amount') + amount)
  const beyond = (whole: bigint, before: bigint) => (whole > before ? whole - before : 0n)
  return { fee: beyond(due.fee, sum('feeReturned')), tax: beyond(due.tax, sum('taxReturned')) }
}

/** @returns the refund as the API shows it. */
async function record(trx: Knex.Transaction, made: Refund) {
  await trx('refunds').insert(refundRow(made))
  const data = refundOut(made)
  const { merchant, createdAt: at } = made
  await recordEvent(trx, { type: 'refund.completed', object: data.id, merchant, data, at })
  return data
}
