/** How a step-up rule begins, and what ending one takes. */
import { newId } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { publicId } from '../ids.ts'
import { refuseTooMany } from '../rules/bound.ts'
import type { EndableRules } from '../rules/end.ts'
import { recordSecurity } from '../security/log.ts'
import { fromRow, type Row, type StepUpRule } from './rules.ts'

type NewStepUpRule = Omit<StepUpRule, 'id' | 'validTo' | 'validFrom'> & {
  /** Now, where it is undefined or past. */
  readonly validFrom: Date | undefined
}

/**
 * Another rule only ever asks for more: of those that bind, one is enough.
 * @throws {ServiceError} `too_many_rules`
 */
export async function addStepUpRule(context: Context, rule: NewStepUpRule): Promise<StepUpRule> {
  const at = context.now()
  const { validFrom = at } = rule
  const made = { ...rule, id: newId(), validFrom: validFrom < at ? at : validFrom, validTo: null }
  await context.db.transaction(async (trx) => {
    await refuseTooMany(trx, 'step_up_rules', at)
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

/** A rule as the API shows it. */
export const ruleOut = (rule: StepUpRule) => ({
  ...{ id: publicId('sur', rule.id), kind: rule.kind, currency: rule.currency },
  ...{ amount_from: rule.amountFrom.toString(), window_s: rule.window_s },
  ...{ rails: rule.rails, tier: rule.tier, valid_from: rule.validFrom.toISOString() },
  ...{ valid_to: rule.validTo?.toISOString() ?? null, created_by: rule.createdBy },
})

export const STEP_UP_RULES: EndableRules<Row> = {
  ...{ table: 'step_up_rules', id: 'sur', ended: 'step_up_rule_ended' },
  shown: (row) => ruleOut(fromRow(row)),
  changed: ({ stepUpRules }) => stepUpRules.changed(),
}
