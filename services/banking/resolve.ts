/**
 * What a bank reported becomes true in our books: the instruction's state, the money, and whatever
 * waited for it, in one transaction. Safe to call with the same report any number of times.
 */
import type { Knex } from 'knex'
import type { BankReport } from '../../adapters/adapter.ts'
import { type NewTransfer, newUnitId, type UnitId, type Uuid } from '../../ledger/index.ts'
import { bankAccountsOf } from '../books/chart.ts'
import type { InstructionAccounts } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { recordStep } from './history.ts'
import { dispose, type Disposition as HeardDisposition, lockHeard } from './inbox.ts'
import { askPerson, findInstruction, type Instruction, type Purpose } from './instructions.ts'
import { type Event, isOpen, next, type State } from './machine.ts'
import { moveMoney } from './moved.ts'
import { recallAnswered } from './recalls.ts'

/**
 * What waits for an instruction: a payment, a settlement. One for each purpose, given by the
 * worker.
 */
export interface Dependant {
  /** Money that moves with the bank's, in the same unit. Asked before the transaction begins. */
  readonly follow: (
    context: Context,
    instruction: Instruction,
    report: Resolution,
  ) => Promise<readonly NewTransfer[]>
  /** Why the bank's word cannot be all that is true, if so: then a person decides. */
  readonly doubts?: (
    trx: Knex.Transaction,
    instruction: Instruction,
    report: Resolution,
  ) => Promise<string | undefined>
  /**
   * Moves the dependant's own state. Reads and writes through `trx` alone.
   * @param refusal why the following money could not move, although the bank's did.
   */
  readonly conclude: (
    context: Context,
    trx: Knex.Transaction,
    instruction: Instruction,
    report: Resolution & Followed,
  ) => Promise<void>
}

/** What became of the money that should follow the bank's. */
export interface Followed {
  readonly following: readonly NewTransfer[]
  /** The unit in which all of it moved, unless it was refused. */
  readonly unit: UnitId
  readonly refusal: string | undefined
}

export type Dependants = Readonly<Record<Purpose, Dependant>>
export type Resolution = Pick<BankReport, 'outcome' | 'reason' | 'occurredAt'>

/** What came of a report. `manual`: it names another amount, and a person must decide. */
export type Disposition = 'applied' | 'duplicate' | 'contradiction' | 'manual'

/**
 * @param found as it was when the report came; what counts is how it is under the lock.
 * @param evidence the row of the inbox that says so: it is disposed of in the same transaction, and
 *   where it was before, nothing is done.
 */
export async function resolve(
  context: Context,
  dependants: Dependants,
  found: Instruction,
  report: BankReport & Told,
  evidence?: Uuid,
): Promise<Disposition> {
  // Looked up first: whoever holds a row's lock must never wait for another connection.
  const dependant = dependants[found.purpose]
  const accounts = await bankAccountsOf(context, found.bank, found.money.currency)
  const following = await dependant.follow(context, found, report)
  return context.db.transaction(async (trx) => {
    if (evidence !== undefined && (await lockHeard(trx, evidence)) === undefined) return 'duplicate'
    const inside = { ...context, db: trx }
    const instruction = await findInstruction(trx, { id: found.id }, 'lock')
    if (instruction === undefined) throw new Error(`instruction ${found.id} has vanished`)
    const came = await judge(inside, trx, instruction, { ...report, dependant })
    if (came === 'applied') {
      await apply(inside, trx, instruction, report, { dependant, accounts, following })
    }
    if (evidence !== undefined) await dispose(trx, evidence, DISPOSITIONS[came])
    return came
  })
}

/**
 * Ends an instruction that no bank has heard of: for its money, a rejection. Where it is not known
 * for certain that none has, a person decides.
 */
export async function refuseUnsent(
  context: Context,
  dependants: Dependants,
  found: Instruction,
  reason: string,
): Promise<void> {
  const report = { outcome: 'rejected', reason, occurredAt: context.now() } as const
  const dependant = dependants[found.purpose]
  const accounts = await bankAccountsOf(context, found.bank, found.money.currency)
  const following = await dependant.follow(context, found, report)
  await context.db.transaction(async (trx) => {
    const inside = { ...context, db: trx }
    const instruction = await findInstruction(trx, { id: found.id }, 'lock')
    const to = instruction && next(instruction.state, 'refused')
    if (instruction === undefined || (to !== 'rejected' && to !== 'manual')) return
    await setState(inside, trx, instruction, { event: 'refused', to, detail: reason })
    if (to === 'manual') {
      await askPerson(trx, instruction, reason, context.now())
      return
    }
    await apply(inside, trx, instruction, report, { dependant, accounts, following })
  })
}

