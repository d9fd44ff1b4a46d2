/** What happened to instructions, line by line. */
import type { Knex } from 'knex'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Event, State } from './machine.ts'

/** A line of an instruction's history. */
export interface InstructionStep {
  readonly instruction: Uuid
  readonly at: Date
  readonly event: Event
  readonly from: State
  readonly to: State
  readonly detail: string | null
  /** Operators, where they decided. */
  readonly by?: string
}

export const recordStep = (trx: Knex.Transaction, step: InstructionStep): Promise<void> =>
  recordSteps(trx, [step])

/** One statement takes so many lines. */
const STEPS_MAX = 5_000

export async function recordSteps(
  trx: Knex.Transaction,
  steps: readonly InstructionStep[],
): Promise<void> {
  const rows = steps.map(({ instruction, at, event, from, to, detail, by = null }) => ({
    ...{ id: newId(), instruction_id: instruction, at, event, detail, by_whom: by },
    ...{ from_state: from, to_state: to },
  }))
  for (let first = 0; first < rows.length; first += STEPS_MAX) {
    await trx('instruction_steps').insert(rows.slice(first, first + STEPS_MAX))
  }
}
