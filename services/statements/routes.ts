/** Merchants' statements over HTTP, as files of any length. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { CurrencyCode, listOf, PAGE_MAX, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { findSettlement, payoutsWithin, type Settlement } from '../settlements/batch.ts'
import { type Line, lineOut, linesOf } from '../settlements/lines.ts'
import { fileOf, FORMATS } from './formats.ts'
import { batchStatement, monthStatement } from './statement.ts'

const TAG = 'Settlements'
const scopes = ['merchant', 'operator'] as const
const otherTypes = ['text/csv', 'application/xml', 'application/pdf'] as const

const Month = z
  .string()
  .regex(/^20[0-9]{2}-(?:0[1-9]|1[0-2])$/)
  .describe('Such as 2026-11')
const Format = z.enum(FORMATS).describe('camt053: ISO 20022, for accounting')

const SignedAmount = z.string().regex(/^-?[0-9]+$/)

const LineOut = z
  .strictObject({
    id: z.string().describe('The payment, or whatever else it is about'),
    entry: SignedAmount.describe('Its last entry in the account'),
    code: z.string().describe('payment, refund, reserve, dispute, payout_rejected, ...'),
    order_reference: z
      .string()
      .nullable()
      .describe('The merchant’s own, of the order that was paid'),
    gross: SignedAmount,
    fee: SignedAmount,
    tax: SignedAmount,
    net: SignedAmount.describe('gross - fee - tax'),
    at: Timestamp,
  })
  .meta({ id: 'SettlementLine' })

const StatementOut = z
  .strictObject({
    id: z.string(),
    title: z.string(),
    merchant: z.strictObject({ id: idOut('mer'), name: z.string() }),
    currency: CurrencyCode,
    time_zone: z.string(),
    from: Timestamp,
    to: Timestamp.describe('The moment after the last'),
    opening_balance: SignedAmount,
    closing_balance: SignedAmount.describe('opening_balance + net - payouts'),
    payments: z.int(),
    gross: SignedAmount,
    fee: SignedAmount,
    tax: SignedAmount,
    net: SignedAmount,
    payouts: SignedAmount,
    lines: z.array(LineOut),
  })
  .meta({ id: 'MerchantStatement' })

async function pageOf(
  { db }: Context,
  { account, fromEntry, toEntry }: Settlement,
  { cursor, limit }: { readonly cursor: bigint | undefined; readonly limit: number },
): Promise<Line[]> {
  const beyond = cursor !== undefined && cursor > fromEntry ? cursor : fromEntry
  const within = { beyond, last: toEntry }
  const without = (await payoutsWithin(db, account, within)).map(({ entry }) => entry)
  const lines: Line[] = []
  for await (const line of linesOf(db, account, { ...within, without, batch: 4 * limit })) {
    lines.push(line)
    if (lines.length === limit) break
  }
  return lines
}

/** A page of lines, or with a format all of them as a file. */
const batchEndpoint = endpoint({
  ...{ method: 'GET', path: '/v1/settlements/:id/statement', tag: TAG, scopes },
  summary: 'The lines of a batch: a page, or as JSON, CSV, camt.053 or PDF all of them',
  params: z.strictObject({ id: idIn('set') }),
  query: z.strictObject({
    limit: z
      .string()
      .regex(/^[1-9][0-9]{0,2}$/)
      .default('20')
      .transform((digits) => Math.min(Number(digits), PAGE_MAX)),
    cursor: z
      .string()
      .regex(/^[1-9][0-9]{0,17}$/)
      .transform(BigInt)
      .optional(),
    format: Format.optional(),
  }),
  answers: { 200: z.union([listOf(LineOut), StatementOut]) },
  otherTypes,
  refusals: ['not_found', 'saturated'],
  handle: async (context, { caller, params, query: { format, limit, cursor } }) => {
    const merchant = caller.scope === 'merchant' ? caller.merchant : undefined
    const batch = await findSettlement(context.db, params.id, merchant)
    if (batch === undefined) throw new ServiceError('not_found')
    if (format !== undefined) {
      const statement = await batchStatement(context, batch)
      return { status: 200, ...fileOf(statement, format, { kind: 'batch', at: context.now() }) }
    }
    const lines = await pageOf(context, batch, { cursor, limit })
    const next_cursor = lines.length < limit ? null : (lines.at(-1)?.entry.toString() ?? null)
    return { status: 200, body: { data: lines.map(lineOut), next_cursor } }
  },
})

export const merchantStatementEndpoints = [
  batchEndpoint,
  endpoint({
    ...{ method: 'GET', path: '/v1/merchants/:id/statements/:month', tag: TAG, scopes },
    summary: 'All that moved a merchant’s account in a month: JSON, CSV, camt.053 or PDF',
    params: z.strictObject({ id: idIn('mer'), month: Month }),
    query: z.strictObject({ currency: CurrencyCode, format: Format.default('json') }),
    answers: { 200: StatementOut },
    otherTypes,
    refusals: ['not_found', 'currency_unknown', 'saturated'],
    handle: async (context, { caller, params, query: { currency, format } }) => {
      const { id: merchant, month } = params
      if (caller.scope === 'merchant' && caller.merchant !== merchant) {
        throw new ServiceError('not_found')
      }
      if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
      const statement = await monthStatement(context, { merchant, currency, month })
      return { status: 200, ...fileOf(statement, format, { kind: 'month', at: context.now() }) }
    },
  }),
]
