/**
 * X8: whether anything that must stay secret can be read in a log of a process, in any table, the
 * queue's among them, or in what Redis keeps on its disk.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Knex } from 'knex'
import { PATIENT } from '../../ledger/index.ts'

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

const LENGTH_MIN = 6
const SEPARATORS = '[^A-Za-z0-9_.+-]'

/** Of all of them, as text or as the hexadecimal digits of its bytes. */
function patternOf({ texts, words }: Secrets): string {
  const all = [...texts, ...words]
  if (all.length === 0 || all.some(({ length }) => length < LENGTH_MIN)) {
    throw new Error('a secret that is nothing would be found nowhere, or everywhere')
  }
  const escaped = (text: string) => text.replaceAll(/[^A-Za-z0-9]/g, String.raw`\$&`)
  const plain = texts.flatMap((text) => [escaped(text), Buffer.from(text).toString('hex')])
  const alone = words.map((word) => `(^|${SEPARATORS})${escaped(word)}($|${SEPARATORS})`)
  return [...plain, ...alone].join('|')
}

export async function judgeSecrets(db: Knex, folder: string, secrets: Secrets): Promise<Seen[]> {
  const pattern = patternOf(secrets)
  const found = [...seenInFiles(folder, new RegExp(pattern)), ...(await seenInTables(db, pattern))]
  return found.map((where) => ({ what: 'secret_seen', where }))
}

function seenInFiles(folder: string, pattern: RegExp): string[] {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'))
  if (logs.length === 0) throw new Error('there are no logs to look at')
  const redis = existsSync(join(folder, 'redis'))
    ? readdirSync(join(folder, 'redis'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : []
  return [...logs.map((name) => join(folder, name)), ...redis].flatMap((file) =>
    readFileSync(file, 'latin1')
      .split('\n')
      .flatMap((line, number) => (pattern.test(line) ? [`${file}:${number + 1}`] : [])),
  )
}

async function seenInTables(db: Knex, pattern: string): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { schema: string; name: string }[] }>(
    `SELECT table_schema AS schema, table_name AS name FROM information_schema.tables
      WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  )
  if (rows.length === 0) throw new Error('there are no tables to look at')
  return db.transaction(async (trx) => {
    await trx.raw(PATIENT)
    const found: string[] = []
    for (const { schema, name } of rows) {
      const seen = await trx.raw<{ rows: unknown[] }>(
        'SELECT 1 FROM ??.?? AS t WHERE t::text ~ ? LIMIT 1',
        [schema, name, pattern],
      )
      if (seen.rows.length > 0) found.push(`table ${schema}.${name}`)
    }
    return found
  })
}
