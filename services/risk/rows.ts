/** Risk rules as they are kept. */
import type { Knex } from 'knex'
import type { CompanionRow, Uuid } from '../../ledger/index.ts'
import { type RuleKind, SCHEMAS } from './kinds.ts'
import type { Rule } from './verdict.ts'

/** How many may be in force or ahead at a time: each is asked about each payment. */
export const RULES_MAX = 500

export interface Row {
  readonly id: Uuid
  readonly kind: RuleKind
  readonly parameters: unknown
  readonly rails: Rule['rails']
  readonly tier: string | null
  readonly currency: string | null
  readonly verdict: Rule['verdict']
  readonly when_unavailable: Rule['whenUnavailable']
  readonly reason: string
  readonly valid_from: Date
  readonly valid_to: Date | null
  readonly created_by: string
  readonly ended_by: string | null
  readonly created_at: Date
}

export const ruleFrom = (row: Row): Rule =>
  ({
    ...{ id: row.id, kind: row.kind, parameters: SCHEMAS[row.kind].parse(row.parameters) },
    ...{ rails: row.rails, tier: row.tier, currency: row.currency, verdict: row.verdict },
    ...{ whenUnavailable: row.when_unavailable, reason: row.reason },
    ...{ validFrom: row.valid_from, validTo: row.valid_to },
    ...{ createdBy: row.created_by, endedBy: row.ended_by, createdAt: row.created_at },
  }) as Rule

export const ruleRow = (rule: Rule): CompanionRow => ({
  ...{ id: rule.id, kind: rule.kind, parameters: rule.parameters, rails: rule.rails },
  ...{ tier: rule.tier, currency: rule.currency, verdict: rule.verdict },
  ...{ when_unavailable: rule.whenUnavailable, reason: rule.reason },
  ...{ valid_from: rule.validFrom, created_by: rule.createdBy, created_at: rule.createdAt },
})

/** Those in force now or later, the oldest first. */
export async function loadRules(db: Knex): Promise<Rule[]> {
  const rows: Row[] = await db('risk_rules')
    .where((either) => void either.whereNull('valid_to').orWhereRaw('valid_to > now()'))
    .orderBy('id')
    .limit(2 * RULES_MAX)
  return rows.map(ruleFrom)
}
