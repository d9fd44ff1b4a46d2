/** Where a statement comes from: the bank itself, or a file that somebody has of it. */
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Knex } from 'knex'
import { BankError } from '../../adapters/adapter.ts'
import { type Accounts, BadFile, readCamt053 } from '../../adapters/index.ts'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { readCsv } from './csv.ts'
import { StatementError, type Told } from './lines.ts'
import type { Run, Source } from './runs.ts'

type FileSource = Exclude<Source, 'bank'>
type Reader = (stream: AsyncIterable<Buffer>, accounts: Accounts) => AsyncGenerator<Told>

export const READERS: Readonly<Record<FileSource, Reader>> = { camt053: readCamt, csv: readCsv }

/** What an uploaded file says it is. */
export const TYPES = {
  'application/xml': 'camt053',
  'text/csv': 'csv',
} as const satisfies Readonly<Record<string, FileSource>>

/**
 * @throws {StatementError} when it cannot be read.
 * @throws {BankError} when the bank cannot be asked.
 */
export function toldBy(context: Context, run: Run): AsyncGenerator<Told> {
  const { id, bank: name, source } = run
  if (source !== 'bank')
    return READERS[source](storedFile(context.db, id), accountsAt(context.config, name))
  const bank = context.banks.get(name)
  if (bank === undefined) throw new BankError('bank_not_capable', { detail: `no bank ${name}` })
  return toldByBank(bank.fetchStatement())
}

/** Ours at a bank, where its entry says which they are. */
export function accountsAt({ BANKS }: Pick<Context['config'], 'BANKS'>, bank: string): Accounts {
  const entry = BANKS.find(({ name }) => name === bank)
  return entry?.protocol === 'iso20022' ? entry.accounts : {}
}

async function* toldByBank(lines: AsyncIterable<Extract<Told, { line: unknown }>['line']>) {
  for await (const line of lines) yield { line }
}

/** The file's own currency is known by its first line; one without lines has nothing to compare. */
async function* readCamt(stream: AsyncIterable<Buffer>, accounts: Accounts): AsyncGenerator<Told> {
  let head: { readonly opening?: bigint | undefined; readonly closing?: bigint | undefined } = {}
  try {
    for await (const item of readCamt053(stream, accounts)) {
      if (item.kind === 'statement') {
        head = item.statement
        continue
      }
      const { opening, closing } = head
      head = {}
      const { currency } = item.line
      if (opening !== undefined && closing !== undefined) {
        yield { balance: { currency, opening, closing } }
      }
      yield { line: item.line }
    }
  } catch (error) {
    throw error instanceof BadFile ? new StatementError(error.message, { cause: error }) : error
  }
}

/** As it was uploaded. @throws {StatementError} when it is not there any more. */
function storedFile(db: Knex, upload: Uuid): AsyncIterable<Buffer> {
  const zipped = Readable.from(chunksOf(db, upload))
  const file = createGunzip()
  zipped.once('error', (error) => file.destroy(error))
  return zipped.pipe(file)
}

async function* chunksOf(db: Knex, upload: Uuid): AsyncGenerator<Buffer> {
  for (let chunk = 0; ; chunk += 1) {
    const row = await db('statement_files').where({ upload_id: upload, chunk }).first('bytes')
    if (row === undefined && chunk === 0) throw new StatementError('the file is gone')
    if (row === undefined) return
    yield row.bytes as Buffer
  }
}
