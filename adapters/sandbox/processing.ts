/** The life of an accepted instruction: executed, called back, perhaps returned. */
import { type MessageKey, signedMessage } from '../message-signatures.ts'
import { signedHeaders } from '../signature.ts'
import {
  record,
  stateOf,
  type BankEvent,
  type Books,
  type Entry,
  type Instruction,
  type Notice,
} from './bank.ts'
import { behaviourOf } from './behaviours.ts'
import type { Faults } from './faults.ts'
import type { Journal } from './journal.ts'
import { refusalOfRecall, verdictOn } from './verdicts.ts'
import type { Gate, Timer } from './waiting.ts'

/** A bank that is open for business. */
export interface Bank extends Timer {
  readonly name: string
  readonly secret: string
  readonly messageKey: MessageKey | undefined
  readonly callbackUrl: string
  readonly callbackDelay_ms: number
  readonly clock: () => Date
  readonly books: Books
  readonly journal: Journal
  /** How many requests were dropped on purpose, by their reference. */
  readonly dropped: Map<string, number>
  readonly running: Set<Promise<void>>
  readonly stopping: AbortSignal
  readonly callbackSlot: Gate
  readonly faults: Faults
  /** The fault that ended the processing, if one did: such a bank is not to be believed. */
  failure?: unknown
}

const TRIES_MAX = 20
const BACKOFF_MS = 500
const BACKOFF_MS_MAX = 30_000
const CALLBACK_TIMEOUT_MS = 10_000
/** Longer than it takes to hear by other ways. */
const CALLBACK_LATE_MS = 5_000
/** Nobody's. */
const FORGED = `whsec_${Buffer.alloc(32).toString('base64')}`

/**
 * Changes the books at once, so that the next request sees it, and the disk soon after. Whoever
 * speaks to the outside waits for `journal.synced` first: nothing is told that a crash could undo.
 */
export function write(bank: Bank, entry: Entry): void {
  record(bank.books, entry)
  bank.journal.append(entry)
}

/** Does whatever is still to be done for the instruction, in the background. */
export function start(bank: Bank, instruction: Instruction): void {
  inBackground(bank, finish(bank, instruction))
}

/** The same for what is told beside the instructions. */
export function startNotice(bank: Bank, notice: Notice): void {
  inBackground(bank, tellNotice(bank, notice))
}

/** Decides about a recall: when the bank gets to it. */
export function startRecall(bank: Bank, reference: string, original: Instruction): void {
  inBackground(bank, decideRecall(bank, reference, original))
}

function inBackground(bank: Bank, working: Promise<void>): void {
  const work = working.catch((error: unknown) => {
    if (!bank.stopping.aborted) bank.failure ??= error
  })
  const done = work.finally(() => bank.running.delete(done))
  bank.running.add(done)
}

async function finish(bank: Bank, instruction: Instruction): Promise<void> {
  const { delay_ms, isReordered } = behaviourOf(instruction.amount)
  if (stateOf(instruction) === 'accepted') {
    await bank.sleep(bank.callbackDelay_ms + delay_ms)
    execute(bank, instruction, verdictOn(bank.books, instruction))
  }
  if (isReordered) return tellReordered(bank, instruction)
  const events = [...instruction.events]
  await Promise.all([
    ...events.map((event) => callBack(bank, instruction, event)),
    sendBack(bank, instruction),
  ])
}

/** Before the request is answered, so that the answer can say what became of it. */
export function executeNow(bank: Bank, instruction: Instruction): void {
  execute(bank, instruction, verdictOn(bank.books, instruction))
}

async function tellReordered(bank: Bank, instruction: Instruction): Promise<void> {
  const { comesBack } = behaviourOf(instruction.amount)
  if (comesBack !== undefined && stateOf(instruction) === 'settled') {
    execute(bank, instruction, { outcome: 'returned', reason: comesBack.reason })
  }
  for (const event of instruction.events.toReversed()) await callBack(bank, instruction, event)
}

async function sendBack(bank: Bank, instruction: Instruction): Promise<void> {
  const { comesBack } = behaviourOf(instruction.amount)
  const settled = instruction.events.at(-1)
  if (comesBack === undefined || settled?.outcome !== 'settled') return
  // What is days away is not begun anew because the bank was started again.
  const waited_ms = bank.clock().getTime() - Date.parse(settled.at)
  await bank.sleep(Math.max(0, comesBack.after_ms - waited_ms))
  await returnMoney(bank, instruction, comesBack.reason)
}

