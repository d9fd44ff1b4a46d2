/** How a dated rule ends: once, by a date of its own, and for good. What it said is history. */
import type { Knex } from 'knex'
import { answerOnce, type Claim, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Kind, publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import type { SecurityKind } from '../security/kinds.ts'

/** A table of rules, and how its rules are shown and told of. */
export interface EndableRules<Row> {
  readonly table: 'limit_rules' | 'step_up_rules' | 'risk_rules'
  readonly id: Kind
  readonly ended: SecurityKind
  /** The rule as the API shows it. */
  readonly shown: (row: Row) => object
  /** Forgets what was read of them. */
  readonly changed: (context: Context) => void
}

export interface Ending {
  readonly id: Uuid
  /** Now, where it is undefined or past: what was in force yesterday was. */
  readonly end: Date | undefined
  /** What else the row keeps of it. */
  readonly columns?: Readonly<Record<string, string>>
}

/**
 * Ends a rule, once for the claim. One that has not begun by then never binds.
 * @throws {ServiceError} `not_found` where there is none that could still end.
 */
export async function endRule<Row>(
  context: Context,
  { table, id: kind, ended, shown, changed }: EndableRules<Row>,
  { id, end, columns = {} }: Ending,
  claim: Claim,
): Promise<Outcome> {
  const at = context.now()
  const validTo = end === undefined || end < at ? at : end
  const outcome = await answerOnce(context.db, claim, async (trx) => {
    const [row]: Row[] = await trx(table)
      .where({ id })
      .where(endableAt(at))
      .update({ valid_to: trx.raw('greatest(valid_from, ?::timestamptz)', [validTo]), ...columns })
      .returning('*')
    if (row === undefined) throw new ServiceError('not_found')
    await recordSecurity({ ...context, db: trx }, { kind: ended, subject: publicId(kind, id) })
    return JSON.stringify(shown(row))
  })
  changed(context)
  return outcome
}

/** @throws {ServiceError} `not_found` where there is none that could still end. */
export async function refuseEnded<Row>(
  { db, now }: Context,
  { table }: EndableRules<Row>,
  id: Uuid,
): Promise<void> {
  const open = await db(table).where({ id }).where(endableAt(now())).first('id')
  if (open === undefined) throw new ServiceError('not_found')
}

/** In force at `at` or later; one that ended before it began is neither. */
const endableAt = (at: Date) => (either: Knex.QueryBuilder) =>
  void either
    .whereNull('valid_to')
    .orWhere((open) => void open.where('valid_to', '>', at).whereRaw('valid_to > valid_from'))
