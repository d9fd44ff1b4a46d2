/** How a dispute goes on, and what that moves: each step under the lock of its payment. */
import type { Knex } from 'knex'
import {
  type AccountId,
  answerOnce,
  type Claim,
  createTransfers,
  lockAvailable,
  newId,
  type NewTransfer,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import { lossAccount, merchantAccountOf, reviewAccount, walletOf } from '../books/chart.ts'
import { chargebackReversed, disputeLost, disputeWon } from '../books/refund_postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import type { EventType } from '../events/catalogue.ts'
import { recordEvent } from '../events/events.ts'
import { addDisputed } from '../payments/given_back.ts'
import { findPayment, lockPayment } from '../payments/payment.ts'
import { type DisputeEvent, type DisputeState, nextState } from './machine.ts'
import { type Dispute, disputeOut, findDispute, recordStep } from './rows.ts'

/** What happens to a dispute, and who says so. */
interface Happening {
  readonly event: DisputeEvent
  readonly by: string
  readonly note: string | null
  /** What a merchant says for itself, with `submit`. */
  readonly evidence?: NewEvidence
}

interface NewEvidence {
  readonly text: string
  readonly file: { readonly name: string; readonly sha256: string } | undefined
}

/** Of one dispute; a person has to read them. */
const EVIDENCE_MAX = 20

/** @throws {ServiceError} where it is too late for that; it is not stored. */
export async function decideDispute(
  context: Context,
  dispute: Dispute,
  happening: Happening,
  claim: Claim,
): Promise<Outcome> {
  const accounts = await accountsOf(context, dispute)
  return answerOnce(context.db, claim, (trx) =>
    answerOf(async () => disputeOut(await step(context, trx, dispute, happening, accounts))),
  )
}

/** The clock's word, in a transaction of the worker's own. */
export async function expireDispute(context: Context, dispute: Dispute): Promise<void> {
  const accounts = await accountsOf(context, dispute)
  const happening = { event: 'expire', by: 'worker', note: null } as const
  await context.db.transaction((trx) => step(context, trx, dispute, happening, accounts))
}

type Accounts = Readonly<Record<'merchant' | 'suspense' | 'payer' | 'loss', AccountId>>

async function accountsOf(context: Context, dispute: Dispute): Promise<Accounts> {
  const { merchant, payment: id, currency } = dispute
  const payment = await findPayment(context.db, id)
  if (payment === undefined) throw new Error(`payment ${id} has vanished`)
  const [account, suspense, payer, loss] = await Promise.all([
    merchantAccountOf(context, merchant, currency),
    reviewAccount(context, currency),
    walletOf(context, payment.payer, currency),
    lossAccount(context, currency),
  ])
  return { merchant: account, suspense, payer, loss }
}

async function step(
  context: Context,
  trx: Knex.Transaction,
  { id, payment }: Dispute,
  { event, by, note, evidence }: Happening,
  accounts: Accounts,
): Promise<Dispute> {
  await lockPayment(trx, { id: payment })
  const dispute = await findDispute(trx, id, 'lock')
  if (dispute === undefined) throw new ServiceError('not_found')
  const state = nextState(dispute.state, event)
  if (state === 'refused') throw new ServiceError('dispute_decided')
  const at = context.now()
  if (event === 'submit' && at > dispute.evidenceDueAt) throw new ServiceError('evidence_too_late')
  const unit = await moveMoney(trx, dispute, state, accounts, at)
  if (evidence !== undefined) await keepEvidence(trx, id, evidence, { by, at })
  const after = { ...dispute, state, changedAt: at }
  await trx('disputes').where({ id, state: dispute.state }).update({ state, changed_at: at })
  await recordStep(trx, id, { event, state, by, note, unit, at })
  const data = disputeOut(after)
  const { merchant } = dispute
  await recordEvent(trx, { type: TOLD[state], object: data.id, merchant, data, at })
  return after
}

const TOLD = {
  ...{ needs_evidence: 'dispute.opened', under_review: 'dispute.evidence_submitted' },
  ...{ won: 'dispute.won', lost: 'dispute.lost', reversed: 'dispute.reversed' },
} as const satisfies Record<DisputeState, EventType>

/** What each end of a dispute moves; nothing where it goes on. */
async function moveMoney(
  trx: Knex.Transaction,
  { id: reference, payment, state: before, amount, currency }: Dispute,
  state: DisputeState,
  accounts: Accounts,
  at: Date,
) {
  const occasion = { reference }
  const money = { amount, currency }
  const made: Readonly<Record<DisputeState, () => Promise<NewTransfer[]> | NewTransfer[]>> = {
    needs_evidence: () => [],
    under_review: () => [],
    won: () => disputeWon(occasion, accounts, money),
    lost: () => disputeLost(occasion, accounts, money),
    reversed: async () => {
      const available = await lockAvailable(trx, Object.values(accounts))
      return chargebackReversed(occasion, accounts, money, available(accounts.payer))
    },
  }
  const transfers = state === before ? [] : await made[state]()
  if (transfers.length === 0) return null
  const unit = newUnitId()
  await createTransfers(trx, { id: unit, at, transfers })
  // What is the merchant's again may be refunded again.
  if (state === 'won' || state === 'reversed') await addDisputed(trx, payment, -amount)
  return unit
}

async function keepEvidence(
  trx: Knex.Transaction,
  dispute: Uuid,
  { text, file }: NewEvidence,
  { by, at }: { readonly by: string; readonly at: Date },
): Promise<void> {
  const [last] = await trx('dispute_evidence')
    .where({ dispute_id: dispute })
    .max({ number: 'number' })
  const number = Number(last?.['number'] ?? 0) + 1
  if (number > EVIDENCE_MAX) throw new ServiceError('too_much_evidence')
  await trx('dispute_evidence').insert({
    ...{ id: newId(), dispute_id: dispute, number, text, file_name: file?.name ?? null },
    file_sha256: file === undefined ? null : Buffer.from(file.sha256, 'hex'),
    ...{ created_by: by, created_at: at },
  })
}
