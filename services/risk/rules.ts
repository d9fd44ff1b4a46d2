/** Operators write risk rules, and may end them; nobody changes one. */
import type { Knex } from 'knex'
import { type Claim, newId, newUnitId, type Outcome, type Uuid } from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import type { EndableRules } from '../rules/end.ts'
import { securityCompanion } from '../security/log.ts'
import { type Row, ruleFrom, ruleRow, RULES_MAX } from './rows.ts'
import type { Rule } from './verdict.ts'

/** All that an operator says of it. */
export type NewRule = Pick<
  Rule,
  'kind' | 'parameters' | 'rails' | 'tier' | 'currency' | 'verdict' | 'whenUnavailable' | 'reason'
> & {
  /** At once where it is left out. */
  readonly validFrom: Date | undefined
}

/**
 * The rule is in force in this process with the answer, in others within `RULES_AGE_MS`.
 * @throws {ServiceError} `too_many_rules`; `invalid_request` for what would begin in the past.
 */
export async function createRule(
  context: Context,
  rule: NewRule,
  createdBy: string,
  claim: Claim | undefined,
): Promise<Outcome> {
  const at = context.now()
  const { validFrom = at } = rule
  if (validFrom < at) {
    throw new ServiceError('invalid_request', { detail: 'valid_from: is in the past' })
  }
  await refuseTooMany(context)
  const dated = { validFrom, validTo: null, createdBy, endedBy: null, createdAt: at }
  const made = { ...rule, ...dated, id: newId() } as Rule
  const added = { kind: 'risk_rule_added', subject: publicId('rsk', made.id) } as const
  const outcome = await context.group.submit({
    ...{ id: newUnitId(), at, transfers: [], ...(claim && { claim }) },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const rows = {
        risk_rules: [ruleRow(made)],
        security_log: [securityCompanion(context, added)],
      }
      return { rows, answer: JSON.stringify(ruleOut(made)) }
    },
  })
  context.screen.rules.changed()
  return outcome
}

async function refuseTooMany({ db, now }: Context): Promise<void> {
  const [row] = await binding(db('risk_rules'), now()).count({ count: '*' })
  if (BigInt(row?.['count'] ?? 0) >= BigInt(RULES_MAX)) throw new ServiceError('too_many_rules')
}

/** In force at `at` or later. */
const binding = (query: Knex.QueryBuilder, at: Date) =>
  query.where((either) => void either.whereNull('valid_to').orWhere('valid_to', '>', at))

/** Newest first; those in force at `at` or later, or all. */
export async function findRules(
  db: Knex,
  {
    at,
    before,
    limit,
  }: { readonly at: Date | undefined; readonly before: Uuid | undefined; readonly limit: number },
) {
  const query = db('risk_rules').orderBy('id', 'desc').limit(limit)
  if (at !== undefined) void binding(query, at)
  if (before !== undefined) query.where('id', '<', before)
  return (await query).map((row) => ruleOut(ruleFrom(row)))
}

const ruleOut = (rule: Rule) => ({
  ...{ id: publicId('rsk', rule.id), kind: rule.kind, parameters: rule.parameters },
  ...{ rails: rule.rails, tier: rule.tier, currency: rule.currency, verdict: rule.verdict },
  ...{ when_unavailable: rule.whenUnavailable, reason: rule.reason },
  valid_from: rule.validFrom.toISOString(),
  valid_to: rule.validTo?.toISOString() ?? null,
  ...{ created_by: rule.createdBy, ended_by: rule.endedBy },
  created_at: rule.createdAt.toISOString(),
})

export const RISK_RULES: EndableRules<Row> = {
  ...{ table: 'risk_rules', id: 'rsk', ended: 'risk_rule_ended' },
  shown: (row) => ruleOut(ruleFrom(row)),
  changed: ({ screen }) => screen.rules.changed(),
}
