/** Money of a settled credit that we want back: what is written of it, its states, its answers. */
import type { Knex } from 'knex'
import { answerOnce, type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import { publicId, suffixOf } from '../ids.ts'
import { findInstruction, type Instruction } from './instructions.ts'

export const RECALL_STATES = [
  ...(['requested', 'sent', 'unknown', 'accepted', 'returned', 'refused', 'manual'] as const),
] as const

export type RecallState = (typeof RECALL_STATES)[number]

/** ISO 20022, external cancellation reasons that a bank takes from us. */
export const RECALL_REASONS = ['DUPL', 'TECH', 'FRAD', 'CUST', 'AC03', 'AM09'] as const

export interface Recall {
  readonly id: Uuid
  /** The bank's idempotency key, for ever. */
  readonly reference: string
  readonly instruction_id: Uuid
  readonly reason: string
  readonly note: string
  readonly operator: string
  readonly approved_by: string | null
  readonly state: RecallState
  readonly outcome_reason: string | null
  readonly submissions: number
  /** Fencing: grows with every lease, and only its newest holder may write. */
  readonly lease: number
  readonly created_at: Date
  readonly changed_at: Date
}

type Answer = 'returned' | 'recall_refused'

/** What the bank's answer makes of a recall in each state. A refused one stays where it is. */
const RECALL_ANSWERS = {
  requested: { returned: 'returned', recall_refused: 'refused' },
  sent: { returned: 'returned', recall_refused: 'refused' },
  unknown: { returned: 'returned', recall_refused: 'refused' },
  accepted: { returned: 'returned', recall_refused: 'refused' },
  manual: { returned: 'returned', recall_refused: 'refused' },
  returned: { returned: 'duplicate', recall_refused: 'contradiction' },
  refused: { returned: 'duplicate', recall_refused: 'duplicate' },
} as const satisfies Record<
  RecallState,
  Record<Answer, RecallState | 'duplicate' | 'contradiction'>
>

export interface RecallRequest {
  readonly reason: string
  readonly note: string
  readonly operator: string
  /** The other operator, who agreed. */
  readonly approvedBy: string | undefined
}

/**
 * Writes the recall down, with the reference that the bank will see, and rings for it.
 * @throws {ServiceError} `not_found`, `instruction_not_settled`, `recall_not_possible`, or
 *   `recall_exists`.
 */
export async function requestRecall(
  context: Context,
  instruction: Uuid,
  { reason, note, operator, approvedBy }: RecallRequest,
  claim: Claim,
): Promise<Outcome> {
  await refuseRecall(context, context.db, instruction)
  const [id, at] = [newId(), context.now()]
  const row = {
    ...{ id, reference: suffixOf(id).toUpperCase(), instruction_id: instruction },
    ...{ reason, note, operator, approved_by: approvedBy ?? null, state: 'requested' },
    ...{ next_at: at, created_at: at, changed_at: at },
  }
  const outcome = await answerOnce(context.db, claim, async (trx) => {
    // Whoever waited for somebody else's recall finds it here.
    await refuseRecall(context, trx, instruction, 'lock')
    const [recall]: Recall[] = await trx('recalls')
      .insert(row)
      .onConflict(trx.raw("(instruction_id) WHERE state <> 'refused'"))
      .ignore()
      .returning('*')
    if (recall === undefined) throw new ServiceError('recall_exists')
    return JSON.stringify(recallOut(recall))
  })
  if (!outcome.replayed) await context.queue.ring('recall', [id])
  return outcome
}

/** @throws {ServiceError} as `requestRecall` does. */
export async function refuseRecall(
  context: Context,
  db: Knex,
  id: Uuid,
  lock: 'lock' | 'read' = 'read',
): Promise<void> {
  const instruction = await findInstruction(db, { id }, lock)
  if (instruction === undefined) throw new ServiceError('not_found')
  const { bank, direction, state } = instruction
  const isThere = state === 'settled' || state === 'returned'
  if (direction !== 'credit' || !isThere) throw new ServiceError('instruction_not_settled')
  const capable = context.banks.get(bank)?.capabilities.has('recall') === true
  if (!capable) throw new ServiceError('recall_not_possible')
  const running = db('recalls').where({ instruction_id: id }).whereNot({ state: 'refused' })
  const isBack = state === 'returned' || (await running.first('id')) !== undefined
  if (isBack) throw new ServiceError('recall_exists')
}

/** An answer to whatever recall there is of the instruction. */
export async function recallAnswered(
  context: Context,
  trx: Knex.Transaction,
  instruction: Instruction,
  { outcome, reason }: { readonly outcome: string; readonly reason?: string | undefined },
): Promise<'applied' | 'duplicate' | 'contradiction'> {
  const recall: Recall | undefined = await trx('recalls')
    .where({ instruction_id: instruction.id })
    .orderBy('id', 'desc')
    .forUpdate()
    .first()
  if (recall === undefined) return 'contradiction'
  const answer = outcome === 'returned' ? 'returned' : 'recall_refused'
  const state = RECALL_ANSWERS[recall.state][answer]
  if (state === 'duplicate' || state === 'contradiction') return state
  const [changed_at, outcome_reason] = [context.now(), reason ?? null]
  const change = { state, outcome_reason, changed_at, leased_until: null }
  await trx('recalls').where({ id: recall.id }).update(change)
  await recordRecall(trx, state, { ...recall, state, outcome_reason, changed_at })
  return 'applied'
}

export async function recordRecall(
  trx: Knex.Transaction,
  what: 'manual' | 'refused' | 'returned',
  recall: Recall,
): Promise<void> {
  const [object, data, at] = [publicId('rcl', recall.id), recallOut(recall), recall.changed_at]
  await recordEvent(trx, { type: `recall.${what}`, object, data, at })
}

/** Newest first. */
export async function findRecalls(
  db: Knex,
  { before, limit }: { readonly before: Uuid | undefined; readonly limit: number },
): Promise<Recall[]> {
  const query = db('recalls').orderBy('id', 'desc').limit(limit)
  if (before !== undefined) query.where('id', '<', before)
  return query
}

export const recallOut = (recall: Recall) => ({
  id: publicId('rcl', recall.id),
  reference: recall.reference,
  instruction: publicId('ins', recall.instruction_id),
  reason: recall.reason,
  note: recall.note,
  operator: recall.operator,
  approved_by: recall.approved_by,
  state: recall.state,
  outcome_reason: recall.outcome_reason,
  created_at: recall.created_at.toISOString(),
  changed_at: recall.changed_at.toISOString(),
})
