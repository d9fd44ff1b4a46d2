/** A statement as text, CSV or JSON, made as it is read: any length costs the same memory. */
import type { Knex } from 'knex'
import {
  type AccountBalances,
  type CountedBy,
  type Entry,
  openStatement,
  type Span,
} from '../../ledger/index.ts'
import { publicId } from '../ids.ts'

export const entryOut = (entry: Entry) => ({
  entry: entry.entry.toString(),
  side: entry.side,
  kind: entry.kind,
  code: entry.code,
  amount: entry.amount.toString(),
  currency: entry.currency,
  balance: entry.balance.toString(),
  transfer: publicId('trf', entry.transferId),
  effective_at: entry.effectiveAt.toISOString(),
  booked_at: entry.bookedAt.toISOString(),
  recorded_at: entry.recordedAt.toISOString(),
})

export type StatementFormat = 'csv' | 'json'

export interface StatementText {
  readonly contentType: string
  readonly fileName: string
  readonly text: AsyncGenerator<string>
}

/** Before the first entry and after the last, with the moments. */
interface Around {
  readonly account: AccountBalances
  readonly by: CountedBy
  readonly from: Date
  readonly to: Date
  readonly opening: bigint
  readonly closing: bigint
}

/**
 * The statement of the span; a text that ends early lacks its last line.
 * @param onEntries told how many more were written.
 * @throws {LedgerError} see `openStatement`.
 */
export async function statementText(
  db: Knex,
  account: AccountBalances,
  { format, by = 'recorded', ...span }: Span & { readonly format: StatementFormat },
  onEntries: (count: number) => void = () => {},
): Promise<StatementText> {
  const { entries, ...around } = await openStatement(db, account.id, { by, ...span })
  const { contentType, start, batch, end } = FORMATS[format]
  async function* text() {
    const all = { account, by, ...around }
    let count = 0
    let balance = around.opening
    yield start(all)
    for await (const some of entries) {
      yield batch(some, count)
      count += some.length
      balance = some.at(-1)?.balance ?? balance
      onEntries(some.length)
    }
    // Opening balance, entries and closing balance are found in different ways.
    if (balance !== around.closing)
      throw new Error(`the statement of ${account.id} does not add up`)
    yield end(all, count)
  }
  const day = (moment: Date) => moment.toISOString().slice(0, 10)
  const id = publicId('acc', account.id)
  const fileName = `${id}-${day(around.from)}-${day(around.to)}.${format}`
  return { contentType, fileName, text: text() }
}

interface Format {
  readonly contentType: string
  readonly start: (around: Around) => string
  readonly batch: (entries: readonly Entry[], before: number) => string
  readonly end: (around: Around, count: number) => string
}

const COLUMNS = [
  ...(['line', 'entry', 'side', 'kind', 'code', 'amount', 'balance', 'currency'] as const),
  ...(['transfer', 'effective_at', 'booked_at', 'recorded_at'] as const),
]
type Column = (typeof COLUMNS)[number]

const csvLine = (cells: Partial<Record<Column, string>>): string =>
  `${COLUMNS.map((column) => csvCell(cells[column] ?? '')).join(',')}\r\n`

/** The balance at a moment, as a line of its own. */
const csvBalance = (line: string, amount: bigint, { account, by }: Around, at: Date) =>
  csvLine({
    ...{ line, balance: amount.toString(), currency: account.currency },
    [`${by}_at`]: at.toISOString(),
  })

const FORMATS: Readonly<Record<StatementFormat, Format>> = {
  csv: {
    contentType: 'text/csv; charset=utf-8',
    start: (around) =>
      `${COLUMNS.join(',')}\r\n${csvBalance('opening', around.opening, around, around.from)}`,
    batch: (entries) =>
      entries.map((entry) => csvLine({ line: 'entry', ...entryOut(entry) })).join(''),
    end: (around) => csvBalance('closing', around.closing, around, around.to),
  },
  json: {
    contentType: 'application/json',
    start: ({ account, by, from, to, opening }) => {
      const head = {
        account: publicId('acc', account.id),
        ...{ by, from: from.toISOString(), to: to.toISOString() },
        opening_balance: { amount: opening.toString(), currency: account.currency },
      }
      return `${JSON.stringify(head).slice(0, -1)},"entries":[`
    },
    batch: (entries, before) =>
      entries
        .map((entry, n) => `${before + n === 0 ? '\n' : ',\n'}${JSON.stringify(entryOut(entry))}`)
        .join(''),
    end: ({ account, closing }, count) => {
      const closing_balance = { amount: closing.toString(), currency: account.currency }
      return `\n],${JSON.stringify({ count: count.toString(), closing_balance }).slice(1)}\n`
    },
  },
}

const NUMBER = /^-?[0-9]+$/
/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r\n|%]/

/** RFC 4180, and harmless in a spreadsheet: text that could be a formula begins with a quote. */
export function csvCell(text: string): string {
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
