/** A statement as a PDF that a person reads: what was paid, what came of it, and every line. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Currency } from '../../ledger/index.ts'
import { subjectOf } from '../settlements/lines.ts'
import {
  type Column,
  endSheet,
  openSheet,
  openTable,
  type Sheet,
  writeBand,
  writeHead,
  writeNote,
  writeSums,
} from './page.ts'
import type { Statement } from './statement.ts'
import { adder } from './texts.ts'
import { amountText, clockOf, codeText, summaryOf } from './words.ts'

/** More is for a machine to read: the other formats have all of them. */
const LINES_MAX = 2_000
/** Whoever else waits for this process gets a turn after so many. */
const LINES_AT_ONCE = 20

const COLUMNS: readonly Column[] = [
  { head: 'DATE', width: 70, align: 'left' },
  { head: '', width: 68, align: 'left' },
  { head: 'REFERENCE', width: 144, align: 'left' },
  { head: 'GROSS', width: 60, align: 'right' },
  { head: 'FEE', width: 50, align: 'right' },
  { head: 'TAX', width: 48, align: 'right' },
  { head: 'NET', width: 59, align: 'right' },
]

export async function pdfOf(statement: Statement, kind: 'batch' | 'month'): Promise<Buffer> {
  const { id, title, merchant, currency, timeZone, from, to, opening, closing, payouts } = statement
  const text = (amount: bigint) => amountText(amount, currency)
  const clock = clockOf(timeZone)
  const sheet = await openSheet(`${title}, ${merchant.name}`, to)
  // The moment after the last is no moment of it.
  const last = new Date(to.getTime() - 1)
  writeHead(sheet, merchant.name, title, [
    `${clock.minute(from)} to ${clock.minute(last)} (${timeZone})`,
    `All amounts in ${currency}`,
  ])
  const large = { batch: ['Paid out', payouts], month: ['Closing balance', closing] } as const
  const [label, amount] = large[kind]
  writeBand(sheet, { label, text: money(amount, currency) }, [
    { label: kind === 'batch' ? 'Carried in' : 'Opening', text: money(opening, currency) },
    { label: 'Net', text: money(statement.sums.net, currency) },
    kind === 'batch'
      ? { label: 'Carried over', text: money(closing, currency) }
      : { label: 'Paid out', text: money(payouts, currency) },
  ])
  writeSums(sheet, [
    { label: kind === 'batch' ? 'Carried in' : 'Opening balance', text: text(opening) },
    ...summaryOf(statement).map(([label, sum]) => ({ label, text: text(sum) })),
    { label: kind === 'batch' ? 'Carried over' : 'Closing balance', text: text(closing) },
  ])
  await table(sheet, statement, clock.minute)
  return endSheet(sheet, `${merchant.name} · ${title} · ${id}`)
}

const money = (amount: bigint, currency: Currency) => `${currency} ${amountText(amount, currency)}`

async function table(
  sheet: Sheet,
  statement: Statement,
  minute: (at: Date) => string,
): Promise<void> {
  const text = (amount: bigint) => (amount === 0n ? '' : amountText(amount, statement.currency))
  const row = openTable(sheet, COLUMNS)
  const running = adder(statement)
  let count = 0
  for await (const line of statement.lines) {
    running.add(line)
    count += 1
    if (count > LINES_MAX) break
    if (count % LINES_AT_ONCE === 0) await turn()
    const { code, at, gross, fee, tax, net } = line
    const amounts = [gross, -fee, -tax].map(text)
    row([
      minute(at),
      codeText(code),
      // What the merchant knows it by: the other formats have both.
      line.orderReference ?? subjectOf(line),
      ...amounts,
      amountText(net, statement.currency),
    ])
  }
  if (count <= LINES_MAX) return running.check()
  writeNote(sheet, `These are the first ${LINES_MAX} lines. All of them are in the CSV.`)
}
