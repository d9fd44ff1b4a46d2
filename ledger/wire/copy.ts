/** Rows by COPY: Postgres reads them as they come, with neither a plan nor arrays in between. */
import pg from 'pg'
import { bytesOf, putBytes, putInt16 } from './binary.ts'

/** A column, and how a row's value of it is put on the page. */
export interface Column<Row> {
  readonly name: string
  readonly put: (row: Row) => void
}

/** What of pg's connection a COPY needs; the driver has it, its types do not. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void }
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

interface Submitted {
  submit: (wire: Wire) => void
  handleCopyInResponse: () => void
}

/** A statement that carries its rows: give it the connection it is to run on. */
export type Copy = (connection: { query(query: pg.Query): unknown }) => Promise<unknown>

/** Adds the rows to the table, in their order; the columns' types are those of `put`. */
export const copyOf = <Row>(
  table: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Copy => {
  const names = columns.map(({ name }) => name)
  return copyFrom(table, names, 'binary', fileOf(columns, rows))
}

/** The same for rows of any table, as text that Postgres reads by the columns' own types. */
export const copyOfText = (
  table: string,
  names: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
): Copy => {
  let lines = ''
  for (const row of rows) {
    let separator = ''
    for (const name of names) {
      lines += separator + fieldOf(row[name])
      separator = '\t'
    }
    lines += '\n'
  }
  return copyFrom(table, names, 'text', Buffer.from(lines))
}

/**
 * It does not wait to be asked for the rows, so that other statements may be in flight before and
 * after: when Postgres does not want them, because COPY was refused or the transaction has failed,
 * it ignores them as its protocol says and answers with the error. A broken constraint is named as
 * by INSERT.
 */
function copyFrom(
  table: string,
  names: readonly string[],
  format: 'binary' | 'text',
  file: Buffer,
): Copy {
  const text = `COPY ${table} (${names.join(', ')}) FROM STDIN (FORMAT ${format})`
  return (connection) =>
    new Promise((resolve, reject) => {
      const done = (error: unknown, result: unknown) => (error ? reject(error) : resolve(result))
      // A query of pg's own, so that it may take part in a pipeline.
      const query = new pg.Query({ text }, done)
      const submitted = query as unknown as Submitted
      submitted.submit = (wire) => {
        wire.stream.cork()
        wire.query(text)
        wire.sendCopyFromChunk(file)
        wire.endCopyFrom()
        wire.stream.uncork()
      }
      submitted.handleCopyInResponse = () => {}
      connection.query(query)
    })
}

/** What ends a field, a line or the file, and what says so. */
const SPECIAL = /[\\\n\r\t]/g
const ESCAPED: Readonly<Record<string, string>> = {
  ...{ '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' },
}

function fieldOf(value: unknown): string {
  if (value === null || value === undefined) return '\\N'
  return textOf(value).replace(SPECIAL, (special) => ESCAPED[special] ?? '')
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Date) return value.toISOString()
  return JSON.stringify(value)
}

/** A signature that shows whether anything was converted on the way; no flags, no extension. */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const END = -1

const fileOf = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Buffer =>
  bytesOf(() => {
    putBytes(HEADER)
    for (const row of rows) {
      putInt16(columns.length)
      for (const { put } of columns) put(row)
    }
    putInt16(END)
  })
