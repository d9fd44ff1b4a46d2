/** What the database holds, as one text for each table. */
import type { Knex } from 'knex'

/** What changes without anybody's request, or because of a refusal, and is meant to. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  bank_health: 'how a bank does is learned by asking it',
  claims: 'a refusal is final for its key',
  merkle_nodes: 'the worker seals',
  risk_assessments: 'a payment that is refused as too risky is written down there',
  security_log: 'a refusal is written down there',
  seals: 'the worker seals',
  used_nonces: 'a signature is used up even where what it signs is no event',
  webhook_attempts: 'the worker tells receivers',
  webhook_deliveries: 'the worker tells receivers, and again batches later',
  webhook_progress: 'the worker reads events',
}

/** What the worker notes, in tables where everything else is somebody's request. */
const NOTES: Readonly<Record<string, readonly string[]>> = {
  // How far it has looked for what is to be kept; what is kept is compared.
  reserve_marks: ['last_entry'],
  webhook_endpoints: ['due_at', 'failing_since', 'is_quick', 'lease', 'leased_until'],
}

/** Of money alone: what a request that is allowed may not move where nobody has any. */
export const MONEY_TABLES = ['transfers', 'payments', 'instructions', 'settlements', 'refunds']

export type Fingerprint = Readonly<Record<string, string>>

/** @param only the tables; all but those above where it is left out. */
export async function fingerprint(db: Knex, only?: readonly string[]): Promise<Fingerprint> {
  const { rows: tables } = await db.raw<{ rows: { name: string }[] }>(
    `SELECT table_name AS name FROM information_schema.tables
      WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  )
  const names = tables
    .map(({ name }) => name)
    .filter((name) => only?.includes(name) ?? NOT_COMPARED[name] === undefined)
  if (names.length === 0) throw new Error('nothing is compared')
  const columns = names.map((name) => {
    const row = NOTES[name] === undefined ? 't::text' : textWithout(NOTES[name])
    const all = `coalesce(string_agg(${row}, ',' ORDER BY ${row}), '')`
    return `(SELECT concat(count(*), ' rows ', md5(${all})) FROM ${name} AS t) AS ${name}`
  })
  const { rows } = await db.raw<{ rows: Fingerprint[] }>(`SELECT ${columns.join(', ')}`)
  return { ...rows[0] }
}

const textWithout = (columns: readonly string[]) =>
  `(to_jsonb(t) - '{${columns.join(',')}}'::text[])::text`

/** The tables that are not what they were. */
export const differences = (before: Fingerprint, after: Fingerprint): string[] =>
  Object.keys(after).filter((table) => after[table] !== before[table])
