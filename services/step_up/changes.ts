/** How step-up rules change: one begins, and one day it ends. */
import type { Knex } from 'knex'
import { answerOnce, type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import { fromRow, type Row, type StepUpRule } from './rules.ts'

type NewStepUpRule = Omit<StepUpRule, 'id' | 'validTo' | 'validFrom'> & {
  /** Now, where it is undefined or past. */
  readonly validFrom: Date | undefined
}

/** Another rule only ever asks for more: of those that bind, one is enough. */
export async function addStepUpRule(context: Context, rule: NewStepUpRule): Promise<StepUpRule> {
  const at = context.now()
  const { validFrom = at } = rule
  const made = { ...rule, id: newId(), validFrom: validFrom < at ? at : validFrom, validTo: null }
  await context.db.transaction(async (trx) => {
    await trx('step_up_rules').insert({
      ...{ id: made.id, kind: made.kind, currency: made.currency },
      ...{ amount_from: made.amountFrom.toString(), window_s: made.window_s },
      ...{ rails: made.rails, tier: made.tier, valid_from: made.validFrom },
      ...{ created_by: made.createdBy, created_at: at },
    })
    const subject = publicId('sur', made.id)
    await recordSecurity({ ...context, db: trx }, { kind: 'step_up_rule_added', subject })
  })
  context.stepUpRules.changed()
  return made
}

/**
 * Ends a rule, once for the claim: from then on less is asked for.
 * @param end not before now: what was asked for yesterday is history.
 * @throws {ServiceError} `not_found` where there is none that could still end.
 */
export async function endStepUpRule(
  context: Context,
  id: Uuid,
  end: Date | undefined,
  claim: Claim,
): Promise<Outcome> {
  const at = context.now()
  const validTo = end === undefined || end < at ? at : end
  const outcome = await answerOnce(context.db, claim, async (trx) => {
    const [ended]: Row[] = await trx('step_up_rules')
      .where({ id })
      .where(stillBinding(at))
      .update({ valid_to: trx.raw('greatest(valid_from, ?::timestamptz)', [validTo]) })
      .returning('*')
    if (ended === undefined) throw new ServiceError('not_found')
    const subject = publicId('sur', id)
    await recordSecurity({ ...context, db: trx }, { kind: 'step_up_rule_ended', subject })
    return JSON.stringify(ruleOut(fromRow(ended)))
  })
  context.stepUpRules.changed()
  return outcome
}

/** @throws {ServiceError} `not_found` where there is none that could still end. */
export async function refuseEnded({ db, now }: Context, id: Uuid): Promise<void> {
  const open = await db('step_up_rules').where({ id }).where(stillBinding(now())).first('id')
  if (open === undefined) throw new ServiceError('not_found')
}

const stillBinding = (at: Date) => (open: Knex.QueryBuilder) =>
  void open.whereNull('valid_to').orWhere('valid_to', '>', at)

/** A rule as the API shows it. */
export const ruleOut = (rule: StepUpRule) => ({
  ...{ id: publicId('sur', rule.id), kind: rule.kind, currency: rule.currency },
  ...{ amount_from: rule.amountFrom.toString(), window_s: rule.window_s },
  ...{ rails: rule.rails, tier: rule.tier, valid_from: rule.validFrom.toISOString() },
  ...{ valid_to: rule.validTo?.toISOString() ?? null, created_by: rule.createdBy },
})
