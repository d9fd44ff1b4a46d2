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
import { leaveToBatch, takesBatches } from './batches.ts'
import { applyAnswer } from './callbacks.ts'
import {
  type Instruction,
  instructionOut,
  leaseInstruction,
  postpone,
  progress,
  type Progress,
} from './instructions.ts'
import { askName } from './name_check.ts'
import { orderOf } from './orders.ts'
import {
  backoffMax_ms,
  lookAgainAt,
  mayResend,
  nextStep,
  type Policy,
  SOONEST_MS,
  type Step,
} from './policy.ts'
import { type Dependants, refuseUnsent } from './resolve.ts'

/** One step is an enquiry and, after the cut-off, the same request again. */
const CALLS_MAX = 2
/** For what is done around the calls. */
const LEASE_MARGIN_MS = 5_000

/** So often a worker may die over one instruction; then a person looks at it. */
const CRASHES_MAX = 5

export async function advanceInstruction(
  context: Context,
  dependants: Dependants,
  id: Uuid,
): Promise<void> {
  const lease_ms = CALLS_MAX * context.config.BANK_TIMEOUT_MS + LEASE_MARGIN_MS
  // By a clock that nobody sets: a process that was stopped for long has lost its lease.
  const until_ms = performance.now() + lease_ms
  const instruction = await leaseInstruction(context.db, id, { now: context.now(), lease_ms })
  if (instruction === undefined) return
  const held = { context, isMine: () => performance.now() < until_ms }
  const learned = await step(held, instruction)
  if (learned === undefined) return
  if ('report' in learned) {
    await applyAnswer(context, dependants, instruction, learned.report)
    return
  }
  if ('refusal' in learned) {
    await refuseUnsent(context, dependants, instruction, learned.refusal)
    return
  }
  const { from, ...told } = learned
  if (!('event' in told)) return postpone(context.db, from, told)
  await progress(context.db, from, told, { now: context.now(), keep: false })
}

interface Held {
  readonly context: Context
  /** Whether nobody else can have taken the instruction up meanwhile. */
  readonly isMine: () => boolean
}

/** What is known after a step: what to write down, or the bank's final word; or only when next. */
type Learned =
  | (Progress & { readonly from: Instruction })
  | { readonly from: Instruction; readonly nextAt: Date }
  | Extract<BankAnswer, { state: 'final' }>
  /** It is not to be sent at all. */
  | { readonly refusal: string }
  | undefined

async function step(held: Held, instruction: Instruction): Promise<Learned> {
  const { context } = held
  const { bank, attempts } = instruction
  if (attempts > CRASHES_MAX) return giveToPerson(context, instruction, 'quarantined')
  const policy = policyOf(context, bank)
  return STEPS[nextStep(instruction, context.now(), policy)](held, instruction, policy)
}

type TakeStep = (held: Held, instruction: Instruction, policy: Policy) => Promise<Learned>

const STEPS = {
  submit,
  enquire,
  wait: async ({ context }, instruction, policy) => waitFor(context, instruction, policy),
  manual: ({ context }, instruction) => giveToPerson(context, instruction, 'too_old'),
} as const satisfies Record<Step, TakeStep>

/** The bank's own policy where it has one, else what is set for all. */
function policyOf({ config, banks }: Context, bank: string): Policy {
  const own = config.BANKS.find(({ name }) => name === bank)?.policy
  return {
    enquiryFirst_s: own?.enquiry_first_s ?? config.ENQUIRY_FIRST_S,
    enquirySpacing_s: own?.enquiry_spacing_s ?? config.ENQUIRY_SPACING_S,
    enquiriesMax: own?.enquiries_max ?? config.ENQUIRIES_MAX,
    cutOff_s: own?.cut_off_s ?? config.BANK_CUT_OFF_S,
    manualAfter_s: own?.manual_after_s ?? config.MANUAL_AFTER_S,
    canBeAsked: banks.get(bank)?.capabilities.has('enquiry') === true,
  }
}

/**
 * That it is sent is committed before the call: whatever happens then, we know it may have arrived.
 */
