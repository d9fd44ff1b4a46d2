/** The account statements that we have: all together they are what the bank has booked so far. */
import { createHash } from 'node:crypto'
import { BankError, type StatementLine } from '../adapter.ts'
import type { Accounts } from './accounts.ts'
import { CAMT053, readCamt053, type StatementHead } from './camt053.ts'
import { isForbidden, isGone, unreachable, type Exchange, type Incoming } from './exchange.ts'
import { hashOf } from './text.ts'
import { BadFile, messageOf } from './xml.ts'

/** A statement as it is told apart from others, and from itself with other contents. */
interface Known {
  /** Two of one name tell of the same bookings. */
  readonly name: string
  readonly contents: string
}

interface Fault {
  readonly file: Incoming
  readonly fault: string
}

export type Statements = ReturnType<typeof statementsIn>

export function statementsIn(exchange: Exchange, accounts: Accounts) {
  const knownIn = memoryOf(exchange)
  const take = () => reached(() => takeIn(exchange, accounts, knownIn))
  return {
    /** Keeps those that came. @returns those that cannot be kept, still where they are. */
    take,

    /** What all that we have tell of, the oldest first, after those that came are taken in. */
    async *lines(): AsyncGenerator<StatementLine> {
      await take()
      yield* linesOf(exchange, knownIn)
    },
  }
}

type KnownIn = (file: Incoming) => Promise<readonly Known[]>

/** Of those that we keep: read once, and again when a file was changed. */
function memoryOf(exchange: Exchange): KnownIn {
  const read = new Map<string, readonly Known[]>()
  return async (file) => {
    const key = hashOf(file.path, String(file.written_ms), String(file.size_bytes))
    const known = read.get(key) ?? (await statementsOf(exchange, file, {}).catch(changed(file)))
    read.set(key, known)
    return known
  }
}

/** One that came is read through before it is kept, so that of a bad file no line is told. */
async function takeIn(
  exchange: Exchange,
  accounts: Accounts,
  knownIn: KnownIn,
): Promise<readonly Fault[]> {
  const came = await camt053In(exchange)
  if (came.length === 0) return []
  const names = new Map<string, string>()
  for (const file of await exchange.list('statements'))
    for (const { name, contents } of await knownIn(file)) names.set(name, contents)
  const faults: Fault[] = []
  for (const file of came) {
    try {
      const known = await statementsOf(exchange, file, accounts)
      refuseOthers(names, known)
      for (const { name, contents } of known) names.set(name, contents)
      await exchange.move(file, 'statements')
    } catch (error) {
      if (error instanceof BadFile) faults.push({ file, fault: error.message })
      else if (!isGone(error)) throw error
    }
  }
  return faults
}

/** A copy is not told, so the lines keep their numbers. */
async function* linesOf(exchange: Exchange, knownIn: KnownIn): AsyncGenerator<StatementLine> {
  const told = new Set<string>()
  let line = 0
  for (const file of await reached(() => exchange.list('statements'))) {
    const known = await reached(() => knownIn(file))
    let [at, isCopy] = [0, false]
    for await (const item of kept(exchange, file)) {
      if (item.kind === 'line') {
        if (!isCopy) yield { ...item.line, line: (line += 1) }
        continue
      }
      const { name = '', contents = '' } = known[at++] ?? {}
      const marks = [hashOf(name, contents), exactly(item.statement)]
      isCopy = marks.some((mark) => told.has(mark))
      for (const mark of marks) told.add(mark)
    }
  }
}

/** A disk that fails is a bank that cannot be reached. */
async function reached<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw unreachable(error)
  }
}

async function camt053In(exchange: Exchange): Promise<readonly Incoming[]> {
  const found: Incoming[] = []
  for (const file of await exchange.list('reading')) {
    try {
      if ((await messageOf(exchange.read(file.path))) === CAMT053) found.push(file)
    } catch (error) {
      // Other messages are others’ to judge.
      if (!(error instanceof BadFile || isGone(error) || isForbidden(error))) throw error
    }
  }
  return found
}

/** A bank that makes a statement anew numbers it as before; which is true, a person has to ask. */
function refuseOthers(names: ReadonlyMap<string, string>, known: readonly Known[]): void {
  const seen = new Map<string, string>()
  for (const { name, contents } of known) {
    const there = names.get(name) ?? seen.get(name)
    if (there !== undefined && there !== contents)
      throw new BadFile('a statement of this account and number came before, with other contents')
    seen.set(name, contents)
  }
}

/** @throws {BadFile} */
async function statementsOf(
  exchange: Exchange,
  file: Incoming,
  accounts: Accounts,
): Promise<readonly Known[]> {
  const found: { head: StatementHead; year: number; hash: ReturnType<typeof createHash> }[] = []
  for await (const item of readCamt053(exchange.read(file.path), accounts)) {
    if (item.kind === 'statement') {
      const { opening, closing, createdAt } = item.statement
      const hash = createHash('sha256').update(`${opening} ${closing}\n`)
      found.push({ head: item.statement, year: createdAt.getUTCFullYear(), hash })
      continue
    }
    const { reference, currency, amount, bookedAt } = item.line
    const last = found.at(-1)
    if (last === undefined) continue
    last.year = bookedAt.getUTCFullYear()
    last.hash.update(`${JSON.stringify([reference, currency, `${amount}`, bookedAt])}\n`)
  }
  return found.map(({ head, year, hash }) => ({
    name: nameOf(head, year),
    contents: hash.digest('hex'),
  }))
}

/**
 * Banks begin to count anew with a year, some do not count at all, and the pages of a statement
 * have one number.
 */
const nameOf = (head: StatementHead, year: number) =>
  head.sequence === undefined
    ? exactly(head)
    : hashOf('numbered', head.account, head.sequence, head.page ?? '', head.closedOn ?? `${year}`)

const exactly = ({ account, id, sequence = '', page = '', createdAt }: StatementHead) =>
  hashOf(account, id, sequence, page, createdAt.toISOString())

/** It was whole when we put it there: whoever changed it has to say what the bank booked. */
async function* kept(exchange: Exchange, file: Incoming) {
  try {
    yield* readCamt053(exchange.read(file.path))
  } catch (cause) {
    changed(file)(cause)
  }
}

const changed =
  ({ name }: Incoming) =>
  (cause: unknown): never => {
    if (!(cause instanceof BadFile)) throw unreachable(cause)
    const detail = `the statement ${name} was changed: ${cause.message}`
    throw new BankError('bank_outcome_unknown', { cause, detail })
  }
