/** Disputes as they are kept, and as the API shows them. */
import type { Knex } from 'knex'
import type { Currency, UnitId, Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'
import type { Sources } from '../refunds/policy.ts'
import type { DisputeEvent, DisputeState } from './machine.ts'

/** Why a payer contests a payment: no words of their own, which nobody could ever forget. */
export const DISPUTE_REASONS = [
  ...(['not_received', 'not_as_described', 'duplicate', 'not_authorized', 'other'] as const),
] as const
export type DisputeReason = (typeof DISPUTE_REASONS)[number]

export interface Dispute {
  readonly id: Uuid
  readonly payment: Uuid
  readonly merchant: Uuid
  /** The unit that took the money. */
  readonly unit: UnitId
  /** Minor units, like the fee. */
  readonly amount: bigint
  readonly fee: bigint
  readonly currency: Currency
  readonly reason: DisputeReason
  readonly state: DisputeState
  /** `payer`, or the name of an operator. */
  readonly openedBy: string
  readonly evidenceDueAt: Date
  /** Which of the merchant's money it is. */
  readonly sources: Sources
  readonly createdAt: Date
  readonly changedAt: Date
}

interface Row {
  readonly id: Uuid
  readonly payment_id: Uuid
  readonly merchant_id: Uuid
  readonly transfer_id: UnitId
  readonly amount: bigint
  readonly fee: bigint
  readonly currency: Currency
  readonly reason: DisputeReason
  readonly state: DisputeState
  readonly opened_by: string
  readonly evidence_due_at: Date
  readonly from_balance: bigint
  readonly from_reserve: bigint
  readonly from_limit: bigint
  readonly created_at: Date
  readonly changed_at: Date
}

const fromRow = (row: Row): Dispute => ({
  ...{ id: row.id, payment: row.payment_id, merchant: row.merchant_id, unit: row.transfer_id },
  ...{ amount: row.amount, fee: row.fee, currency: row.currency, reason: row.reason },
  ...{ state: row.state, openedBy: row.opened_by, evidenceDueAt: row.evidence_due_at },
  sources: { balance: row.from_balance, reserve: row.from_reserve, limit: row.from_limit },
  ...{ createdAt: row.created_at, changedAt: row.changed_at },
})

export const disputeRow = ({ sources, ...dispute }: Dispute) => ({
  ...{ id: dispute.id, payment_id: dispute.payment, merchant_id: dispute.merchant },
  ...{ transfer_id: dispute.unit, amount: `${dispute.amount}`, fee: `${dispute.fee}` },
  ...{ currency: dispute.currency, reason: dispute.reason, state: dispute.state },
  ...{ opened_by: dispute.openedBy, evidence_due_at: dispute.evidenceDueAt },
  ...{ from_balance: `${sources.balance}`, from_reserve: `${sources.reserve}` },
  ...{ from_limit: `${sources.limit}` },
  ...{ created_at: dispute.createdAt, changed_at: dispute.changedAt },
})

/** Locked until the transaction ends, where it is asked for; after the payment's lock. */
export async function findDispute(db: Knex, id: Uuid, lock?: 'lock'): Promise<Dispute | undefined> {
  const query = db('disputes').where({ id })
  if (lock === 'lock') void query.forNoKeyUpdate()
  const row: Row | undefined = await query.first()
  return row && fromRow(row)
}

/** Newest first; of one merchant, or of all. */
export async function findDisputes(
  db: Knex,
  {
    merchant,
    before,
    limit,
  }: { merchant: Uuid | undefined; before: Uuid | undefined; limit: number },
): Promise<Dispute[]> {
  const query = db('disputes').orderBy('id', 'desc').limit(limit)
  if (merchant !== undefined) query.where({ merchant_id: merchant })
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

/** A step of a dispute, with the unit that moved money by it. */
export interface Step {
  readonly event: DisputeEvent | 'open'
  readonly state: DisputeState
  /** Who says so: `merchant`, `payer`, an operator's name; `worker` for the clock. */
  readonly by: string
  readonly note: string | null
  readonly unit: UnitId | null
  readonly at: Date
}

export async function recordStep(
  trx: Knex.Transaction,
  dispute: Uuid,
  { unit, ...step }: Step,
): Promise<void> {
  const [last] = await trx('dispute_steps').where({ dispute_id: dispute }).max({ number: 'number' })
  const number = Number(last?.['number'] ?? 0) + 1
  await trx('dispute_steps').insert({ dispute_id: dispute, number, transfer_id: unit, ...step })
}

export interface Evidence {
  readonly text: string
  /** A file that the merchant keeps, known by its digest. */
  readonly file: { readonly name: string; readonly sha256: Buffer } | null
  readonly createdAt: Date
}

/** What a dispute shows beside itself. */
export interface Told {
  readonly steps: readonly Step[]
  readonly evidence: readonly Evidence[]
}

export async function toldOf(db: Knex, dispute: Uuid): Promise<Told> {
  const of = { dispute_id: dispute }
  const [steps, evidence] = await Promise.all([
    db('dispute_steps').where(of).orderBy('number'),
    db('dispute_evidence').where(of).orderBy('number'),
  ])
  return {
    steps: steps.map(({ event, state, by, note, transfer_id: unit, at }) => ({
      ...{ event, state, by, note, unit, at },
    })),
    evidence: evidence.map(({ text, file_name: name, file_sha256: sha256, created_at }) => ({
      ...{ text, file: name === null ? null : { name, sha256 }, createdAt: created_at },
    })),
  }
}

export const disputeOut = ({ sources, ...dispute }: Dispute) => ({
  id: publicId('dsp', dispute.id),
  payment: publicId('pay', dispute.payment),
  merchant: publicId('mer', dispute.merchant),
  state: dispute.state,
  amount: dispute.amount.toString(),
  fee: dispute.fee.toString(),
  currency: dispute.currency,
  reason: dispute.reason,
  opened_by: dispute.openedBy,
  evidence_due_at: dispute.evidenceDueAt.toISOString(),
  paid_from: {
    balance: sources.balance.toString(),
    reserve: sources.reserve.toString(),
    limit: sources.limit.toString(),
  },
  created_at: dispute.createdAt.toISOString(),
  changed_at: dispute.changedAt.toISOString(),
})

export const toldOut = ({ steps, evidence }: Told) => ({
  timeline: steps.map(({ event, state, note, at }) => ({
    ...{ event, state, note, at: at.toISOString() },
  })),
  evidence: evidence.map(({ text, file, createdAt }) => ({
    text,
    file: file && { name: file.name, sha256: file.sha256.toString('hex') },
    created_at: createdAt.toISOString(),
  })),
})
