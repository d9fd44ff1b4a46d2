/**
 * Takes an instruction one step further, if there is a step to take. Anybody may call this for any
 * instruction at any time, any number of times, from any number of workers.
 */
import assert from 'node:assert/strict'
import { type BankAdapter, type BankAnswer, BankError } from '../../adapters/adapter.ts'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { detailsOf, findBankAccount } from './bank_accounts.ts'
import {
  type Instruction,
  instructionOut,
  leaseInstruction,
  progress,
  type Progress,
} from './instructions.ts'
import { lookAgainAt, mayResend, nextStep, type Policy } from './policy.ts'
import { type Dependants, resolve } from './resolve.ts'

/** One step is an enquiry and, after the cut-off, the same request again. */
const CALLS_MAX = 2
/** For what is done around the calls. */
const LEASE_MARGIN_MS = 5_000

export async function advanceInstruction(
  context: Context,
  dependants: Dependants,
  id: Uuid,
): Promise<void> {
  const lease_ms = CALLS_MAX * context.config.BANK_TIMEOUT_MS + LEASE_MARGIN_MS
  const instruction = await leaseInstruction(context.db, id, { now: context.now(), lease_ms })
  if (instruction === undefined) return
  const policy = policyOf(context)
  const step = nextStep(instruction, context.now(), policy)
  if (step === 'wait') return wait(context, instruction, policy)
  if (step === 'manual') return giveToPerson(context, instruction)
  const answer = step === 'submit' ? submit(context, instruction) : enquire(context, instruction)
  await learn(context, dependants, instruction, await answer)
}

const policyOf = ({ config }: Context): Policy => ({
  enquiryFirst_s: config.ENQUIRY_FIRST_S,
  enquirySpacing_s: config.ENQUIRY_SPACING_S,
  enquiriesMax: config.ENQUIRIES_MAX,
  cutOff_s: config.BANK_CUT_OFF_S,
  manualAfter_s: config.MANUAL_AFTER_S,
})

/** What is known after a step: what to write down, or the bank's final word. */
type Learned = { readonly progress: Progress } | Extract<BankAnswer, { state: 'final' }> | undefined

async function learn(
  context: Context,
  dependants: Dependants,
  instruction: Instruction,
  learned: Learned,
): Promise<void> {
  if (learned === undefined) return
  if ('report' in learned) {
    await resolve(context, dependants, instruction, learned.report)
    return
  }
  await progress(context.db, instruction, learned.progress, { now: context.now(), keep: false })
}

/**
 * That it is sent is committed before the call: whatever happens then, we know it may have arrived.
 */
async function submit(context: Context, instruction: Instruction): Promise<Learned> {
  const now = context.now()
  const sentAt = instruction.sentAt ?? now
  const nextAt = lookAgainAt(sentAt, instruction.enquiries, now, policyOf(context))
  const submissions = instruction.submissions + 1
  const sent = { state: 'sent', nextAt, sentAt, submissions } as const
  if (!(await progress(context.db, instruction, sent, { now, keep: true }))) return undefined
  try {
    const answer = await bankOf(context, instruction).submit(await orderTo(context, instruction))
    return answer.state === 'final' ? answer : { progress: sent }
  } catch (error) {
    const code = codeOf(error)
    // Only a first request that cannot have arrived leaves the instruction as it was.
    if (code === 'bank_unreachable' && submissions === 1) {
      const untouched = { state: 'created', sentAt: null, submissions: 0 } as const
      return { progress: { ...untouched, nextAt: soon(now), reason: code } }
    }
    return { progress: { ...sent, state: 'unknown', reason: code } }
  }
}

async function enquire(context: Context, instruction: Instruction): Promise<Learned> {
  const now = context.now()
  const sentAt = instruction.sentAt ?? now
  const policy = policyOf(context)
  const enquiries = instruction.enquiries + 1
  const nextAt = lookAgainAt(sentAt, enquiries, now, policy)
  const counted = { state: 'unknown', nextAt, enquiries } as const
  // Counted before it is made: a worker that dies here has still used one up.
  if (!(await progress(context.db, instruction, counted, { now, keep: true }))) return undefined
  try {
    const answer = await bankOf(context, instruction).enquire(instruction.reference)
    if (answer.state === 'final') return answer
    if (answer.state === 'not_found' && mayResend(sentAt, now, policy)) {
      return await submit(context, { ...instruction, enquiries })
    }
    return { progress: { ...counted, reason: answer.state } }
  } catch (error) {
    return { progress: { ...counted, reason: codeOf(error) } }
  }
}

async function wait(context: Context, instruction: Instruction, policy: Policy): Promise<void> {
  const now = context.now()
  const { state, enquiries, sentAt } = instruction
  const nextAt = lookAgainAt(sentAt ?? now, enquiries, now, policy)
  await progress(context.db, instruction, { state, nextAt }, { now, keep: false })
}

async function giveToPerson(context: Context, instruction: Instruction): Promise<void> {
  const at = context.now()
  await context.db.transaction(async (trx) => {
    const to = { state: 'manual', nextAt: at, reason: 'unknown_too_long' } as const
    if (!(await progress(trx, instruction, to, { now: at, keep: false }))) return
    const data = { ...instructionOut(instruction), state: 'manual', reason: to.reason }
    const object = publicId('ins', instruction.id)
    await recordEvent(trx, { type: 'instruction.manual', object, data, at })
  })
}

function bankOf({ banks }: Context, instruction: Instruction): BankAdapter {
  const bank = banks.get(instruction.bank)
  assert(bank, `instruction ${instruction.id} names a bank we do not have`)
  return bank
}

async function orderTo(context: Context, instruction: Instruction) {
  const { reference, direction, rail, money, bankAccount } = instruction
  const account = detailsOf(context, await findBankAccount(context.db, bankAccount))
  assert(account, `instruction ${instruction.id} is of somebody who was erased`)
  return { reference, direction, rail, money, account }
}

/** Any failure that is not the bank's own word leaves the outcome open; a bug is thrown on. */
function codeOf(error: unknown): string {
  if (error instanceof BankError) return error.code
  throw error
}

const UNREACHABLE_RETRY_MS = 5_000

/** Spread out, so that a bank that comes back is not met by everybody at once. */
const soon = (now: Date) =>
  new Date(now.getTime() + UNREACHABLE_RETRY_MS / 2 + (Math.random() * UNREACHABLE_RETRY_MS) / 2)
