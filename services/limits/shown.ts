/** Limits as the API shows them. */
import { publicId } from '../ids.ts'
import type { LimitRule } from './rules.ts'

/** A rule as the API shows it. */
export const ruleOut = (rule: LimitRule) => ({
  ...{ id: publicId('lim', rule.id), ...termsOut(rule) },
  valid_from: rule.validFrom.toISOString(),
  valid_to: rule.validTo?.toISOString() ?? null,
  created_by: rule.createdBy,
})

/** What it says. */
export const termsOut = (rule: LimitRule) => ({
  ...{ scope: rule.scope, period: rule.period, currency: rule.currency },
  amount_max: rule.amountMax?.toString() ?? null,
  count_max: rule.countMax === null ? null : Number(rule.countMax),
  ...{ tier: rule.tier, rails: rule.rails, after_change: rule.afterChange },
})
