/** How limits change: a rule begins, and one day it ends. */
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { fromRow, type LimitRule, type Row } from './rules.ts'

/** Another rule only ever allows less: the strictest of those that bind decides. */
export async function addRule(
  { db, now, limits }: Context,
  rule: Omit<LimitRule, 'id' | 'validTo' | 'validFrom'> & { readonly validFrom: Date | undefined },
): Promise<LimitRule> {
  const at = now()
  const { validFrom = at } = rule
  const made = { ...rule, id: newId(), validFrom: validFrom < at ? at : validFrom, validTo: null }
  await db('limit_rules').insert({
    ...{ id: made.id, scope: made.scope, period: made.period, currency: made.currency },
    ...{ amount_max: made.amountMax?.toString(), count_max: made.countMax?.toString() },
    ...{ tier: made.tier, rails: made.rails, after_change: made.afterChange },
    ...{ valid_from: made.validFrom, created_by: made.createdBy, created_at: at },
  })
  limits.changed()
  return made
}

/**
 * Ends a rule: from then on more is allowed. Undefined where there is none that could still end.
 * @param end not before now: what was allowed yesterday is history.
 */
export async function endRule(
  { db, now, limits }: Context,
  id: Uuid,
  end: Date | undefined,
): Promise<LimitRule | undefined> {
  const at = now()
  const validTo = end === undefined || end < at ? at : end
  const rows: Row[] = await db('limit_rules')
    .where({ id })
    .where('valid_from', '<', validTo)
    .where((open) => void open.whereNull('valid_to').orWhere('valid_to', '>', at))
    .update({ valid_to: validTo })
    .returning('*')
  limits.changed()
  return rows[0] && fromRow(rows[0])
}
