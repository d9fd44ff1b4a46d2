/** Merchants and their settlements over HTTP. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { CurrencyCode, listOf, page, pageQuery, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut, publicId } from '../ids.ts'
import { staffIssuer } from '../identity/staff.ts'
import { createMerchant } from './merchants.ts'
import { firstState } from './onboarding.ts'
import { FeeScheduleIn, FeeScheduleOut, newScheduleOf, priceEndpoints } from './prices_routes.ts'
import { MERCHANT_STATES } from './standing.ts'
import {
  findSettlement,
  findSettlements,
  linesOf,
  settle,
  settlementOut,
  type SettlementLine,
} from './settlements.ts'

const MerchantOut = z
  .strictObject({
    id: idOut('mer'),
    name: z.string(),
    alias: z.string(),
    subject: z.string(),
    state: z.enum(MERCHANT_STATES),
    fee_schedule: FeeScheduleOut,
    created_at: Timestamp,
  })
  .meta({ id: 'Merchant' })

const SettlementOut = z
  .strictObject({
    id: idOut('set'),
    merchant: idOut('mer'),
    bank_account: idOut('bac'),
    state: z.enum(['processing', 'settled', 'failed', 'returned']),
    payments: z.int(),
    gross: z.string(),
    fee: z.string(),
    tax: z.string(),
    net: z.string(),
    currency: CurrencyCode,
    failure: z.string().nullable(),
    created_at: Timestamp,
    changed_at: Timestamp,
  })
  .meta({ id: 'Settlement' })

const LineOut = z.strictObject({
  id: idOut('pay').describe('The payment'),
  gross: z.string(),
  fee: z.string(),
  tax: z.string(),
  net: z.string(),
})

const lineOut = (line: SettlementLine) => ({
  id: publicId('pay', line.payment),
  gross: line.gross.toString(),
  fee: line.fee.toString(),
  tax: line.tax.toString(),
  net: line.net.toString(),
})

/** Operators see every merchant's. */
const visibleTo = (caller: Extract<Caller, { scope: 'merchant' | 'operator' }>) =>
  caller.scope === 'merchant' ? caller.merchant : undefined

const merchantEndpoint = endpoint({
  ...{ method: 'POST', path: '/v1/merchants', summary: 'Take a merchant on' },
  ...{ tag: 'Merchants', scopes: ['operator'], idempotency: 'optional' },
  body: z.strictObject({
    name: text(100),
    alias: z.string().regex(/^[a-z0-9][a-z0-9_.]{1,31}$/),
    subject: text(64).describe('The subject of the tokens that act for the merchant'),
    issuer: text(200).optional().describe('Of those tokens; the first configured unless told'),
    fees: FeeScheduleIn,
    state: z
      .enum(['draft', 'active'])
      .optional()
      .describe('active at once is for where nobody has to review merchants: in the sandbox'),
  }),
  answers: { 201: MerchantOut },
  refusals: [
    ...(['alias_taken', 'merchant_subject_exists', 'currency_unknown', 'issuer_unknown'] as const),
    'second_person_required',
  ],
  handle: (context, { body: { fees, subject, issuer, state: asked, ...merchant }, ...request }) => {
    const { caller, claim } = request
    const state = firstState(context.config, asked)
    const staff = { issuer: staffIssuer(context.config, issuer), subject }
    const taken = { ...merchant, staff, by: caller.subject, fees: newScheduleOf(fees), state }
    return createMerchant(context, taken, claim)
  },
})

const settlementEndpoints = [
  endpoint({
    ...{
      method: 'POST',
      path: '/v1/settlements',
      summary: 'Pay out what is completed, net of fees',
    },
    ...{ tag: 'Settlements', scopes: ['merchant'], idempotency: 'required' },
    body: z.strictObject({ currency: CurrencyCode, bank_account: idIn('bac').optional() }),
    answers: { 202: SettlementOut },
    refusals: [
      ...(['bank_account_not_found', 'nothing_to_settle', 'payment_already_settled'] as const),
      ...(['currency_unknown', 'insufficient_funds', 'payment_changed'] as const),
      ...(['account_closed', 'account_frozen'] as const),
    ],
    handle: (context, { caller, body, claim }) => {
      if (!isCurrency(body.currency)) throw new ServiceError('currency_unknown')
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      const request = { currency: body.currency, bankAccount: body.bank_account }
      return settle(context, caller.merchant, request, claim)
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/settlements', summary: 'Batches, newest first' },
    ...{ tag: 'Settlements', scopes: ['merchant', 'operator'] },
    query: pageQuery('set'),
    answers: { 200: listOf(SettlementOut) },
    refusals: [],
    handle: async (context, { caller, query: { limit, cursor } }) => {
      const where = { merchant: visibleTo(caller), before: cursor, limit }
      const found = await findSettlements(context.db, where)
      return { status: 200, body: page(found.map(settlementOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/settlements/:id', summary: 'A batch' },
    ...{ tag: 'Settlements', scopes: ['merchant', 'operator'] },
    params: z.strictObject({ id: idIn('set') }),
    answers: { 200: SettlementOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const batch = await findSettlement(context.db, params.id, visibleTo(caller))
      if (batch === undefined) throw new ServiceError('not_found')
      return { status: 200, body: settlementOut(batch) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/settlements/:id/statement', summary: 'The payments of a batch' },
    ...{ tag: 'Settlements', scopes: ['merchant', 'operator'] },
    params: z.strictObject({ id: idIn('set') }),
    query: pageQuery('pay'),
    answers: { 200: listOf(LineOut) },
    refusals: ['not_found'],
    handle: async (context, { caller, params, query: { limit, cursor } }) => {
      const batch = await findSettlement(context.db, params.id, visibleTo(caller))
      if (batch === undefined) throw new ServiceError('not_found')
      const lines = await linesOf(context.db, batch.id, { after: cursor, limit })
      return { status: 200, body: page(lines.map(lineOut), limit) }
    },
  }),
]

export const merchantEndpoints = [merchantEndpoint, ...priceEndpoints, ...settlementEndpoints]
