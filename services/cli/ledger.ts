/** `florin ledger ...`: proves the books, from the database itself. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { Knex } from 'knex'
import { z } from 'zod'
import {
  audit,
  connect,
  findCheckpoints,
  type SealCheck,
  type SealState,
  stateAt,
  verifySeals,
  type Violation,
} from '../../ledger/index.ts'
import { readCommandConfig } from '../config.ts'
import { openVerifier } from '../seals/keys.ts'
import { Head } from '../seals/receipt.ts'
import { findKeys } from './keys.ts'
import { type Command, counted, progressLine, type Terminal, UsageError } from './terminal.ts'

export const verifyLedger: Command = {
  args: '[--json] [--state <file>] [--from <seal>] [--keys <jwks.json or url>]',
  summary: 'Prove the books: seals, chain, tree, signatures, then every invariant (DATABASE_URL)',
  async run(words, terminal) {
    const { values } = parseArgs({
      args: [...words],
      options: {
        json: { type: 'boolean' },
        state: { type: 'string' },
        from: { type: 'string' },
        keys: { type: 'string' },
      },
    })
    const keys = await findKeys(values.keys)
    return withDatabase(async (db) => {
      const start = await startOf(db, values)
      const found = await checkSeals(db, terminal, { ...values, keys, start })
      if (found.seals.isStopped) {
        terminal.complain(stoppedLine(found.seals, values.state))
        return STOPPED
      }
      const books = await auditWithProgress(db, terminal)
      const violations = [...found.seals.violations, ...books.violations]
      const report = { ...found, books, violations, areSignaturesChecked: keys !== undefined }
      terminal.say(values.json === true ? jsonOf(report) : textOf(report))
      return violations.length === 0 ? 0 : 1
    })
  },
}

/** As shells say of what was ended by Ctrl-C. */
const STOPPED = 130

export const exportCheckpoints: Command = {
  args: '[--from <seal>]',
  summary: 'Print the signed heads, oldest first, one JSON object a line, to be published',
  async run(words, terminal) {
    const { values } = parseArgs({ args: [...words], options: { from: { type: 'string' } } })
    const { SEAL_ORIGIN } = readCommandConfig()
    return withDatabase(async (db) => {
      let from = values.from === undefined ? 1 : numberOf(values.from)
      for (;;) {
        const query = { from, order: 'asc', limit: PAGE } as const
        const page = await findCheckpoints(db, SEAL_ORIGIN, query)
        for (const { head, signature } of page) {
          terminal.say(JSON.stringify({ ...head, signature }))
        }
        const last = page.at(-1)
        if (last === undefined) return 0
        from = last.head.number + 1
      }
    })
  },
}

const PAGE = 1_000

async function withDatabase<T>(work: (db: Knex) => Promise<T>): Promise<T> {
  const { DATABASE_URL: url } = readCommandConfig()
  if (url === undefined) throw new UsageError('DATABASE_URL is not set')
  const db = connect({ url, connectionsMax: 4, applicationName: 'florin verify' })
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

function numberOf(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new UsageError(`${text} is no seal’s number`)
  return Number(text)
}

const Saved = z.strictObject({
  version: z.literal(1),
  state: z.strictObject({
    number: z.int().min(0),
    size: z.int().min(0),
    chain: z.string(),
    peaks: z.array(z.string()),
  }),
  violations: z.array(z.strictObject({ invariant: z.string(), subject: z.string() })),
})

interface Start {
  readonly state: SealState | undefined
  /** Found before the last interruption. */
  readonly violations: readonly Violation[]
}

async function startOf(
  db: Knex,
  { state: file, from }: { readonly state?: string; readonly from?: string },
): Promise<Start> {
  if (from !== undefined) {
    const state = await stateAt(db, numberOf(from) - 1)
    if (state === undefined) throw new UsageError(`there is no seal before ${from}`)
    return { state, violations: [] }
  }
  const text = file === undefined ? undefined : await readFile(file, 'utf8').catch(orNothing)
  if (text === undefined) return { state: undefined, violations: [] }
  const saved = Saved.safeParse(JSON.parse(text))
  if (!saved.success) throw new UsageError(`${file} is no state of a verification`)
  return saved.data
}

function orNothing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

const SAVE_EVERY_MS = 1_000

async function checkSeals(
  db: Knex,
  terminal: Terminal,
  {
    keys,
    start,
    state: file,
  }: {
    readonly keys: Awaited<ReturnType<typeof findKeys>>
    readonly start: Start
    readonly state?: string
  },
) {
  const stop = new AbortController()
  const onInterrupt = () => stop.abort()
  process.once('SIGINT', onInterrupt).once('SIGTERM', onInterrupt)
  const started = performance.now()
  const first = start.state?.size ?? 0
  const elapsed_s = () => (performance.now() - started) / 1000
  let saved = started
  let saving = Promise.resolve()
  const save = (state: SealState, found: readonly Violation[]) => {
    if (file === undefined) return
    const violations = [...start.violations, ...found]
    saving = saving.then(() => writeState(file, { version: 1, state, violations }))
  }
  const seals = await verifySeals(db, {
    from: start.state,
    isSigned: keys && (await signatureCheck(keys)),
    signal: stop.signal,
    onProgress: (done, of) =>
      terminal.progress(progressLine('seals', { done, of, first }, elapsed_s())),
    onState(state, violations) {
      if (performance.now() - saved < SAVE_EVERY_MS) return
      saved = performance.now()
      save(state, violations)
    },
  })
  process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt)
  terminal.done()
  save(seals.state, seals.violations)
  await saving
  const violations = [...start.violations, ...seals.violations]
  return { seals: { ...seals, violations }, elapsed_s: elapsed_s() }
}

