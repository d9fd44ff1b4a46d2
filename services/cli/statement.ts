/** `florin statement ACCOUNT`: an account's statement into a file, however long it is. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { connect, findAccounts, LedgerError } from '../../ledger/index.ts'
import { statementText } from '../books/statement.ts'
import { readMigrationConfig } from '../config.ts'
import { isPublicId, uuidOf } from '../ids.ts'

const USAGE = `florin statement ACCOUNT [--from WHEN] [--to WHEN] [--by TIME] [--format csv|json]
                         [--out FILE]

ACCOUNT is an id such as acc_...; WHEN is a date (2026-03-01, its first moment in UTC) or a moment
(2026-03-01T12:00:00Z); --to is the first moment that is left out. TIME is recorded (the default),
effective or booked. Without --out the statement goes to standard output. Reads DATABASE_URL.
`

const When = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })])
  .transform((text) => new Date(text))

const Options = z.strictObject({
  account: z.string().refine((id) => isPublicId('acc', id), 'is no id of an account'),
  from: When.optional(),
  to: When.optional(),
  by: z.enum(['recorded', 'effective', 'booked']).optional(),
  format: z.enum(['csv', 'json']).default('csv'),
  out: z.string().min(1).optional(),
})

/** The process's exit code: 0, 1 when it cannot be done, 2 when it is asked for wrongly. */
export async function statementCommand(args: readonly string[]): Promise<number> {
  const options = optionsOf(args)
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n\n${USAGE}`)
    return 2
  }
  try {
    await writeStatement(options)
    return 0
  } catch (error) {
    process.stderr.write(`\n${reasonOf(error)}\n`)
    return 1
  }
}

function optionsOf(args: readonly string[]): z.infer<typeof Options> | string {
  const text = { type: 'string' } as const
  const options = { from: text, to: text, by: text, format: text, out: text }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [account, ...more] = positionals
    if (more.length > 0) return `unexpected: ${more.join(' ')}`
    const parsed = Options.safeParse({ ...values, account })
    if (parsed.success) return parsed.data
    return parsed.error.issues
      .map(({ path, message }) => `${path.join('.')}: ${message}`)
      .join('\n')
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof LedgerError && error.code === 'moment_not_answerable') {
    return 'the span is empty, not over yet, or begins before the account was opened'
  }
  return error instanceof Error ? error.message : String(error)
}

async function writeStatement({ account: id, out, ...span }: z.infer<typeof Options>) {
  const url = readMigrationConfig().DATABASE_URL
  const db = connect({ url, connectionsMax: 2, applicationName: 'florin statement' })
  try {
    const [account] = await findAccounts(db, { id: uuidOf(id) })
    if (account === undefined) throw new Error(`there is no account ${id}`)
    const progress = openProgress()
    const { text } = await statementText(db, account, span, (more) => progress.count(more))
    await (out === undefined
      ? pipeTo(process.stdout, text)
      : pipeline(Readable.from(text, { highWaterMark: 1 }), createWriteStream(out)))
    progress.end()
  } finally {
    await db.destroy()
  }
}

/** Standard output is not ours to close. */
async function pipeTo(output: Writable, text: AsyncIterable<string>): Promise<void> {
  for await (const chunk of text) {
    if (!output.write(chunk)) await once(output, 'drain')
  }
}

const REDRAW_MS = 100

/** How far it is, on one line of the terminal; nothing at all where nobody watches. */
function openProgress() {
  const started = performance.now()
  let [entries, drawn] = [0, 0]
  const draw = (end: string) => {
    if (!process.stderr.isTTY) return
    const seconds = Math.max(performance.now() - started, 1) / 1_000
    const rate = Math.round(entries / seconds).toLocaleString('en')
    process.stderr.write(`\r${entries.toLocaleString('en')} entries, ${rate} entries/s${end}`)
    drawn = performance.now()
  }
  return {
    count: (more: number) => {
      entries += more
      if (performance.now() - drawn > REDRAW_MS) draw('')
    },
    end: () => draw('\n'),
  }
}
