/** `florin bank reconcile`: a bank's statement from a file, of any length, into the database. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { parseArgs } from 'node:util'
import type { Knex } from 'knex'
import { connect } from '../../ledger/index.ts'
import { readReconcileConfig } from '../config.ts'
import { publicId } from '../ids.ts'
import { type Phase, reconcile } from '../reconciliation/reconcile.ts'
import { addRun, findBalances, findRunOfFile, type Run } from '../reconciliation/runs.ts'
import { type Session, withBank } from '../reconciliation/session.ts'
import { accountsAt, READERS } from '../reconciliation/sources.ts'
import { type Command, counted, progressLine, type Terminal, UsageError } from './terminal.ts'

interface Asked {
  readonly bank: string
  readonly file: string
  readonly source: keyof typeof READERS
}

export const reconcileBank: Command = {
  args: '--bank NAME --file STATEMENT [--format camt053|csv]',
  summary: 'Reconcile a bank’s statement, however long it is (DATABASE_URL)',
  async run(words, terminal) {
    const asked = askedIn(words)
    const config = readReconcileConfig()
    if (config.DATABASE_URL === undefined) throw new UsageError('DATABASE_URL is not set')
    const options = { connectionsMax: 3, applicationName: 'florin reconcile' }
    const db = connect({ url: config.DATABASE_URL, ...options })
    try {
      await refuseUnknown(db, asked.bank)
      const fileHash = await hashOf(asked.file, terminal)
      const work = (session: Session) => reconciled(session, db, { ...asked, fileHash }, terminal)
      const code = await withBank(db, asked.bank, work)
      if (code === undefined) throw new Error(`${asked.bank} is being reconciled already`)
      return code
    } finally {
      terminal.done()
      await db.destroy()
    }
  },
}

function askedIn(words: readonly string[]): Asked {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...words],
    options: { bank: text, file: text, format: text },
  })
  const { bank, file } = values
  if (bank === undefined || file === undefined) throw new UsageError('name the bank and the file')
  const source = values.format ?? (file.endsWith('.csv') ? 'csv' : 'camt053')
  if (source !== 'csv' && source !== 'camt053') throw new UsageError(`no format: ${source}`)
  return { bank, file, source }
}

/** A name that was mistyped would have nothing to compare with, and be remembered. */
async function refuseUnknown(db: Knex, bank: string): Promise<void> {
  const known = await db('instructions').where({ bank }).first('id')
  if (known === undefined) throw new UsageError(`no instruction ever went to ${bank}`)
}

async function hashOf(file: string, terminal: Terminal): Promise<Buffer> {
  const { size } = await stat(file)
  const hash = createHash('sha256')
  const started = performance.now()
  let done = 0
  for await (const bytes of createReadStream(file)) {
    hash.update(bytes as Buffer)
    done += (bytes as Buffer).length
    terminal.progress(progressLine('bytes', { done, of: size }, since(started)))
  }
  return hash.digest()
}

const since = (started: number) => (performance.now() - started) / 1000

async function reconciled(
  session: Session,
  db: Knex,
  { bank, file, source, fileHash }: Asked & { readonly fileHash: Buffer },
  terminal: Terminal,
): Promise<number> {
  const now = () => new Date(Math.round(performance.timeOrigin + performance.now()))
  const requestedBy = `florin ${userInfo().username}`
  const run = await addRun(db, { bank, source, requestedBy, fileHash, at: now() })
  if (run === undefined) return known(db, bank, fileHash, terminal)
  const config = readReconcileConfig()
  const accounts = accountsAt({ BANKS: config.BANKS ?? [] }, bank)
  const started = performance.now()
  const onProgress = (what: Phase, done: number, of: number | undefined) =>
    terminal.progress(
      of === undefined
        ? `${what}: ${counted(done)}, ${counted(Math.round(done / since(started)))}/s`
        : progressLine(what, { done, of }, since(started)),
    )
  try {
    const ended = await reconcile(session, run, READERS[source](createReadStream(file), accounts), {
      lateDays: config.RECONCILIATION_LATE_DAYS,
      linesMax: config.STATEMENT_LINES_MAX,
      ...{ now, onProgress },
    })
    terminal.done()
    return await told(db, ended, terminal)
  } catch (error) {
    const failure = error instanceof Error ? error.message.slice(0, 500) : String(error)
    const over = { state: 'failed', failure, completed_at: now() }
    await db('reconciliations').where({ id: run.id }).update(over)
    throw error
  }
}

async function known(db: Knex, bank: string, hash: Buffer, terminal: Terminal): Promise<number> {
  const run = await findRunOfFile(db, bank, hash)
  if (run === undefined) throw new Error('try again')
  terminal.say('this file was reconciled before')
  return told(db, run, terminal)
}

/** 0 when everything is explained, else 1. */
async function told(db: Knex, run: Run, terminal: Terminal): Promise<number> {
  terminal.say(`${publicId('rcn', run.id)} ${run.state}`)
  terminal.say(`${counted(run.lines)} lines, ${counted(run.fresh)} of them new`)
  for (const [kind, count] of Object.entries(run.counts)) {
    terminal.say(`${counted(count).padStart(12)} ${kind}`)
  }
  const balances = await findBalances(db, [run.id])
  for (const { currency, statement, books, unexplained, open_items: open } of balances) {
    terminal.say(
      `${currency}: statement ${statement}, books ${books}, unexplained ${unexplained}` +
        `, ${counted(open)} open`,
    )
  }
  return balances.every(({ unexplained }) => unexplained === 0n) ? 0 : 1
}