/** Whole or not at all, whenever we are killed. */
async function writeState(file: string, state: object): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(state))
  await rename(`${file}.new`, file)
}

async function signatureCheck(keys: NonNullable<Awaited<ReturnType<typeof findKeys>>>) {
  const verify = await openVerifier(keys)
  return async (expected: object, signature: string): Promise<boolean> => {
    const head = Head.safeParse((await verify('florin-checkpoint', signature))?.payload)
    if (!head.success) return false
    const { origin: _whose, ...said } = head.data
    return JSON.stringify(said) === JSON.stringify(expected)
  }
}

type Books = Awaited<ReturnType<typeof audit>>

async function auditWithProgress(db: Knex, terminal: Terminal): Promise<Books> {
  const books = await audit(db, {
    onProgress: (invariant, done, of) => terminal.progress(`books ${done} of ${of}: ${invariant}`),
  })
  terminal.done()
  return books
}

interface Report {
  readonly seals: SealCheck
  readonly elapsed_s: number
  readonly books: Books
  readonly violations: readonly Violation[]
  readonly areSignaturesChecked: boolean
}

const stoppedLine = ({ state }: SealCheck, file: string | undefined) =>
  `stopped after seal ${state.number}` +
  (file === undefined ? '' : `; the same command goes on from there`)

function jsonOf({ seals, elapsed_s, books, violations, areSignaturesChecked }: Report): string {
  const { state, transfers, unsigned, unsealed } = seals
  return JSON.stringify({
    proven: violations.length === 0,
    seals: {
      ...{ verified: seals.seals, transfers, last: state.number, size: state.size },
      ...{ unsealed, unsigned, signatures_checked: areSignaturesChecked },
      per_s: Math.round(transfers / elapsed_s),
    },
    books: {
      accounts: books.accounts.toString(),
      transfers: books.transfers.toString(),
      trial_balance: books.trialBalance.map(({ currency, debits, credits }) => ({
        ...{ currency, debits: debits.toString(), credits: credits.toString() },
      })),
    },
    violations,
  })
}

function textOf({ seals, elapsed_s, books, violations, areSignaturesChecked }: Report): string {
  const { transfers, unsigned, unsealed } = seals
  const speed = counted(Math.round(transfers / elapsed_s))
  return [
    `${counted(transfers)} transfers in ${counted(seals.seals)} seals verified, ${speed}/s;` +
      ` ${counted(unsealed)} not sealed yet`,
    areSignaturesChecked
      ? `signatures checked; ${counted(unsigned)} seals are not signed`
      : 'signatures not checked: name the keys with --keys',
    `${counted(books.transfers)} transfers between ${counted(books.accounts)} accounts audited`,
    ...books.trialBalance.map(
      ({ currency, debits, credits }) => `${currency}: debits ${debits}, credits ${credits}`,
    ),
    ...violations.map(({ invariant, subject }) => `VIOLATED ${invariant}: ${subject}`),
    violations.length === 0 ? 'the books are proven' : 'THE BOOKS ARE NOT PROVEN',
  ].join('\n')
}