async function submit(held: Held, instruction: Instruction): Promise<Learned> {
  const { context, isMine } = held
  if (instruction.nameDue) return submitChecked(held, instruction)
  if (takesBatches(context, instruction.bank)) return leaveToBatch(context, instruction)
  const { db, breakers } = context
  const now = context.now()
  const bank = bankOf(context, instruction)
  const isRepeated = instruction.submissions > 0 || instruction.failures > 0
  if (!breakers.mayCall(bank.name) || (isRepeated && !breakers.mayRepeat(bank.name))) {
    return later(context, instruction)
  }
  const account = await findBankAccount(db, instruction.bankAccount)
  const order = orderOf(instruction, detailsOf(context, account))
  const sentAt = instruction.sentAt ?? now
  const policy = policyOf(context, bank.name)
  // A callback is given the time it needs, also after the same request was sent again.
  const nextAt = new Date(now.getTime() + policy.enquiryFirst_s * 1000)
  const submissions = instruction.submissions + 1
  const sending = { event: 'sending', nextAt, sentAt, lastSentAt: now, submissions } as const
  // Enquiries are about the last copy: those about an earlier one are over.
  const anew = { ...sending, enquiries: 0 }
  const sent = await progress(db, instruction, anew, { now, keep: true })
  if (sent === undefined || !isMine()) return undefined
  try {
    const answer = await breakers.call(bank.name, () => bank.submit(order))
    if (answer.state === 'final') return answer
    return { from: sent, event: 'accepted', nextAt, failures: 0 }
  } catch (error) {
    const reason = codeOf(error)
    const failures = instruction.failures + 1
    // Only a first request that cannot have arrived leaves the instruction as it was.
    if (reason !== 'bank_unreachable' || submissions > 1) {
      return { from: sent, event: 'unclear', nextAt, reason, failures }
    }
    const untouched = { event: 'never_sent', submissions: 0, ...NEVER } as const
    return { from: sent, ...untouched, nextAt: afterFailures(now, failures), reason, failures }
  }
}

/** The same once it is known whose the account is; a bank that is silent is waited for. */
async function submitChecked(held: Held, instruction: Instruction): Promise<Learned> {
  const { context, isMine } = held
  const asked = await askName(context, instruction)
  if (asked.is === 'refused') return { refusal: asked.reason }
  if (asked.is === 'left_alone') return later(context, instruction)
  if (asked.is === 'known') {
    return isMine() ? submit(held, { ...instruction, nameDue: false, failures: 0 }) : undefined
  }
  const failures = instruction.failures + 1
  const nextAt = afterFailures(context.now(), failures)
  const { reason } = asked
  return { from: instruction, event: 'never_sent', ...NEVER, nextAt, reason, failures }
}

async function enquire(held: Held, instruction: Instruction, policy: Policy): Promise<Learned> {
  const { context, isMine } = held
  const { db, breakers } = context
  const bank = bankOf(context, instruction)
  if (!breakers.mayCall(bank.name)) return later(context, instruction)
  const now = context.now()
  const enquiries = instruction.enquiries + 1
  const nextAt = lookAgainAt({ ...instruction, enquiries }, now, policy)
  const asking = { event: 'unclear', nextAt, enquiries } as const
  // Counted before it is made: a worker that dies here has still used one up.
  const asked = await progress(db, instruction, asking, { now, keep: true })
  if (asked === undefined || !isMine()) return undefined
  try {
    const answer = await breakers.call(bank.name, () => bank.enquire(instruction.reference))
    if (answer.state === 'final') return answer
    if (answer.state === 'not_found' && mayResend(asked, now, policy)) {
      return await submit(held, asked)
    }
    return { from: asked, event: answer.state, nextAt, reason: answer.state, failures: 0 }
  } catch (error) {
    const failures = asked.failures + 1
    return { from: asked, event: 'unclear', nextAt, reason: codeOf(error), failures }
  }
}

const NEVER = { sentAt: null, lastSentAt: null } as const

/** The bank is left alone for now: nothing is known that was not known before. */
function later(context: Context, from: Instruction): Learned {
  const pause_ms = Math.random() * context.config.BREAKER_PAUSE_MS
  return { from, nextAt: new Date(context.now().getTime() + SOONEST_MS + pause_ms) }
}

function waitFor(context: Context, from: Instruction, policy: Policy): Learned {
  const now = context.now()
  return { from, nextAt: lookAgainAt(from, now, policy) }
}

async function giveToPerson(
  context: Context,
  instruction: Instruction,
  event: 'too_old' | 'quarantined',
): Promise<undefined> {
  const at = context.now()
  await context.db.transaction(async (trx) => {
    const told = { event, nextAt: at, reason: event } as const
    const given = await progress(trx, instruction, told, { now: at, keep: false })
    if (given === undefined) return
    const [data, object] = [instructionOut(given), publicId('ins', given.id)]
    await recordEvent(trx, { type: 'instruction.manual', object, data, at })
  })
  context.log.error({ instruction: instruction.id, event }, 'an instruction needs a person')
}

function bankOf({ banks }: Context, instruction: Instruction): BankAdapter {
  const bank = banks.get(instruction.bank)
  assert(bank, `instruction ${instruction.id} names a bank we do not have`)
  return bank
}

/** Any failure that is not the bank's own word leaves the outcome open; a bug is thrown on. */
function codeOf(error: unknown): string {
  if (error instanceof BankError) return error.code
  throw error
}

/** Spread out, so that a bank that comes back is not met by everybody at once. */
const afterFailures = (now: Date, failures: number) =>
  new Date(now.getTime() + SOONEST_MS + Math.random() * backoffMax_ms(failures))
