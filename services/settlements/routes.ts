/** Settlements over HTTP. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { WAY_REFUSALS } from '../banks/refusals.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { CurrencyCode, listOf, page, pageQuery, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { findSettlement, findSettlements, settlementOut } from './batch.ts'
import { settle } from './settle.ts'

const SignedAmount = z.string().regex(/^-?[0-9]+$/)
const Count = z.string().regex(/^[0-9]+$/)

const SettlementOut = z
  .strictObject({
    id: idOut('set'),
    merchant: idOut('mer'),
    number: z.int().describe('1, 2, 3, ... of the merchant in this currency'),
    currency: CurrencyCode,
    state: z
      .enum(['processing', 'settled', 'failed', 'returned', 'carried'])
      .describe('Of the payout; carried: there is none, the next batch begins with it'),
    bank_account: idOut('bac').nullable(),
    from_entry: Count.describe('The last entry of the batch before'),
    to_entry: Count.describe('Its own last entry: each entry is in exactly one batch'),
    cut_off: Timestamp.nullable().describe('It covers what was recorded before'),
    payments: z.int().describe('Payments, and captures of payments'),
    gross: SignedAmount.describe('Of the payments, minor units like all amounts'),
    fee: SignedAmount.describe('Taken off'),
    tax: SignedAmount.describe('Taken off'),
    refunds: SignedAmount.describe('From here on signed: below zero where it was taken'),
    fees_returned: SignedAmount,
    reserves: SignedAmount,
    disputes: SignedAmount,
    reversals: SignedAmount,
    returned_payouts: SignedAmount.describe('Payouts of earlier batches that failed'),
    splits: SignedAmount,
    other: SignedAmount,
    net: SignedAmount.describe('What all of these come to'),
    carried_in: SignedAmount.describe('What the batch before left over, or is owed'),
    total: SignedAmount.describe('carried_in + net'),
    payout: Count.describe('What goes to the bank account'),
    carried_out: SignedAmount.describe('total - payout'),
    failure: z.string().nullable(),
    created_at: Timestamp,
    changed_at: Timestamp,
  })
  .meta({ id: 'Settlement' })

/** Operators see every merchant's. */
const visibleTo = (caller: Extract<Caller, { scope: 'merchant' | 'operator' }>) =>
  caller.scope === 'merchant' ? caller.merchant : undefined

const ofBatch = { params: z.strictObject({ id: idIn('set') }), tag: 'Settlements' } as const
const scopes = ['merchant', 'operator'] as const

const making = endpoint({
  ...{ method: 'POST', path: '/v1/settlements', tag: 'Settlements', scopes: ['merchant'] },
  summary: 'Pay out what there is, net of fees, now',
  // It adds up all that is not settled yet, under the lock of the account.
  ...{ idempotency: 'required', rate: 'money' },
  body: z.strictObject({ currency: CurrencyCode, bank_account: idIn('bac').optional() }),
  answers: { 202: SettlementOut },
  refusals: [
    ...(['bank_account_not_found', 'nothing_to_settle', 'settlement_exists'] as const),
    ...WAY_REFUSALS.credit,
    ...(['bank_account_not_reviewed', 'currency_unknown', 'insufficient_funds'] as const),
    ...(['account_closed', 'account_frozen', 'merchant_not_active'] as const),
  ],
  handle: (context, { caller, body, claim }) => {
    if (!isCurrency(body.currency)) throw new ServiceError('currency_unknown')
    if (claim === undefined) throw new ServiceError('idempotency_key_missing')
    const request = { currency: body.currency, bankAccount: body.bank_account }
    return settle(context, caller.merchant, request, claim)
  },
})

export const settlementEndpoints = [
  making,
  endpoint({
    ...{ method: 'GET', path: '/v1/settlements', summary: 'Batches, newest first' },
    ...{ tag: 'Settlements', scopes },
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
    ...{ method: 'GET', path: '/v1/settlements/:id', summary: 'A batch', ...ofBatch, scopes },
    answers: { 200: SettlementOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const batch = await findSettlement(context.db, params.id, visibleTo(caller))
      if (batch === undefined) throw new ServiceError('not_found')
      return { status: 200, body: settlementOut(batch) }
    },
  }),
]