async function returnMoney(bank: Bank, instruction: Instruction, reason: string): Promise<void> {
  if (stateOf(instruction) !== 'settled') return
  const event = execute(bank, instruction, { outcome: 'returned', reason })
  await callBack(bank, instruction, event)
}

/** Paid back on request of whoever sent it. */
const RECALLED = 'FOCR'

async function decideRecall(bank: Bank, reference: string, original: Instruction): Promise<void> {
  const id = `evt_${reference}_kept`
  const known = bank.books.notices.get(id)
  if (known !== undefined) return tellNotice(bank, known)
  await bank.sleep(bank.callbackDelay_ms)
  const refusal = refusalOfRecall(bank.books, original)
  if (refusal === undefined) return returnMoney(bank, original, RECALLED)
  const told = { reference, original: original.reference, reason: refusal }
  write(bank, { kind: 'kept', ...told, at: bank.clock().toISOString() })
  const notice = bank.books.notices.get(id)
  if (notice !== undefined) await tellNotice(bank, notice)
}

async function tellNotice(bank: Bank, notice: Notice): Promise<void> {
  if (notice.delivered) return
  await bank.journal.synced()
  const { at, amount, delivered: _, id, ...told } = notice
  const body = { event_id: id, ...told, amount: amount.toString(), occurred_at: at }
  if (await deliver(bank, id, JSON.stringify(body))) write(bank, { kind: 'told', id })
}

function execute(
  bank: Bank,
  { reference, events }: Instruction,
  verdict: Pick<BankEvent, 'outcome' | 'reason'>,
): BankEvent {
  write(bank, { kind: 'executed', reference, ...verdict, at: bank.clock().toISOString() })
  const event = events.at(-1)
  if (event === undefined) throw new Error(`${reference} was executed without an event`)
  return event
}

/** Until it is received, or for about seven minutes; the next start of the bank tries again. */
async function callBack(bank: Bank, instruction: Instruction, event: BankEvent): Promise<void> {
  const { callbacks: wanted, isForgedFirst } = behaviourOf(instruction.amount)
  const fault = bank.faults.forCallback()
  if (event.delivered || wanted === 0 || fault === 'callback_lost') return
  await bank.journal.synced()
  if (fault === 'callback_late') await bank.sleep(CALLBACK_LATE_MS)
  if (fault === 'callback_forged' || isForgedFirst) {
    await post(
      { ...bank, secret: FORGED, messageKey: undefined },
      event.id,
      callbackBody(instruction, event),
    )
  }
  const callbacks = fault === 'callback_twice' ? wanted + 1 : wanted
  for (let copy = 0; copy < callbacks; copy += 1)
    if (!(await deliver(bank, event.id, callbackBody(instruction, event)))) return
  const { reference } = instruction
  write(bank, { kind: 'delivered', reference, outcome: event.outcome })
}

function callbackBody(instruction: Instruction, event: BankEvent): string {
  const { reference, amount, currency } = instruction
  return JSON.stringify({
    event_id: event.id,
    reference,
    outcome: event.outcome,
    amount: (amount + behaviourOf(amount).callbackError).toString(),
    currency,
    reason: event.reason,
    occurred_at: event.at,
  })
}

async function deliver(bank: Bank, id: string, body: string): Promise<boolean> {
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    if (attempt > 0) await bank.sleep(Math.min(BACKOFF_MS * 2 ** (attempt - 1), BACKOFF_MS_MAX))
    if (await bank.callbackSlot(() => post(bank, id, body))) return true
  }
  return false
}

function signatureOf({ messageKey, secret, callbackUrl, clock }: Bank, id: string, body: string) {
  if (messageKey === undefined) return signedHeaders(secret, id, clock(), body)
  const [path, headers] = [new URL(callbackUrl).pathname, { 'content-type': 'application/json' }]
  const message = { method: 'POST', path, headers, body: Buffer.from(body) }
  return signedMessage(message, messageKey, { now: clock(), nonce: id })
}

/** Whether the receiver said that it has the callback: 2xx and nothing else. */
async function post(bank: Bank, id: string, body: string): Promise<boolean> {
  bank.stopping.throwIfAborted()
  const headers = { ...signatureOf(bank, id, body), 'content-type': 'application/json' }
  const signal = AbortSignal.any([bank.stopping, AbortSignal.timeout(CALLBACK_TIMEOUT_MS)])
  try {
    const options = { method: 'POST', headers, body, signal, redirect: 'manual' } as const
    const response = await fetch(bank.callbackUrl, options)
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
