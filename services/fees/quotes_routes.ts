/** What a payment would cost, over HTTP. */
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type CallerOf, endpoint } from '../http/endpoint.ts'
import { Amount, CurrencyCode, moneyOf } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { refuseUnknown } from '../merchants/merchants.ts'
import { findOrder } from '../orders/orders.ts'
import { priceOfOrder } from './order_price.ts'
import { FEE_LINE_KINDS } from './price.ts'
import { quoteFee, quoteOut } from './quotes.ts'
import { FEE_RAILS } from './terms.ts'

const QuoteIn = z.strictObject({
  order: idIn('ord').optional().describe('What a person asks about, and nothing else'),
  merchant: idIn('mer').optional().describe('Which one an operator asks about'),
  fee_schedule: idIn('fee').optional().describe('A draft or a version; operators only'),
  amount: Amount.optional(),
  currency: CurrencyCode.optional(),
  rail: z.enum(FEE_RAILS).default('wallet'),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .optional()
    .describe('Where the payer would be from'),
})

const FeeLineOut = z.strictObject({
  kind: z.enum(FEE_LINE_KINDS),
  amount: z.string(),
  currency: CurrencyCode,
  description: z.string(),
})

const QuoteOut = z
  .strictObject({
    amount: Amount.describe('What the merchant asks for'),
    currency: CurrencyCode,
    fee: z.string(),
    tax: z.string(),
    net: z.string(),
    surcharge: z.string().describe('Fee and tax, where the payer bears them'),
    total: Amount.describe('What the payer pays'),
    fee_lines: z.array(FeeLineOut),
    fee_schedule: idOut('fee'),
    version: z.int(),
    volume: z.string().describe('Paid this month before today, if the price depends on it'),
  })
  .meta({ id: 'FeeQuote' })

/** What the payer of an order is told: what they would bear, nothing of the merchant's price. */
const OrderQuoteOut = QuoteOut.pick({
  ...{ amount: true, currency: true, surcharge: true, total: true, fee_lines: true },
}).meta({ id: 'SurchargeQuote' })

type Body = z.output<typeof QuoteIn>

const wrong = (detail: string) => new ServiceError('invalid_request', { detail })

async function forPerson(context: Context, caller: CallerOf<'person'>, body: Body) {
  const { order: id, rail, amount: filledIn, ...more } = body
  if (id === undefined || Object.keys(more).length > 0) throw wrong('order: is what is asked about')
  const order = await findOrder(context, id)
  if (order === undefined) throw new ServiceError('not_found')
  const standing = await (caller.standing ?? context.standings(caller.person.id))
  const asked = order.amount ?? filledIn
  if (asked === undefined || (order.amount !== null && filledIn !== undefined)) {
    throw wrong('amount: is said where the order has none, and only there')
  }
  const by = { rail, country: standing?.country ?? null, amount: BigInt(asked) }
  const { full, priced } = await priceOfOrder(context, order, by)
  const { amount, currency, surcharge, total, fee_lines } = quoteOut(priced.schedule, priced, full)
  const lines = surcharge === '0' ? [] : fee_lines
  return { amount, currency, surcharge, total, fee_lines: lines }
}

async function forMerchant(context: Context, merchant: Uuid, body: Body) {
  const { amount, currency, fee_schedule: schedule, rail, country = null } = body
  if (amount === undefined || currency === undefined || body.order !== undefined) {
    throw wrong('amount: and currency are what is asked about')
  }
  return quoteFee(context, {
    merchant,
    schedule,
    money: moneyOf({ amount, currency }),
    rail,
    country,
  })
}

export const quoteEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/fee_quotes', tag: 'Fees' },
    scopes: ['merchant', 'operator', 'person'],
    summary: 'What a payment would cost, line by line; for its payer, what they would bear of it',
    body: QuoteIn,
    answers: { 200: z.union([QuoteOut, OrderQuoteOut]) },
    refusals: [
      ...(['not_found', 'currency_unknown', 'fee_schedule_not_found'] as const),
      ...(['fee_exceeds_amount', 'forbidden'] as const),
    ],
    async handle(context, { caller, body }) {
      if (caller.scope === 'person')
        return { status: 200, body: await forPerson(context, caller, body) }
      if (caller.scope === 'merchant') {
        if ((body.fee_schedule ?? body.merchant) !== undefined) throw new ServiceError('forbidden')
        return { status: 200, body: await forMerchant(context, caller.merchant, body) }
      }
      if (body.merchant === undefined) throw wrong('merchant: whose payment it would be')
      await refuseUnknown(context.db, body.merchant)
      return { status: 200, body: await forMerchant(context, body.merchant, body) }
    },
  }),
]
