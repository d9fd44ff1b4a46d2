/**
 * A payment is contested, by its payer or by an operator for a bank or a scheme: its money leaves
 * the merchant for suspense, where it waits for the decision, and the merchant pays what a dispute
 * costs. What pays for both is decided as for a refund.
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
import { feeAccounts, merchantAccountOf, reviewAccount, walletOf } from '../books/chart.ts'
import { disputed } from '../books/refund_postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import { addDisputed, refundable } from '../payments/given_back.ts'
import { findPayment, later, lockPayment } from '../payments/payment.ts'
import { drawnTogether, lockMeans, recordDrawn } from '../reserves/draw.ts'
import { keepWalletOpen, OPEN } from './contested.ts'
import { type Dispute, disputeOut, type DisputeReason, disputeRow, recordStep } from './rows.ts'
import { disputeTermsAt } from './terms.ts'

export interface NewDispute {
  readonly payment: Uuid
  /** Minor units; left out, all that has not gone back yet. */
  readonly amount: bigint | undefined
  readonly reason: DisputeReason
  /** The payer, or the name of an operator. */
  readonly by: { readonly payer: Uuid } | { readonly operator: string }
}

const DAY_S = 86_400

/**
 * @throws {ServiceError} for what the payment does not allow; that is not stored. What the books
 *   refuse is: a merchant that has not enough may be let owe more, and then it is asked anew.
 */
export async function openDispute(
  context: Context,
  request: NewDispute,
  claim: Claim,
): Promise<Outcome> {
  const terms = await termsOf(context, request)
  return answerOnce(context.db, claim, (trx) => answerOf(() => openInside(trx, request, terms)))
}

type Terms = Awaited<ReturnType<typeof termsOf>>

async function termsOf(context: Context, { payment: id, by }: NewDispute) {
  const at = context.now()
  const payment = await findPayment(context.db, id)
  const isTheirs = 'operator' in by || payment?.payer === by.payer
  if (payment === undefined || payment.payee === null || !isTheirs) {
    throw new ServiceError('not_found')
  }
  const { kind, payer, payee: merchant, currency, changedAt } = payment
  if (kind !== 'order') throw new ServiceError('not_disputable')
  if ('payer' in by && at > later(changedAt, context.config.DISPUTE_DAYS * DAY_S)) {
    throw new ServiceError('dispute_too_late')
  }
  const [terms, account, suspense, { fees }, wallet] = await Promise.all([
    disputeTermsAt(context, merchant, currency, at),
    merchantAccountOf(context, merchant, currency),
    reviewAccount(context, currency),
    feeAccounts(context, currency),
    walletOf(context, payer, currency),
  ])
  const accounts = { merchant: account, suspense, fees }
  return { ...terms, at, merchant, currency, accounts, back: { payer, wallet } }
}

async function openInside(
  trx: Knex.Transaction,
  { payment: id, amount: asked, reason, by }: NewDispute,
  { fee, evidenceDays, at, merchant, currency, accounts, back }: Terms,
) {
  const payment = await lockPayment(trx, { id })
  if (payment === undefined) throw new ServiceError('not_found')
  await refuseAgain(trx, id, by)
  const amount = refundable(payment, asked)
  await keepWalletOpen(trx, back)
  const paying = { merchant, currency, account: accounts.merchant }
  const means = await lockMeans(trx, paying, Object.values(accounts))
  const { sources, ...paid } = means.pay(amount + fee)
  const drawn = drawnTogether([paid.drawn])
  const dispute: Dispute = {
    ...{ id: newId(), payment: id, merchant, unit: newUnitId(), amount, fee, currency, reason },
    ...{ state: 'needs_evidence', openedBy: 'payer' in by ? 'payer' : by.operator, sources },
    ...{ evidenceDueAt: later(at, evidenceDays * DAY_S), createdAt: at, changedAt: at },
  }
  const from = { ...accounts, reserve: means.reserve }
  const transfers = disputed({ reference: dispute.id }, from, currency, { amount, fee, drawn })
  await createTransfers(trx, { id: dispute.unit, at, transfers })
  await recordDrawn(trx, drawn, at)
  await addDisputed(trx, id, amount)
  await trx('disputes').insert(disputeRow(dispute))
  const step = { event: 'open', state: dispute.state, by: dispute.openedBy, note: null } as const
  await recordStep(trx, dispute.id, { ...step, unit: dispute.unit, at })
  const data = disputeOut(dispute)
  await recordEvent(trx, { type: 'dispute.opened', object: data.id, merchant, data, at })
  return 'payer' in by ? { ...data, paid_from: null } : data
}

/** One at a time; and whoever lost one has had their say. */
async function refuseAgain(trx: Knex.Transaction, payment: Uuid, by: NewDispute['by']) {
  const query = trx('disputes').where({ payment_id: payment })
  if ('operator' in by) void query.whereIn('state', OPEN)
  if ((await query.first('id')) !== undefined) throw new ServiceError('dispute_exists')
}
