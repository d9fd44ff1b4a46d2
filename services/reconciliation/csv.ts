/**
 * A statement as CSV (RFC 4180, UTF-8): a header, then a line for each booking. Columns, in any
 * order: `date` (2026-03-01, or a moment with its offset), `reference`, `amount` (minor units,
 * negative when our money there shrank), `currency`, `description`; `bank_reference`, if wanted.
 */
import { CsvError, parse } from 'csv-parse'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { StatementError, type Told } from './lines.ts'

const NEEDED = ['date', 'reference', 'amount', 'currency', 'description'] as const
const KNOWN: readonly string[] = [...NEEDED, 'bank_reference']

/** A quote that is never closed would make one cell of the rest of the file. */
const RECORD_CHARACTERS_MAX = 8_192

const When = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })])
  .transform((text) => new Date(text))

const AMOUNT = /^-?[1-9][0-9]{0,14}$/
const WORDS_MAX = { reference: 140, description: 500 } as const

/** @throws {StatementError} at the first line that is not as it should be. */
export async function* readCsv(stream: AsyncIterable<Buffer>): AsyncGenerator<Told> {
  const parser = parse({
    ...{ bom: true, columns: headerOf, max_record_size: RECORD_CHARACTERS_MAX },
    ...{ skip_empty_lines: true, encoding: 'utf8' },
  })
  let line = 1
  const bytes = Readable.from(stream)
  bytes.once('error', (error) => parser.destroy(error))
  try {
    for await (const record of bytes.pipe(parser)) {
      line += 1
      yield { line: lineOf(record as Record<string, string>, line) }
    }
  } catch (error) {
    throw asStatementError(error)
  } finally {
    bytes.destroy()
  }
  if (line === 1) await refuseWithoutHeader(parser.info.bytes)
}

async function refuseWithoutHeader(bytes: number): Promise<void> {
  if (bytes === 0) throw new StatementError('the file is empty')
}

function headerOf(names: readonly string[]): string[] {
  const header = names.map((name) => name.trim().toLowerCase())
  const missing = NEEDED.filter((name) => !header.includes(name))
  const unknown = header.filter((name) => !KNOWN.includes(name))
  if (missing.length > 0) throw new StatementError(`a column is missing: ${missing.join(', ')}`)
  if (unknown.length > 0) throw new StatementError(`a column nobody knows: ${unknown.join(', ')}`)
  if (new Set(header).size < header.length) throw new StatementError('a column is there twice')
  return header
}

function lineOf(record: Readonly<Record<string, string>>, line: number) {
  const refuse = (what: string): never => {
    throw new StatementError(`line ${line}: ${what}`)
  }
  const { date = '', amount = '', currency = '', reference = '', description = '' } = record
  const when = When.safeParse(date)
  const bankReference = record['bank_reference'] ?? ''
  if (!when.success) return refuse('no date')
  if (!AMOUNT.test(amount)) return refuse('no amount in minor units')
  if (!isCurrency(currency)) return refuse('no currency')
  if (reference.length > WORDS_MAX.reference) return refuse('the reference is too long')
  if (bankReference.length > WORDS_MAX.reference) return refuse('the bank’s reference is too long')
  if (description.length > WORDS_MAX.description) return refuse('the description is too long')
  return {
    ...{ reference, currency, amount: BigInt(amount), bookedAt: when.data, description },
    ...(bankReference !== '' && { bankReference }),
  }
}

/** What csv-parse refuses is the sender's doing; what breaks on the way to it is not. */
function asStatementError(error: unknown): unknown {
  const isRefused = error instanceof CsvError
  return isRefused ? new StatementError(error.message.slice(0, 200), { cause: error }) : error
}
