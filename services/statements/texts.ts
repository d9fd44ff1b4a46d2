/** A statement as CSV and as JSON, made as it is read: any length costs the same memory. */
import { csvCell } from '../books/statement.ts'
import { type Line, lineOut } from '../settlements/lines.ts'
import type { Statement } from './statement.ts'

/** Lines that are made into text at a time. */
const LINES = 500

/** The lines, many at a time. */
export async function* chunksOf(lines: AsyncIterable<Line>): AsyncGenerator<readonly Line[]> {
  let chunk: Line[] = []
  for await (const line of lines) {
    chunk.push(line)
    if (chunk.length < LINES) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

/** Opening, lines and closing are found in different ways; a text that ends early says so. */
export function adder({ id, opening, closing }: Statement) {
  let balance = opening
  return {
    add: ({ net }: Line) => (balance += net),
    check() {
      if (balance !== closing) throw new Error(`the statement ${id} does not add up`)
    },
  }
}

const COLUMNS = [
  ...['line', 'at', 'code', 'reference', 'order_reference'],
  ...['gross', 'fee', 'tax', 'net', 'balance', 'currency'],
] as const

const row = (cells: readonly string[]) => `${cells.map(csvCell).join(',')}\r\n`

export async function* csvOf(statement: Statement): AsyncGenerator<string> {
  const { currency, opening, closing, from, to } = statement
  const around = (line: string, at: Date, balance: bigint) =>
    row([line, at.toISOString(), '', '', '', '', '', '', '', balance.toString(), currency])
  yield row(COLUMNS) + around('opening', from, opening)
  const running = adder(statement)
  for await (const chunk of chunksOf(statement.lines)) {
    yield chunk
      .map((line) => {
        const { at, code, id, order_reference, gross, fee, tax, net } = lineOut(line)
        const balance = running.add(line).toString()
        const about = ['line', at, code, id, order_reference ?? '']
        return row([...about, gross, fee, tax, net, balance, currency])
      })
      .join('')
  }
  running.check()
  yield around('closing', to, closing)
}

const headOut = ({ id, merchant, currency, timeZone, from, to, ...rest }: Statement) => ({
  ...{ id, title: rest.title, merchant: { id: merchant.id, name: merchant.name } },
  ...{ currency, time_zone: timeZone },
  ...{ from: from.toISOString(), to: to.toISOString() },
  opening_balance: rest.opening.toString(),
  closing_balance: rest.closing.toString(),
  ...{ payments: rest.sums.payments, gross: rest.sums.gross.toString() },
  ...{ fee: rest.sums.fee.toString(), tax: rest.sums.tax.toString() },
  ...{ net: rest.sums.net.toString(), payouts: rest.payouts.toString() },
})

export async function* jsonOf(statement: Statement): AsyncGenerator<string> {
  yield `${JSON.stringify(headOut(statement)).slice(0, -1)},"lines":[`
  const running = adder(statement)
  let separator = '\n'
  for await (const chunk of chunksOf(statement.lines)) {
    const rows = chunk.map((line) => {
      running.add(line)
      return JSON.stringify(lineOut(line))
    })
    yield `${separator}${rows.join(',\n')}`
    separator = ',\n'
  }
  running.check()
  yield '\n]}\n'
}
