/**
 * X8: whether anything that must stay secret can be read in a log of a process, in any table, the
 * queue's among them, or in what Redis keeps on its disk.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Knex } from 'knex'
import { PATIENT } from '../../ledger/index.ts'
import { LONG, openNeedles } from './needles.ts'

export interface Seen {
  readonly what: 'secret_seen'
  /** The file or the table; never the secret. */
  readonly where: string
}

export interface Secrets {
  /** Long enough to be found by chance never. */
  readonly texts: readonly string[]
  /** Short: looked for as words of their own only. */
  readonly words: readonly string[]
}

/** One that has become too long is set aside by whoever starts its process again. */
export const LOG = /\.log(?:\.old)?$/

const LENGTH_MIN = 6
const SEPARATORS = '[^A-Za-z0-9_.+-]'

/** A text, and the hexadecimal digits of its bytes. */
const formsOf = (text: string) => [text, Buffer.from(text).toString('hex')]

/** How they are looked for: a few short ones by a pattern, any number of long ones by pieces. */
interface Search {
  /** Undefined where none is short. */
  readonly pattern: string | undefined
  readonly holdsLong: (text: string) => boolean
}

function searchFor({ texts, words }: Secrets): Search {
  const all = [...texts, ...words]
  if (all.length === 0 || all.some(({ length }) => length < LENGTH_MIN)) {
    throw new Error('a secret that is nothing would be found nowhere, or everywhere')
  }
  const [long, short] = [[] as string[], [] as string[]]
  for (const text of texts) (text.length < LONG ? short : long).push(text)
  return {
    pattern: short.length + words.length === 0 ? undefined : patternOf(short, words),
    holdsLong: openNeedles(long.flatMap(formsOf)),
  }
}

function patternOf(texts: readonly string[], words: readonly string[]): string {
  const escaped = (text: string) => text.replaceAll(/[^A-Za-z0-9]/g, String.raw`\$&`)
  const plain = texts.flatMap(formsOf).map(escaped)
  const alone = words.map((word) => `(^|${SEPARATORS})${escaped(word)}($|${SEPARATORS})`)
  return [...plain, ...alone].join('|')
}

export async function judgeSecrets(db: Knex, folder: string, secrets: Secrets): Promise<Seen[]> {
  const search = searchFor(secrets)
  const found = [...seenInFiles(folder, search), ...(await seenInTables(db, search))]
  return found.map((where) => ({ what: 'secret_seen', where }))
}

function seenInFiles(folder: string, { pattern, holdsLong }: Search): string[] {
  const short = pattern === undefined ? undefined : new RegExp(pattern)
  const holds = (line: string) => short?.test(line) === true || holdsLong(line)
  const logs = readdirSync(folder).filter((name) => LOG.test(name))
  if (logs.length === 0) throw new Error('there are no logs to look at')
  const redis = existsSync(join(folder, 'redis'))
    ? readdirSync(join(folder, 'redis'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : []
  return [...logs.map((name) => join(folder, name)), ...redis].flatMap((file) =>
    readFileSync(file, 'latin1')
      .split('\n')
      .flatMap((line, number) => (holds(line) ? [`${file}:${number + 1}`] : [])),
  )
}

async function seenInTables(db: Knex, { pattern, holdsLong }: Search): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { schema: string; name: string }[] }>(
    `SELECT table_schema AS schema, table_name AS name FROM information_schema.tables
      WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  )
  if (rows.length === 0) throw new Error('there are no tables to look at')
  return db.transaction(async (trx) => {
    await trx.raw(PATIENT)
    const found: string[] = []
    for (const { schema, name } of rows) {
      const table = { trx, schema, name }
      const isSeen = pattern !== undefined && (await matches(table, pattern))
      if (isSeen || (await holdsAny(table, holdsLong))) found.push(`table ${schema}.${name}`)
    }
    return found
  })
}

interface Table {
  readonly trx: Knex.Transaction
  readonly schema: string
  readonly name: string
}

async function matches({ trx, schema, name }: Table, pattern: string): Promise<boolean> {
  const { rows } = await trx.raw<{ rows: unknown[] }>(
    'SELECT 1 FROM ??.?? AS t WHERE t::text ~ ? LIMIT 1',
    [schema, name, pattern],
  )
  return rows.length > 0
}

/** A night of them is more than memory holds. */
const ROWS_AT_ONCE = 5_000

/** Reads the table once: Postgres knows no search for thousands of texts at a time. */
async function holdsAny({ trx, schema, name }: Table, holds: (text: string) => boolean) {
  const read = 'DECLARE torture_reads NO SCROLL CURSOR FOR SELECT t::text AS said FROM ??.?? AS t'
  await trx.raw(read, [schema, name])
  let [isFound, isOver] = [false, false]
  while (!isFound && !isOver) {
    const { rows } = await trx.raw<{ rows: { said: string }[] }>(
      `FETCH ${ROWS_AT_ONCE} FROM torture_reads`,
    )
    isFound = rows.some(({ said }) => holds(said))
    isOver = rows.length < ROWS_AT_ONCE
  }
  await trx.raw('CLOSE torture_reads')
  return isFound
}
