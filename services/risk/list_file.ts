/**
 * A sanctions list in a file: NDJSON with one `{"id", "name", "aliases": [...], "country"}` in each
 * line, or CSV with these as its header and aliases divided by `;`. Read at the start and again
 * whenever the file has changed. A file that is broken changes nothing: the list read before stays,
 * and that it is old can be told.
 */
import { readFile, stat } from 'node:fs/promises'
import { setImmediate as breathe } from 'node:timers/promises'
import type { Logger } from 'pino'
import { z } from 'zod'
import { type ListIndex, openListIndex } from './list_index.ts'
import { type ListCheck, ListUnavailable, type Match } from './lists.ts'

const Entry = z.object({
  id: z.string().min(1).max(100),
  name: z.string().min(1).max(500),
  aliases: z.array(z.string().max(500)).max(1_000).default([]),
  country: z.string().max(100).optional(),
})
type Entry = z.infer<typeof Entry>

interface FileOptions {
  readonly file: string
  readonly bytesMax: number
  readonly namesMax: number
  /** How often the file is looked at, at most. */
  readonly lookEvery_ms: number
  readonly log: Pick<Logger, 'error' | 'info'>
}

/** A list as it was read, and what it said about names since. */
interface Read {
  readonly index: ListIndex
  readonly answers: Map<string, readonly Match[]>
}

const ANSWERS_MAX = 20_000
/** So many entries are taken in before others may go on. */
const AT_ONCE = 100

export function openFileList(options: FileOptions): ListCheck {
  let read: Read | undefined
  /** What the file was like when its content was last taken in, or refused. */
  let seen: string | undefined
  let isFailing = false
  /** Whether that content was refused. */
  let isRefused = false
  let looking: Promise<void> | undefined
  let looked_ms = -Infinity

  async function look(): Promise<void> {
    looked_ms = performance.now()
    try {
      const { mtimeMs, size, ino } = await stat(options.file)
      const version = `${mtimeMs} ${size} ${ino}`
      if (version === seen) return void (isFailing = isRefused)
      const bytes = size > options.bytesMax ? undefined : await readFile(options.file)
      // Not before: what could not be read is read at the next look, though it has not changed.
      ;[seen, isRefused] = [version, true]
      read = await listIn(bytes, options)
      isRefused = isFailing = false
      options.log.info({ names: read.index.size() }, 'sanctions list read')
    } catch (error) {
      isFailing = true
      // The names in it are people's: what is wrong is said without them.
      options.log.error({ reason: reasonOf(error) }, 'the sanctions list cannot be read')
    }
  }

  /** One look at a time; only the first is waited for. */
  function lookAgain(): Promise<void> {
    looking ??= look().finally(() => (looking = undefined))
    return looking
  }

  void lookAgain()
  return {
    async check(names) {
      if (performance.now() - looked_ms >= options.lookEvery_ms) void lookAgain()
      if (read === undefined) await looking
      if (read === undefined) throw new ListUnavailable('the list was never read')
      const list = read
      return names.flatMap((name) => answerOf(list, name))
    },
    isFailing: () => isFailing,
  }
}

function answerOf({ index, answers }: Read, name: string): readonly Match[] {
  const known = answers.get(name)
  if (known !== undefined) return known
  const found = index.entriesOf(name).map((entry) => ({ entry }))
  if (answers.size >= ANSWERS_MAX) answers.delete(answers.keys().next().value ?? '')
  answers.set(name, found)
  return found
}

/** @param bytes undefined where there are too many of them. */
async function listIn(
  bytes: Buffer | undefined,
  { bytesMax, namesMax }: FileOptions,
): Promise<Read> {
  if (bytes === undefined) throw new ListUnavailable(`it has more than ${bytesMax} bytes`)
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const index = openListIndex()
  let taken = 0
  for (const { id, name, aliases } of entriesIn(text)) {
    for (const one of [name, ...aliases]) index.add(one, id)
    if (index.size() > namesMax) throw new ListUnavailable(`it has more than ${namesMax} names`)
    taken += 1
    if (taken % AT_ONCE === 0) await breathe()
  }
  if (taken === 0) throw new ListUnavailable('it is empty')
  return { index, answers: new Map() }
}

const entriesIn = (text: string): Iterable<Entry> =>
  text.trimStart().startsWith('{') ? jsonLines(text) : csvRows(text)

function* jsonLines(text: string): Iterable<Entry> {
  let line = 0
  for (const json of text.split('\n')) {
    line += 1
    if (json.trim() !== '') yield entryOf(() => JSON.parse(json), line)
  }
}

/** RFC 4180. */
function* csvRows(text: string): Iterable<Entry> {
  let header: readonly string[] | undefined
  let line = 0
  for (const cells of rowsIn(text)) {
    line += 1
    if (header === undefined) {
      header = cells.map((cell) => cell.trim().toLowerCase())
      continue
    }
    const columns = header
    if (cells.length !== columns.length) throw new ListUnavailable(`row ${line} is cut off`)
    const row = Object.fromEntries(columns.map((column, at) => [column, cells[at]?.trim() ?? '']))
    const aliases = (row['aliases'] ?? '').split(';').filter((alias) => alias.trim() !== '')
    yield entryOf(() => ({ ...row, aliases }), line)
  }
}

const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y

function* rowsIn(text: string): Iterable<readonly string[]> {
  const cell = new RegExp(CELL)
  let row: string[] = []
  while (cell.lastIndex < text.length) {
    const from = cell.lastIndex
    const found = cell.exec(text)
    if (found === null) throw new ListUnavailable(`it is no CSV at character ${from}`)
    const [, quoted, bare = '', end] = found
    row.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'))
    if (end === ',' && cell.lastIndex < text.length) continue
    if (row.length > 1 || row[0] !== '') yield row
    row = []
  }
}

function entryOf(parse: () => unknown, line: number): Entry {
  try {
    return Entry.parse(parse())
  } catch {
    throw new ListUnavailable(`line ${line} is no entry`)
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof ListUnavailable) return error.message
  const { code } = error as { readonly code?: string }
  return code ?? 'it is no UTF-8'
}