/** A wrong amount contradicts what we asked for. */
const DISPOSITIONS = {
  applied: 'applied',
  duplicate: 'duplicate',
  contradiction: 'contradiction',
  manual: 'contradiction',
} as const satisfies Record<Disposition, HeardDisposition>

/** Who says so, where it is not the bank itself. */
interface Told {
  readonly by?: string
}

/** Moves the instruction's state, or sets the report aside. */
async function judge(
  context: Context,
  trx: Knex.Transaction,
  instruction: Instruction,
  report: BankReport & Told & Pick<Waiting, 'dependant'>,
): Promise<Disposition> {
  const { state } = instruction
  const to = next(state, report.outcome)
  if (to === 'duplicate' && sameMoney(instruction, report)) return to
  if (to === 'duplicate' || to === 'contradiction' || to === 'late') {
    return setAside(context, trx, instruction, report)
  }
  if (!sameMoney(instruction, report)) return setAside(context, trx, instruction, report)
  const { by, dependant } = report
  const doubt = by === undefined ? await dependant.doubts?.(trx, instruction, report) : undefined
  if (doubt !== undefined) return setAside(context, trx, instruction, { ...report, doubt })
  const how = { event: report.outcome, to, detail: report.reason, by: report.by }
  await setState(context, trx, instruction, how)
  return 'applied'
}

interface Waiting {
  readonly dependant: Dependant
  readonly accounts: Omit<InstructionAccounts, 'owner'>
  readonly following: readonly NewTransfer[]
}

async function apply(
  context: Context,
  trx: Knex.Transaction,
  instruction: Instruction,
  report: Resolution,
  { dependant, accounts, following }: Waiting,
): Promise<void> {
  // What is returned before it was booked as settled never came: for the money, a rejection.
  const cameToNothing = isOpen(instruction.state) && report.outcome === 'returned'
  const effect = cameToNothing ? { ...report, outcome: 'rejected' as const } : report
  const [unit, at] = [newUnitId(), context.now()]
  const refusal = await moveMoney(trx, { unit, at }, instruction, effect, accounts, following)
  await dependant.conclude(context, trx, instruction, { ...effect, refusal, unit, following })
  if (report.outcome === 'returned') await recallAnswered(context, trx, instruction, report)
}

const sameMoney = ({ money }: Instruction, report: BankReport) =>
  money.amount === report.money.amount && money.currency === report.money.currency

/**
 * Less than was paid comes back when somebody on the way kept a part. Whose loss that is, no rule
 * can say, so nothing moves until a person has.
 */
function wrongMoney({ money }: Instruction, report: BankReport): string {
  const { amount, currency } = report.money
  const isPart = report.outcome === 'returned' && currency === money.currency
  return isPart && amount < money.amount ? 'partial_return' : 'amount_mismatch'
}

/** Nothing moves: an alert goes out, and an instruction that is still open waits for a person. */
async function setAside(
  context: Context,
  trx: Knex.Transaction,
  instruction: Instruction,
  report: BankReport & { readonly doubt?: string },
): Promise<Disposition> {
  const { state } = instruction
  const told = report.doubt ?? `${report.outcome}_after_${state}`
  const reason = sameMoney(instruction, report) ? told : wrongMoney(instruction, report)
  const to = next(state, 'contradicted')
  if (to === 'manual') {
    await setState(context, trx, instruction, { event: 'contradicted', to, detail: reason })
  }
  await askPerson(trx, instruction, reason, context.now())
  return to === 'manual' ? 'manual' : 'contradiction'
}

interface Moved {
  readonly event: Event
  readonly to: State
  readonly detail?: string | undefined
  readonly by?: string | undefined
}

/** Whoever holds the lease finds another state when they come to write. */
async function setState(
  context: Context,
  trx: Knex.Transaction,
  { id, state: from }: Instruction,
  { event, to, detail, by }: Moved,
): Promise<void> {
  const at = context.now()
  const freed = { leased_until: null, attempts: 0, changed_at: at }
  await trx('instructions')
    .where({ id })
    .update({ state: to, reason: detail ?? null, ...freed })
  const step = { instruction: id, at, event, from, to, detail: detail ?? null }
  await recordStep(trx, by === undefined ? step : { ...step, by })
}
