/** How many dated rules of a kind there may be: every payment asks all that are in force. */
import type { Knex } from 'knex'
import { ServiceError } from '../errors.ts'

type Bounded = 'limit_rules' | 'step_up_rules'

/** More than so many in force or to come is a mistake. */
const RULES_MAX = 1_000

/** Those in force and those to come, the oldest first. */
export async function loadOpenRules<Row>(db: Knex, table: Bounded, now: Date): Promise<Row[]> {
  const rows: Row[] = await open(db, table, now)
    .orderBy('id')
    .limit(RULES_MAX + 1)
  if (rows.length > RULES_MAX) throw new Error(`more than ${RULES_MAX} ${table} are in force`)
  return rows
}

/**
 * With one too many nothing could be paid at all. Whoever counts is alone until `trx` ends, or two
 * would both find room for one.
 * @throws {ServiceError} `too_many_rules`
 */
export async function refuseTooMany(
  trx: Knex.Transaction,
  table: Bounded,
  now: Date,
): Promise<void> {
  await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [table])
  const { length } = await open(trx, table, now).limit(RULES_MAX).select('id')
  if (length >= RULES_MAX) throw new ServiceError('too_many_rules')
}

const open = (db: Knex, table: Bounded, now: Date) =>
  db(table).where((either) => void either.whereNull('valid_to').orWhere('valid_to', '>', now))
