/**
 * A recall that nobody answers for ends by the word of two operators: that the money is kept. Like
 * any of theirs it is a word of the bank that came by another way, through the inbox. That money
 * came back they say of its instruction, since then money moves.
 */
import type { Knex } from 'knex'
import { answerOnce, type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import type { Deciders } from './desk.ts'
import { findInstruction } from './instructions.ts'
import { type Recall, recallOut } from './recalls.ts'

/**
 * Writes the refusal into the inbox, once for the claim, and rings for it.
 * @throws {ServiceError} `not_found`, `recall_not_decidable`.
 */
export async function decideRecall(
  context: Context,
  id: Uuid,
  evidence: string,
  deciders: Deciders,
  claim: Claim,
): Promise<Outcome> {
  const [row, now] = [newId(), context.now()]
  const outcome = 'recall_refused'
  const answer = await answerOnce(context.db, claim, async (trx) => {
    const known = await refuseUndecidableRecall(trx, id)
    const instruction = await findInstruction(trx, { id: known.instruction_id }, 'lock')
    if (instruction === undefined) throw new ServiceError('not_found')
    // Whoever decided it meanwhile had the lock.
    const recall = await refuseUndecidableRecall(trx, id)
    const { bank, reference, money } = instruction
    await trx('callbacks').insert({
      ...{ id: row, bank, reference, outcome, event_id: eventIdOf(id), source: 'operator' },
      ...{ amount: money.amount.toString(), currency: money.currency, reason: 'decided' },
      ...{ occurred_at: now, received_at: now, evidence },
      ...{ decided_by: deciders.operator, approved_by: deciders.approvedBy ?? null },
    })
    const subject = publicId('ins', instruction.id)
    const decided = { kind: 'instruction_decided', subject, detail: { outcome } } as const
    await recordSecurity({ ...context, db: trx }, decided)
    return JSON.stringify(recallOut(recall))
  })
  if (!answer.replayed) await context.queue.ring('callback', [row])
  return answer
}

/** One for each recall: a second word would be taken for one about the next recall. */
const eventIdOf = (recall: Uuid) => `recall_decision:${recall}`

/** @throws {ServiceError} as `decideRecall` does. */
export async function refuseUndecidableRecall(db: Knex, id: Uuid): Promise<Recall> {
  const recall: Recall | undefined = await db('recalls').where({ id }).first()
  if (recall === undefined) throw new ServiceError('not_found')
  const said = await db('callbacks')
    .where({ event_id: eventIdOf(id), source: 'operator' })
    .first('id')
  if (recall.state !== 'manual' || said !== undefined) {
    throw new ServiceError('recall_not_decidable')
  }
  return recall
}
