/** Limits over HTTP: what is in force, how it changes, and what a person has left of it. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { CurrencyCode, listOf, page, pageQuery, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { endRule, refuseEnded } from '../rules/end.ts'
import { addRule, LIMITS } from './changes.ts'
import { type Left, limitsOf } from './left.ts'
import { findRules } from './rules.ts'
import { ruleOut, termsOut } from './shown.ts'

const TAG = 'Limits'

const Rail = z
  .enum(['wallet', 'order', 'bank', 'top_up', 'withdrawal', 'exchange'])
  .describe('wallet: to a person; order: to a merchant; bank: either, from a bank account')
const Maximum = z.string().regex(/^(0|[1-9][0-9]{0,14})$/)
const Tier = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/)

const TERMS = {
  scope: z.enum(['payer', 'payee']).describe('payee: what goes to each payee by itself'),
  period: z.enum(['payment', 'day', 'week', 'month']),
  currency: CurrencyCode.nullable().describe('Null counts payments of all currencies together'),
  amount_max: Maximum.nullable().describe('Minor units'),
  count_max: z.int().min(0).max(1_000_000).nullable(),
  tier: Tier.nullable().describe('Null binds everybody'),
  rails: z.array(Rail).min(1).max(6).nullable().describe('Null: what leaves the payer'),
  after_change: z.boolean().describe('Binds only for a while after a factor was changed'),
}

const NewRule = z
  .strictObject({
    ...TERMS,
    currency: CurrencyCode.nullable().default(null),
    amount_max: Maximum.nullable().default(null),
    count_max: TERMS.count_max.default(null),
    tier: Tier.nullable().default(null),
    rails: TERMS.rails.default(null),
    after_change: z.boolean().default(false),
    valid_from: z.iso.datetime().optional().describe('Now, where left out or past'),
  })
  .refine(({ amount_max, count_max }) => amount_max !== null || count_max !== null, {
    path: ['amount_max'],
    message: 'an amount or a count is needed',
  })
  .refine(({ amount_max, currency }) => amount_max === null || currency !== null, {
    path: ['currency'],
    message: 'an amount is of a currency',
  })

const RuleOut = z
  .strictObject({
    id: idOut('lim'),
    ...TERMS,
    valid_from: Timestamp,
    valid_to: Timestamp.nullable(),
    created_by: z.string(),
  })
  .meta({ id: 'LimitRule' })

const LimitOut = z
  .strictObject({
    ...TERMS,
    amount_used: z.string().nullable().describe('Null where it is not counted over time'),
    count_used: z.int().nullable(),
    resets_on: z.iso.date().nullable(),
  })
  .meta({ id: 'Limit' })

const limitOut = ({ rule, used, resetsOn }: Left) => ({
  ...termsOut(rule),
  amount_used: used === null || rule.amountMax === null ? null : used.amount.toString(),
  count_used: used === null ? null : Number(used.count),
  resets_on: resetsOn,
})

export const limitEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/limits', tag: TAG, scopes: ['person'] },
    summary: 'What I may spend, and how much of it I have used',
    answers: { 200: z.strictObject({ data: z.array(LimitOut) }) },
    refusals: [],
    handle: async (context, { caller: { person } }) => {
      const standing = await context.standings(person.id)
      if (standing === undefined) throw new ServiceError('not_found')
      const limits = await limitsOf(context, person.id, standing)
      return { status: 200, body: { data: limits.map(limitOut) } }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/limit_rules', tag: TAG, scopes: ['operator'] },
    summary: 'Add a limit: the strictest of those in force decides, so this only ever allows less',
    body: NewRule,
    answers: { 201: RuleOut },
    refusals: ['currency_unknown', 'too_many_rules'],
    handle: async (context, { caller, body }) => {
      const { amount_max, count_max, currency, valid_from } = body
      if (currency !== null && !isCurrency(currency)) throw new ServiceError('currency_unknown')
      const rule = await addRule(context, {
        ...{ scope: body.scope, period: body.period, currency, tier: body.tier, rails: body.rails },
        amountMax: amount_max === null ? null : BigInt(amount_max),
        countMax: count_max === null ? null : BigInt(count_max),
        ...{ afterChange: body.after_change, createdBy: caller.subject },
        validFrom: valid_from === undefined ? undefined : new Date(valid_from),
      })
      return { status: 201, body: ruleOut(rule) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/limit_rules', tag: TAG, scopes: ['operator'] },
    summary: 'All limits that there are or were, newest first',
    query: pageQuery('lim'),
    answers: { 200: listOf(RuleOut) },
    refusals: [],
    handle: async ({ db }, { query: { limit, cursor } }) => {
      const found = await findRules(db, { before: cursor, limit })
      return { status: 200, body: page(found.map(ruleOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/limit_rules/:id/end', tag: TAG, scopes: ['operator'] },
    summary: 'End a limit: from then on people may spend more',
    ...{ idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('lim') }),
    body: z.strictObject({
      valid_to: z.iso.datetime().optional().describe('Now, where left out or past'),
      reason: text(140),
    }),
    answers: { 200: RuleOut },
    refusals: ['not_found'],
    check: (context, { params }) => refuseEnded(context, LIMITS, params.id),
    handle: (context, { params, body: { valid_to }, claim }) => {
      const end = valid_to === undefined ? undefined : new Date(valid_to)
      return endRule(context, LIMITS, { id: params.id, end }, claimed(claim))
    },
  }),
]
