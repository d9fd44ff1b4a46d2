/** How step-up rules change: one begins, and one day it ends. */
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { fromRow, type Row, type StepUpRule } from './rules.ts'

type NewStepUpRule = Omit<StepUpRule, 'id' | 'validTo' | 'validFrom'> & {
  /** Now, where it is undefined or past. */
  readonly validFrom: Date | undefined
}

/** Another rule only ever asks for more: of those that bind, one is enough. */
export async function addStepUpRule(
  { db, now, stepUpRules }: Context,
  rule: NewStepUpRule,
): Promise<StepUpRule> {
  const at = now()
  const { validFrom = at } = rule
  const made = { ...rule, id: newId(), validFrom: validFrom < at ? at : validFrom, validTo: null }
  await db('step_up_rules').insert({
    ...{ id: made.id, kind: made.kind, currency: made.currency },
    ...{ amount_from: made.amountFrom.toString(), window_s: made.window_s },
    ...{ rails: made.rails, tier: made.tier, valid_from: made.validFrom },
    ...{ created_by: made.createdBy, created_at: at },
  })
  stepUpRules.changed()
  return made
}

/**
 * Ends a rule: from then on less is asked for. Undefined where there is none that could still end.
 * @param end not before now: what was asked for yesterday is history.
 */
export async function endStepUpRule(
  { db, now, stepUpRules }: Context,
  id: Uuid,
  end: Date | undefined,
): Promise<StepUpRule | undefined> {
  const at = now()
  const validTo = end === undefined || end < at ? at : end
  const rows: Row[] = await db('step_up_rules')
    .where({ id })
    .where((open) => void open.whereNull('valid_to').orWhere('valid_to', '>', at))
    .update({ valid_to: db.raw('greatest(valid_from, ?::timestamptz)', [validTo]) })
    .returning('*')
  stepUpRules.changed()
  return rows[0] && fromRow(rows[0])
}
