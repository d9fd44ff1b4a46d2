/** How a limit begins, and what ending one takes. */
import { newId } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { publicId } from '../ids.ts'
import { refuseTooMany } from '../rules/bound.ts'
import type { EndableRules } from '../rules/end.ts'
import { recordSecurity } from '../security/log.ts'
import { countsOf, fromRow, type LimitRule, type Row } from './rules.ts'
import { ruleOut } from './shown.ts'

type NewRule = Omit<LimitRule, 'id' | 'validTo' | 'validFrom' | 'counts'> & {
  /** At once where it is left out. */
  readonly validFrom: Date | undefined
}

/**
 * Another rule only ever allows less: the strictest of those that bind decides.
 * @throws {ServiceError} `too_many_rules`
 */
export async function addRule(context: Context, rule: NewRule): Promise<LimitRule> {
  const at = context.now()
  const { validFrom = at } = rule
  const dated = { validFrom: validFrom < at ? at : validFrom, validTo: null }
  const made = { ...rule, ...dated, id: newId(), counts: countsOf(rule) }
  await context.db.transaction(async (trx) => {
    await refuseTooMany(trx, 'limit_rules', at)
    await trx('limit_rules').insert({
      ...{ id: made.id, scope: made.scope, period: made.period, currency: made.currency },
      ...{ amount_max: made.amountMax?.toString(), count_max: made.countMax?.toString() },
      ...{ tier: made.tier, rails: made.rails, after_change: made.afterChange },
      ...{ valid_from: made.validFrom, created_by: made.createdBy, created_at: at },
    })
    const subject = publicId('lim', made.id)
    await recordSecurity({ ...context, db: trx }, { kind: 'limit_rule_added', subject })
  })
  context.limits.changed()
  return made
}

export const LIMITS: EndableRules<Row> = {
  ...{ table: 'limit_rules', id: 'lim', ended: 'limit_rule_ended' },
  shown: (row) => ruleOut(fromRow(row)),
  changed: ({ limits }) => limits.changed(),
}
