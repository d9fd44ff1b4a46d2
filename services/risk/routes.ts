/** Risk rules over HTTP. */
import { z } from 'zod'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { CurrencyCode, listOf, page, pageQuery, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { type RuleKind, RULE_KINDS, SCHEMAS } from './kinds.ts'
import { endRule, refuseEnded } from '../rules/end.ts'
import { createRule, findRules, type NewRule, RISK_RULES } from './rules.ts'
import { VERDICTS } from './verdict.ts'

const TAG = 'Risk'

const RAILS = ['wallet', 'order', 'bank', 'top_up', 'withdrawal', 'exchange'] as const
/** Where there is somebody to pay, and so something to hold. */
const PAYING: ReadonlySet<string> = new Set(['wallet', 'order', 'bank'])

const Tier = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/)

const COMMON = {
  rails: z
    .array(z.enum(RAILS))
    .min(1)
    .max(RAILS.length)
    .refine((rails) => new Set(rails).size === rails.length, 'names one twice')
    .describe('Which payments it is about; only wallet, order and bank can be held'),
  tier: Tier.nullable().default(null).describe('Of the payer; all where left out'),
  currency: CurrencyCode.nullable().default(null).describe('All where left out'),
  verdict: z.enum(['step_up', 'hold', 'refuse']),
  when_unavailable: z
    .enum(VERDICTS)
    .describe('What it says when a list cannot be asked or a country is not known'),
  reason: text(100).describe('For operators; payers never see it'),
  valid_from: z.iso
    .datetime({ offset: true })
    .refine((at) => !Number.isNaN(Date.parse(at)), 'is no moment')
    .optional()
    .describe('At once where left out'),
}

/** As it comes in, by kind; each kind has its own parameters. */
const NewRuleBody = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('amount'), parameters: SCHEMAS.amount, ...COMMON }),
    z.strictObject({ kind: z.literal('velocity'), parameters: SCHEMAS.velocity, ...COMMON }),
    z.strictObject({ kind: z.literal('new_payee'), parameters: SCHEMAS.new_payee, ...COMMON }),
    z.strictObject({ kind: z.literal('hour'), parameters: SCHEMAS.hour, ...COMMON }),
    z.strictObject({ kind: z.literal('country'), parameters: SCHEMAS.country, ...COMMON }),
    z.strictObject({ kind: z.literal('list'), parameters: SCHEMAS.list, ...COMMON }),
  ])
  .refine((rule) => rule.currency !== null || !countsMoney(rule.parameters), {
    path: ['currency'],
    message: 'is needed where an amount is',
  })
  .refine((rule) => !holds(rule) || rule.rails.every((rail) => PAYING.has(rail)), {
    path: ['rails'],
    message: 'only wallet, order and bank can be held',
  })
  .refine((rule) => rule.kind !== 'new_payee' || rule.rails.every((rail) => PAYING.has(rail)), {
    path: ['rails'],
    message: 'only wallet, order and bank have a payee',
  })
  .refine((rule) => rule.kind !== 'velocity' || !rule.rails.includes('exchange'), {
    path: ['rails'],
    message: 'exchanges are not counted',
  })

const countsMoney = (parameters: object) => 'above' in parameters || 'amount_max' in parameters
const holds = (rule: { readonly verdict: string; readonly when_unavailable: string }) =>
  rule.verdict === 'hold' || rule.when_unavailable === 'hold'

const RuleOut = z
  .strictObject({
    id: idOut('rsk'),
    kind: z.enum(RULE_KINDS as [RuleKind, ...RuleKind[]]),
    parameters: z.record(z.string(), z.unknown()),
    rails: z.array(z.enum(RAILS)),
    tier: z.string().nullable(),
    currency: CurrencyCode.nullable(),
    verdict: z.enum(['step_up', 'hold', 'refuse']),
    when_unavailable: z.enum(VERDICTS),
    reason: z.string(),
    valid_from: Timestamp,
    valid_to: Timestamp.nullable(),
    created_by: z.string(),
    ended_by: z.string().nullable(),
    created_at: Timestamp,
  })
  .meta({ id: 'RiskRule' })

export const riskEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/risk_rules', tag: TAG, scopes: ['operator'] },
    ...{ summary: 'Add a rule about payments', idempotency: 'optional' },
    body: NewRuleBody,
    answers: { 201: RuleOut },
    refusals: ['too_many_rules'],
    handle: (context, { caller, body, claim }) => {
      const { when_unavailable: whenUnavailable, valid_from: from, ...rule } = body
      const validFrom = from === undefined ? undefined : new Date(from)
      const asked = { ...rule, whenUnavailable, validFrom } as NewRule
      return createRule(context, asked, caller.subject, claim)
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/risk_rules', tag: TAG, scopes: ['operator'] },
    summary: 'Rules about payments, newest first',
    query: pageQuery('rsk').extend({
      state: z.enum(['all', 'binding']).default('binding').describe('In force now or later'),
    }),
    answers: { 200: listOf(RuleOut) },
    refusals: [],
    handle: async ({ db, now }, { query: { state, limit, cursor } }) => {
      const at = state === 'all' ? undefined : now()
      return { status: 200, body: page(await findRules(db, { at, before: cursor, limit }), limit) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/risk_rules/:id/end', tag: TAG, scopes: ['operator'] },
    ...{ summary: 'End a rule, for good', idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('rsk') }),
    body: z.strictObject({ reason: text(140) }),
    answers: { 200: RuleOut },
    refusals: ['not_found'],
    check: (context, { params }) => refuseEnded(context, RISK_RULES, params.id),
    handle: (context, { caller, params, claim }) => {
      const ending = { id: params.id, end: undefined, columns: { ended_by: caller.subject } }
      return endRule(context, RISK_RULES, ending, claimed(claim))
    },
  }),
]
