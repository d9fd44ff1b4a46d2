/** Step-up rules over HTTP: when a payment needs a second factor. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { CurrencyCode, listOf, page, pageQuery, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { endRule, refuseEnded } from '../rules/end.ts'
import { addStepUpRule, ruleOut, STEP_UP_RULES } from './changes.ts'
import { findStepUpRules, STEP_UP_KINDS } from './rules.ts'

const TAG = 'Step-up'
const YEAR_S = 31_536_000

const Rail = z.enum(['wallet', 'order', 'bank', 'top_up', 'withdrawal', 'exchange'])
const Minimum = z.string().regex(/^(0|[1-9][0-9]{0,14})$/)
const Tier = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/)

const TERMS = {
  kind: z
    .enum(STEP_UP_KINDS)
    .describe('amount: whatever is worth `amount_from`; the others: what is new to the payer'),
  currency: CurrencyCode.nullable().describe('Null: all'),
  amount_from: Minimum.describe('Minor units; for less no second factor is asked for'),
  window_s: z.int().min(1).max(YEAR_S).nullable().describe('For how long something is new'),
  rails: z.array(Rail).min(1).max(6).nullable().describe('Null: every way of moving money'),
  tier: Tier.nullable().describe('Null: everybody'),
}

const NewRule = z
  .strictObject({
    ...TERMS,
    currency: TERMS.currency.default(null),
    amount_from: Minimum.default('0'),
    window_s: TERMS.window_s.default(null),
    rails: TERMS.rails.default(null),
    tier: TERMS.tier.default(null),
    valid_from: z.iso.datetime().optional().describe('Now, where left out or past'),
  })
  .refine(({ kind, window_s }) => (kind === 'amount') === (window_s === null), {
    path: ['window_s'],
    message: 'is needed for what is new, and for nothing else',
  })
  .refine(({ amount_from, currency }) => amount_from === '0' || currency !== null, {
    path: ['currency'],
    message: 'an amount is of a currency',
  })

const RuleOut = z
  .strictObject({
    id: idOut('sur'),
    ...TERMS,
    valid_from: Timestamp,
    valid_to: Timestamp.nullable(),
    created_by: z.string(),
  })
  .meta({ id: 'StepUpRule' })

export const stepUpEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/step_up_rules', tag: TAG, scopes: ['operator'] },
    summary: 'Add a rule: it only ever asks for more',
    body: NewRule,
    answers: { 201: RuleOut },
    refusals: ['currency_unknown', 'too_many_rules'],
    handle: async (context, { caller, body }) => {
      const { kind, currency, amount_from, valid_from, window_s, rails, tier } = body
      if (currency !== null && !isCurrency(currency)) throw new ServiceError('currency_unknown')
      const rule = await addStepUpRule(context, {
        ...{ kind, currency, amountFrom: BigInt(amount_from), window_s, rails, tier },
        createdBy: caller.subject,
        validFrom: valid_from === undefined ? undefined : new Date(valid_from),
      })
      return { status: 201, body: ruleOut(rule) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/step_up_rules', tag: TAG, scopes: ['operator'] },
    summary: 'All rules that there are or were, newest first',
    query: pageQuery('sur'),
    answers: { 200: listOf(RuleOut) },
    refusals: [],
    handle: async ({ db }, { query: { limit, cursor } }) => {
      const found = await findStepUpRules(db, { before: cursor, limit })
      return { status: 200, body: page(found.map(ruleOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/step_up_rules/:id/end', tag: TAG, scopes: ['operator'] },
    summary: 'End a rule: from then on less is asked for',
    ...{ idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('sur') }),
    body: z.strictObject({
      valid_to: z.iso.datetime().optional().describe('Now, where left out or past'),
      reason: text(140),
    }),
    answers: { 200: RuleOut },
    refusals: ['not_found'],
    check: (context, { params }) => refuseEnded(context, STEP_UP_RULES, params.id),
    handle: (context, { params, body: { valid_to }, claim }) => {
      const end = valid_to === undefined ? undefined : new Date(valid_to)
      return endRule(context, STEP_UP_RULES, { id: params.id, end }, claimed(claim))
    },
  }),
]
