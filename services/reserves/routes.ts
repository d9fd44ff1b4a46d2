/** Reserves and their rules over HTTP. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import {
  Amount,
  CurrencyCode,
  listOf,
  MinorUnits,
  page,
  pageQuery,
  Percent,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { refuseUnknown } from '../merchants/merchants.ts'
import { findReserves, reserveOut, ruleOut, rulesOf } from './rows.ts'
import { addReserveRule } from './rule_changes.ts'
import type { ReserveTerms } from './rules.ts'

const TAG = 'Reserves'
const Kind = z.enum(['fixed', 'rolling'])
/** Five years: longer than anybody may dispute a payment. */
const DAYS_MAX = 1_830

const NewRule = z
  .strictObject({
    currency: CurrencyCode,
    kind: Kind.describe(
      'fixed: until so much is kept; rolling: a share of each day, for some days',
    ),
    amount: MinorUnits.optional().describe('Of a fixed reserve; nothing ends it'),
    percent: Percent.optional().describe('Of a rolling reserve; nothing ends it'),
    days: z.int().min(1).max(DAYS_MAX).optional().describe('Of a rolling reserve'),
    valid_from: z.iso.datetime({ precision: 3 }).optional().describe('Now, where left out or past'),
  })
  .refine(
    ({ kind, amount, percent, days }) =>
      kind === 'fixed'
        ? amount !== undefined && (percent ?? days) === undefined
        : amount === undefined && percent !== undefined && days !== undefined,
    { path: ['kind'], message: 'a fixed reserve has an amount, a rolling one percent and days' },
  )

const RuleOut = z
  .strictObject({
    id: idOut('rsr'),
    merchant: idOut('mer'),
    currency: CurrencyCode,
    kind: Kind,
    amount: z.string().nullable(),
    percent: z.string().nullable(),
    days: z.int().nullable(),
    valid_from: Timestamp,
    created_by: z.string(),
    approved_by: z.string().nullable(),
  })
  .meta({ id: 'ReserveRule' })

const ReserveOut = z
  .strictObject({
    id: idOut('rsv'),
    merchant: idOut('mer'),
    currency: CurrencyCode,
    kind: Kind,
    rule: idOut('rsr'),
    day: z.iso.date().describe('On which the merchant was paid, UTC'),
    amount: Amount,
    remaining: z.string().describe('What is neither released nor used for refunds and disputes'),
    release_at: Timestamp.nullable().describe('Null: as long as the rule asks for it'),
    created_at: Timestamp,
  })
  .meta({ id: 'Reserve' })

const termsOf = (body: z.output<typeof NewRule>): ReserveTerms =>
  body.kind === 'fixed'
    ? { kind: 'fixed', amount: BigInt(body.amount ?? 0) }
    : { kind: 'rolling', percent: body.percent ?? '0', days: body.days ?? 1 }

const RULES = '/v1/merchants/:id/reserve_rules'

export const reserveEndpoints = [
  endpoint({
    ...{ method: 'POST', path: RULES, tag: TAG, scopes: ['operator'] },
    summary: 'What is kept back from what a merchant is paid, from a moment on',
    ...{ idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('mer') }),
    body: NewRule,
    answers: { 201: RuleOut },
    refusals: ['not_found', 'currency_unknown', 'reserve_rule_exists'],
    check: ({ db }, { params }) => refuseUnknown(db, params.id),
    handle: (context, { caller, params: { id: merchant }, body, claim }) => {
      const { currency, valid_from: from } = body
      if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
      const who = { createdBy: caller.subject, approvedBy: caller.approvedBy ?? null }
      const validFrom = from === undefined ? undefined : new Date(from)
      const rule = { merchant, currency, terms: termsOf(body), validFrom, ...who }
      return addReserveRule(context, rule, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'GET', path: RULES, tag: TAG, scopes: ['merchant', 'operator'] },
    summary: 'The rules that there are or were, newest first; the newest valid of a kind counts',
    params: z.strictObject({ id: idIn('mer') }),
    answers: { 200: z.strictObject({ data: z.array(RuleOut) }) },
    refusals: ['not_found'],
    handle: async ({ db }, { caller, params: { id } }) => {
      if (caller.scope === 'merchant' && caller.merchant !== id) throw new ServiceError('not_found')
      await refuseUnknown(db, id)
      return { status: 200, body: { data: (await rulesOf(db, id)).map(ruleOut) } }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/reserves', tag: TAG, scopes: ['merchant', 'operator'] },
    summary: 'What is or was kept back, newest first, and when it is released',
    query: pageQuery('rsv'),
    answers: { 200: listOf(ReserveOut) },
    refusals: [],
    handle: async ({ db }, { caller, query: { limit, cursor } }) => {
      const merchant = caller.scope === 'merchant' ? caller.merchant : undefined
      const found = await findReserves(db, { merchant, before: cursor, limit })
      return { status: 200, body: page(found.map(reserveOut), limit) }
    },
  }),
]
