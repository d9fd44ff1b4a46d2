/** How limits change: a rule begins, and one day it ends. */
import type { Knex } from 'knex'
import { answerOnce, type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import { fromRow, type LimitRule, type Row } from './rules.ts'
import { ruleOut } from './shown.ts'

/** Another rule only ever allows less: the strictest of those that bind decides. */
export async function addRule(
  context: Context,
  rule: Omit<LimitRule, 'id' | 'validTo' | 'validFrom'> & { readonly validFrom: Date | undefined },
): Promise<LimitRule> {
  const at = context.now()
  const { validFrom = at } = rule
  const made = { ...rule, id: newId(), validFrom: validFrom < at ? at : validFrom, validTo: null }
  await context.db.transaction(async (trx) => {
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

/**
 * Ends a rule, once for the claim: from then on more is allowed.
 * @param end not before now: what was allowed yesterday is history.
 * @throws {ServiceError} `not_found` where there is none that could still end.
 */
export async function endRule(
  context: Context,
  id: Uuid,
  end: Date | undefined,
  claim: Claim,
): Promise<Outcome> {
  const at = context.now()
  const validTo = end === undefined || end < at ? at : end
  const outcome = await answerOnce(context.db, claim, async (trx) => {
    const [ended]: Row[] = await trx('limit_rules')
      .where({ id })
      .where('valid_from', '<', validTo)
      .where(stillBinding(at))
      .update({ valid_to: validTo })
      .returning('*')
    if (ended === undefined) throw new ServiceError('not_found')
    const subject = publicId('lim', id)
    await recordSecurity({ ...context, db: trx }, { kind: 'limit_rule_ended', subject })
    return JSON.stringify(ruleOut(fromRow(ended)))
  })
  context.limits.changed()
  return outcome
}

/** @throws {ServiceError} `not_found` where there is none that could still end. */
export async function refuseEnded({ db, now }: Context, id: Uuid): Promise<void> {
  const open = await db('limit_rules').where({ id }).where(stillBinding(now())).first('id')
  if (open === undefined) throw new ServiceError('not_found')
}

const stillBinding = (at: Date) => (open: Knex.QueryBuilder) =>
  void open.whereNull('valid_to').orWhere('valid_to', '>', at)
