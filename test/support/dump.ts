/** Everything in a database as text, as a dump would have it. */
import type { Knex } from 'knex'

/** Each row of each table in every schema, a line each, named for its table; or of some tables. */
export async function dumpOf(db: Knex, only?: readonly string[]): Promise<string> {
  const { rows } = await db.raw<{ rows: { schema: string; name: string }[] }>(
    `SELECT table_schema AS schema, table_name AS name FROM information_schema.tables
      WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  )
  const tables = rows.filter(({ name }) => only === undefined || only.includes(name))
  if (tables.length === 0) throw new Error('a dump of nothing')
  const parts = await Promise.all(
    tables.map(async ({ schema, name }) => {
      const found = await db.raw<{ rows: { line: string }[] }>(
        `SELECT t::text AS line FROM ??.?? AS t`,
        [schema, name],
      )
      return found.rows.map(({ line }) => `${name}: ${line.replaceAll('""', '"')}`)
    }),
  )
  return parts.flat().join('\n')
}

/** The lines in which any of the secrets can be read, as text or as the text of its bytes. */
export function leaksOf(dump: string, secrets: readonly string[]): string[] {
  const forms = secrets.flatMap((secret) => {
    if (secret.length < 5) throw new Error(`${secret} is too short to be found by chance never`)
    const bytes = Buffer.from(secret)
    // Of base64 only what does not depend on where in a longer text it begins.
    const base64 = [0, 1, 2].map((skip) =>
      bytes
        .subarray((3 - skip) % 3)
        .toString('base64')
        .replace(/.{2}=*$/, ''),
    )
    return [secret, bytes.toString('hex'), ...base64.filter(({ length }) => length >= 8)]
  })
  return dump.split('\n').filter((line) => forms.some((form) => line.includes(form)))
}
