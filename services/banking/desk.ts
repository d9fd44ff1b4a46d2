/**
 * What operators see of instructions, and how they decide about one that nobody else can. Their
 * word is a word of the bank that came by another way: it waits in the inbox, and is applied by the
 * same code and to the same money as any other. It needs evidence, and two of them.
 */
import type { Knex } from 'knex'
import type { BankReport } from '../../adapters/adapter.ts'
import { answerOnce, type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { orNothing } from '../metrics.ts'
import { recordSecurity } from '../security/log.ts'
import { countsOf } from './counts.ts'
import { recordStep } from './history.ts'
import {
  findInstruction,
  fromRow,
  type Instruction,
  instructionOut,
  type Row,
} from './instructions.ts'
import { next, type State } from './machine.ts'

export interface Deciders {
  readonly operator: string
  readonly approvedBy: string | undefined
}

export interface Decision {
  readonly outcome: BankReport['outcome']
  /** What they rest it on: a call, a letter, a line of a statement. */
  readonly evidence: string
  /** When it happened at the bank; now where they do not know. */
  readonly occurredAt: Date | undefined
}

/**
 * Writes the decision into the inbox, once for the claim, and rings for it.
 * @throws {ServiceError} `not_found`, `instruction_not_decidable`.
 */
export async function decide(
  context: Context,
  id: Uuid,
  { outcome, evidence, occurredAt }: Decision,
  deciders: Deciders,
  claim: Claim,
): Promise<Outcome> {
  const [row, now] = [newId(), context.now()]
  const answer = await answerOnce(context.db, claim, async (trx) => {
    const instruction = await decidable(trx, id, outcome)
    const { bank, reference, money } = instruction
    await trx('callbacks').insert({
      ...{ id: row, bank, reference, outcome, event_id: `decision:${row}`, source: 'operator' },
      ...{ amount: money.amount.toString(), currency: money.currency, reason: 'decided' },
      ...{ occurred_at: occurredAt ?? now, received_at: now, evidence },
      ...{ decided_by: deciders.operator, approved_by: deciders.approvedBy ?? null },
    })
    const decided = { kind: 'instruction_decided', subject: publicId('ins', id) } as const
    await recordSecurity({ ...context, db: trx }, { ...decided, detail: { outcome } })
    return JSON.stringify(instructionOut(instruction))
  })
  if (!answer.replayed) await context.queue.ring('callback', [row])
  return answer
}

/** Refuses what could not be decided so, before a second operator is asked. */
export async function refuseUndecidable(
  { db }: Context,
  id: Uuid,
  outcome: BankReport['outcome'] | 'reopened',
): Promise<void> {
  refuse(await findInstruction(db, { id }), outcome)
}

async function decidable(trx: Knex.Transaction, id: Uuid, outcome: Parameters<typeof refuse>[1]) {
  return refuse(await findInstruction(trx, { id }, 'lock'), outcome)
}

/** A person decides about what waits for one, and may tell that settled money has come back. */
function refuse(
  instruction: Instruction | undefined,
  outcome: BankReport['outcome'] | 'reopened',
): Instruction {
  if (instruction === undefined) throw new ServiceError('not_found')
  const isReturn = instruction.state === 'settled' && outcome === 'returned'
  if (instruction.state !== 'manual' && !isReturn) {
    throw new ServiceError('instruction_not_decidable')
  }
  return instruction
}

/**
 * Lets a worker go on with it, as if nobody had given up: the bank is asked again, and the request
 * repeated by the rules that hold for all.
 */
export async function reopen(
  context: Context,
  id: Uuid,
  reason: string,
  { operator, approvedBy }: Deciders,
  claim: Claim,
): Promise<Outcome> {
  const at = context.now()
  const answer = await answerOnce(context.db, claim, async (trx) => {
    const instruction = await decidable(trx, id, 'reopened')
    const { state: from, sentAt } = instruction
    // What no bank was ever told begins at the beginning.
    const to: State = sentAt === null ? 'created' : (next(from, 'reopened') as State)
    const anew = { next_at: at, changed_at: at, attempts: 0, failures: 0, leased_until: null }
    await trx('instructions')
      .where({ id })
      .update({ state: to, reason, ...anew })
    const by = [operator, approvedBy].filter(Boolean).join(', ')
    await recordStep(trx, { instruction: id, at, event: 'reopened', from, to, detail: reason, by })
    const subject = publicId('ins', id)
    await recordSecurity({ ...context, db: trx }, { kind: 'instruction_reopened', subject })
    return JSON.stringify(instructionOut({ ...instruction, state: to, reason }))
  })
  if (!answer.replayed) await context.queue.ring('instruction', [id])
  return answer
}

export interface InstructionQuery {
  readonly state: State | undefined
  readonly bank: string | undefined
  readonly before: Uuid | undefined
  readonly limit: number
}

/** Newest first. */
export async function findInstructions(
  db: Knex,
  { state, bank, before, limit }: InstructionQuery,
): Promise<Instruction[]> {
  const query = db('instructions').orderBy('id', 'desc').limit(limit)
  if (state !== undefined) void query.where({ state })
  if (bank !== undefined) void query.where({ bank })
  if (before !== undefined) void query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

/** How many wait for a person, by bank: somebody has to be told. */
export function watchManual({ banks, db, log, metrics }: Context): void {
  const read = () => countsOf(banks, db('instructions').where({ state: 'manual' }))
  const [name, help] = ['florin_instructions_manual', 'Instructions that wait for a person']
  metrics.gauges(name, help, orNothing(log, 'instructions that wait', read))
}

/** An instruction retried for days has this many steps; what is older is of no use to anybody. */
const STEPS_MAX = 500

/** All that a person needs to decide: what happened, and what the bank said. */
export async function findHistory(db: Knex, { id, bank, reference }: Instruction) {
  const steps = await db('instruction_steps')
    .where({ instruction_id: id })
    .orderBy('id', 'desc')
    .limit(STEPS_MAX)
  const words = await db('callbacks').where({ bank, reference }).orderBy('id').limit(STEPS_MAX)
  return {
    steps: steps.toReversed().map(({ at, event, from_state, to_state, detail, by_whom }) => ({
      ...{ at: at.toISOString(), event, from: from_state, to: to_state, detail, by: by_whom },
    })),
    words: words.map((word) => ({
      ...{ event_id: word.event_id, source: word.source, outcome: word.outcome },
      ...{ amount: word.amount.toString(), currency: word.currency, reason: word.reason },
      ...{ occurred_at: word.occurred_at.toISOString(), disposition: word.disposition },
      ...{ evidence: word.evidence, received_at: word.received_at.toISOString() },
    })),
  }
}
