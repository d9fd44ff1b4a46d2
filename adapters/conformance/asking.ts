/** How the rows ask a bank, wait for it, and say what was wrong. */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type BankErrorCode,
  type BankEvent,
  type BankReport,
  type Direction,
  type Instruction,
  isBankError,
  type StatementLine,
} from '../adapter.ts'
import type { BankUnderTest, Provocation } from './kit.ts'

const PATIENCE_MS = 10_000
const PAUSE_MS = 20

/** @throws {Error} with `what`, unless it is so. */
export function expect(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(what)
}

/** No two runs have one in common: a bank forgets none. */
const newReference = () => `CERT${Date.now().toString(36).toUpperCase()}${randomInt(1e9)}`

export function order(
  bank: BankUnderTest,
  provocation: Provocation,
  change: Partial<Instruction> = {},
): Instruction {
  const { account, currency, rail, adapter } = bank
  const direction: Direction = adapter.capabilities.has('credit') ? 'credit' : 'debit'
  const amount = bank.amounts[provocation] ?? 0n
  const money = { amount, currency }
  return { reference: newReference(), direction, rail, account, money, ...change }
}

/** Gives it to the bank, in the way in which the bank wants it. What it answers is not believed. */
export async function tell({ adapter }: BankUnderTest, instruction: Instruction): Promise<void> {
  if (adapter.capabilities.has('batch')) {
    const batch = { id: newReference(), createdAt: new Date(), instructions: [instruction] }
    return adapter.submitBatch(batch)
  }
  await adapter.submit(instruction).catch((error: unknown) => {
    if (!isBankError(error)) throw error
  })
}

/** What the bank tells of it, once it does. @throws {Error} when it never does. */
export async function told<O extends BankEvent['outcome']>(
  bank: BankUnderTest,
  reference: string,
  outcome: O,
): Promise<O extends BankReport['outcome'] ? BankReport : BankEvent> {
  const deadline = performance.now() + (bank.patience_ms ?? PATIENCE_MS)
  for (;;) {
    const found = (await eventsOf(bank, reference)).find((one) => one.outcome === outcome)
    if (found !== undefined)
      return found as O extends BankReport['outcome'] ? BankReport : BankEvent
    if (performance.now() > deadline) throw new Error(`never told of ${outcome}`)
    await sleep(PAUSE_MS)
  }
}

export const eventsOf = async (bank: BankUnderTest, reference: string) =>
  (await bank.heard()).filter((event) => event.reference === reference)

/** What comes of asking until the bank is sure. */
export async function enquired(bank: BankUnderTest, reference: string): Promise<BankReport> {
  const deadline = performance.now() + (bank.patience_ms ?? PATIENCE_MS)
  for (;;) {
    const answer = await bank.adapter.enquire(reference)
    if (answer.state === 'final') return answer.report
    if (performance.now() > deadline) throw new Error(`still ${answer.state}`)
    await sleep(PAUSE_MS)
  }
}

/** The lines of the statement that are about a reference, once there are `count`. */
export async function booked(
  bank: BankUnderTest,
  reference: string,
  count: number,
): Promise<readonly StatementLine[]> {
  const deadline = performance.now() + (bank.patience_ms ?? PATIENCE_MS)
  for (;;) {
    await bank.endDay?.()
    const lines = (await statementOf(bank)).filter((line) => line.reference === reference)
    if (lines.length >= count) return lines
    if (performance.now() > deadline) throw new Error(`${lines.length} lines instead of ${count}`)
    await sleep(PAUSE_MS)
  }
}

export async function statementOf({ adapter }: BankUnderTest): Promise<StatementLine[]> {
  const lines: StatementLine[] = []
  for await (const line of adapter.fetchStatement()) lines.push(line)
  return lines
}

/** @throws {Error} unless the work fails, with this code. */
export async function expectFailure(
  work: () => unknown,
  code: BankErrorCode,
  what: string,
): Promise<void> {
  const failure = await Promise.resolve()
    .then(work)
    .then(
      () => 'no failure',
      (error: unknown) => (isBankError(error) ? error.code : String(error)),
    )
  expect(failure === code, `${what}: ${failure} instead of ${code}`)
}

export function expectMoney({ money }: Pick<BankReport, 'money'>, asked: Instruction): void {
  const { amount, currency } = asked.money
  const isSame = money.amount === amount && money.currency === currency
  expect(isSame, `${money.amount} ${money.currency} instead of ${amount} ${currency}`)
}
