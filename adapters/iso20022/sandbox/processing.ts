/** The life of an order at the file bank: accepted, executed, told, perhaps returned. */
import { stateOf, type Instruction } from '../../sandbox/bank.ts'
import { behaviourOf } from '../../sandbox/behaviours.ts'
import { verdictOn } from '../../sandbox/verdicts.ts'
import { BadFile } from '../xml.ts'
import { readPartnerFile, type PartnerFile, type Recall } from './reading.ts'
import { bookedBy, head, accountOf, isReturnLine, now, send, write, type Bank } from './work.ts'
import * as writing from './writing.ts'

const DELAY_MS = 150

export async function round(bank: Bank): Promise<void> {
  for await (const file of bank.desk.waiting()) {
    try {
      await accept(bank, await readPartnerFile(file.bytes))
      await file.take()
    } catch (error) {
      if (!(error instanceof BadFile)) throw error
      await file.refuse(error.message)
    }
  }
  for (const instruction of bank.books.instructions.values()) await advance(bank, instruction)
}

export function remember(bank: Bank, file: PartnerFile): void {
  const due_ms = bank.clock().getTime() + (bank.options.delay_ms ?? DELAY_MS)
  for (const { reference, amount } of file.orders) {
    if (bank.origins.has(reference)) continue
    const origin = { file, due_ms: due_ms + behaviourOf(amount).delay_ms }
    bank.origins.set(reference, origin)
  }
}

/** A file that comes again holds nothing new, and is answered again. */
async function accept(bank: Bank, file: PartnerFile): Promise<void> {
  for (const { reference, direction, amount, currency, number } of file.orders) {
    if (bank.books.instructions.has(reference)) continue
    const order = { reference, direction, currency, number, amount: amount.toString() }
    write(bank, { kind: 'accepted', ...order })
  }
  remember(bank, file)
  for (const recall of file.recalls) await answer(bank, recall)
  if (file.orders.length === 0) return
  const of = head(bank)
  await send(bank, 'pain002', of, writing.statusReport(of, file, 'ACTC', []))
}

async function answer(bank: Bank, recall: Recall): Promise<void> {
  const instruction = bank.books.instructions.get(recall.reference)
  const refusal = recallRefusal(bank, recall, instruction)
  if (refusal === undefined && instruction !== undefined) {
    execute(bank, instruction, 'returned', 'FOCR')
    return
  }
  const of = head(bank)
  await send(bank, 'camt029', of, writing.recallRefusal(of, recall, refusal ?? 'NOOR'))
}

/** Why money is not given back: never received, already back, or no longer there. */
function recallRefusal(
  { books }: Bank,
  { amount }: Recall,
  instruction: Instruction | undefined,
): string | undefined {
  if (instruction?.direction !== 'credit' || instruction.amount !== amount) return 'NOOR'
  if (stateOf(instruction) === 'returned') return 'ARDT'
  const { recallRefusal: refusal } = behaviourOf(amount)
  if (refusal !== undefined) return refusal
  if (stateOf(instruction) !== 'settled') return 'NOOR'
  const account = books.accounts.get(`${instruction.currency} ${instruction.number}`)
  return account === undefined || account.balance < amount ? 'AM04' : undefined
}

function execute(
  bank: Bank,
  { reference }: Instruction,
  outcome: 'settled' | 'rejected' | 'returned',
  reason?: string,
): void {
  const at = now(bank)
  write(bank, { kind: 'executed', reference, outcome, ...(reason !== undefined && { reason }), at })
}

async function advance(bank: Bank, instruction: Instruction): Promise<void> {
  const { reference, amount } = instruction
  const origin = bank.origins.get(reference)
  const now_ms = bank.clock().getTime()
  if (origin === undefined || origin.due_ms > now_ms) return
  if (stateOf(instruction) === 'accepted') {
    const { outcome, reason } = verdictOn(bank.books, instruction)
    execute(bank, instruction, outcome, reason)
  }
  const { comesBack } = behaviourOf(amount)
  const isDueBack = comesBack !== undefined && origin.due_ms + comesBack.after_ms <= now_ms
  if (isDueBack && stateOf(instruction) === 'settled')
    execute(bank, instruction, 'returned', comesBack.reason)
  await tell(bank, instruction, origin.file)
}

/** What the amount asks for: copies of the news, no news, or rubbish before the news. */
async function tell(bank: Bank, instruction: Instruction, file: PartnerFile): Promise<void> {
  const { reference, amount } = instruction
  const { callbacks, callbackError, answer } = behaviourOf(amount)
  if (callbacks === 0) return
  for (const event of instruction.events.filter((one) => !one.delivered)) {
    const of = head(bank)
    const text =
      event.outcome === 'rejected'
        ? writing.statusReport(of, file, 'PART', [{ reference, reason: event.reason ?? 'MS03' }])
        : bookingText(bank, of, instruction, event.outcome, callbackError)
    if (answer === 'error') await send(bank, 'cut', of, text.slice(0, -60))
    if (answer === 'garbage') await send(bank, 'page', of, '<html><body>Try later</body></html>')
    await send(bank, event.outcome, of, text, callbacks)
    write(bank, { kind: 'delivered', reference, outcome: event.outcome })
  }
}

function bookingText(
  bank: Bank,
  of: writing.Head,
  { reference, direction, currency }: Instruction,
  outcome: string,
  error: bigint,
): string {
  const isReturn = outcome === 'returned'
  const line = bank.books.statement.find(
    (one) => one.reference === reference && isReturnLine(one, direction) === isReturn,
  )
  if (line === undefined) throw new Error(`${reference} was not booked`)
  const booked = bookedBy(bank, line)
  const told = {
    ...booked,
    amount: booked.amount < 0n ? booked.amount - error : booked.amount + error,
  }
  if (isReturn) return writing.paymentReturn(of, told)
  return writing.notification(of, accountOf(bank, currency), [told])
}
