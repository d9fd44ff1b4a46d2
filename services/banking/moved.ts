/** What a bank did, in our books: its movement, and what follows it, in one unit. */
import type { Knex } from 'knex'
import type { BankReport } from '../../adapters/adapter.ts'
import {
  type AccountId,
  createTransfers,
  LedgerError,
  type LedgerErrorCode,
  lockAvailable,
  type NewTransfer,
  newUnitId,
  type UnitId,
} from '../../ledger/index.ts'
import {
  courseOf,
  type InstructionAccounts,
  resolvedByBank,
  resolvedWithoutOwner,
} from '../books/postings.ts'
import { askPerson, type Instruction } from './instructions.ts'

/** Spent, closed or frozen meanwhile: a bank's word waits for nobody. */
const OWNER_OUT_OF_REACH: readonly LedgerErrorCode[] = [
  'insufficient_funds',
  'account_closed',
  'account_frozen',
]

/** The bank's movement and what follows it; answers why the latter could not be made, if so. */
export async function moveMoney(
  trx: Knex.Transaction,
  { unit, at }: { readonly unit: UnitId; readonly at: Date },
  instruction: Instruction,
  { outcome, occurredAt }: Pick<BankReport, 'outcome' | 'occurredAt'>,
  ours: Omit<InstructionAccounts, 'owner'>,
  following: readonly NewTransfer[],
): Promise<string | undefined> {
  const { id: reference, money, owner, transfer: hold } = instruction
  const course = courseOf(instruction)
  const occasion = { reference, effectiveAt: earlier(occurredAt, at) }
  const accounts = { owner, ...ours }
  const own = resolvedByBank(occasion, course, outcome, { accounts, money, hold })
  // All that any of the attempts below may move, at once: accounts are locked in one order.
  await lockAvailable(trx, [...Object.values(accounts), ...following.flatMap(accountsIn)])
  const refusal = await refusalOf(trx, { id: unit, at, transfers: [own, ...following] })
  if (refusal !== undefined) {
    // What the bank did is a fact, whatever becomes of what should have followed.
    const alone = { id: newUnitId(), at, transfers: [own] }
    const obstacle = following.length === 0 ? refusal : await refusalOf(trx, alone)
    if (obstacle === undefined) return refusal
    if (!OWNER_OUT_OF_REACH.includes(obstacle)) throw new LedgerError(obstacle)
    const parked = resolvedWithoutOwner(occasion, course, outcome, { accounts, money, hold })
    await createTransfers(trx, { ...alone, transfers: [parked] })
    if (obstacle !== 'insufficient_funds') await askPerson(trx, instruction, obstacle, at)
  }
  return refusal
}

/** What becomes of a hold is on accounts of the hold. */
const accountsIn = (transfer: NewTransfer): readonly AccountId[] =>
  'debit' in transfer ? [transfer.debit, transfer.credit] : []

/** A bank's clock may be ahead of ours; nothing of ours has happened in the future. */
const earlier = (one: Date, other: Date) => (one < other ? one : other)

/** Undefined when the transfers were made; else why not, and then nothing was written. */
async function refusalOf(
  trx: Knex.Transaction,
  unit: Parameters<typeof createTransfers>[1],
): Promise<LedgerErrorCode | undefined> {
  try {
    await createTransfers(trx, unit)
    return undefined
  } catch (error) {
    if (error instanceof LedgerError) return error.code
    throw error
  }
}
