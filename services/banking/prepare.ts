/**
 * What must commit so that a bank is told: the money set apart, and the instruction, due at once.
 */
import type { CompanionRow, NewTransfer, Outcome, Unit, Uuid } from '../../ledger/index.ts'
import { bankAccountsOf } from '../books/chart.ts'
import { courseOf, instructed } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { instructionRow, type NewInstruction } from './instructions.ts'

export interface Prepared {
  readonly transfers: readonly NewTransfer[]
  readonly instruction: CompanionRow & { readonly id: Uuid }
}

/** @param at when the instruction is made. */
export async function prepareInstruction(
  context: Context,
  instruction: NewInstruction,
  at: Date,
): Promise<Prepared> {
  const { bank, subject, owner, money } = instruction
  const accounts = { owner, ...(await bankAccountsOf(context, bank, money.currency)) }
  const transfers = instructed({ reference: subject }, courseOf(instruction), accounts, money)
  return { transfers, instruction: instructionRow(instruction, at) }
}

/** Submits the unit and rings for its instruction; a lost ring is found by the sweep. */
export async function submitInstruction(
  { group, queue }: Context,
  { transfers, instruction }: Prepared,
  unit: Omit<Unit, 'transfers'>,
): Promise<Outcome> {
  const outcome = await group.submit({ ...unit, transfers })
  if (!outcome.replayed) await queue.ring('instruction', [instruction.id])
  return outcome
}
