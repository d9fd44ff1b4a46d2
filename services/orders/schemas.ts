/** Orders as they are asked for and as they are shown. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { Amount, CurrencyCode, MinorUnits, Percent, text, Timestamp } from '../http/schemas.ts'
import { Splits } from '../fees/splits.ts'
import { idOut } from '../ids.ts'
import { lineOf, totalsOf } from './lines.ts'
import type { ManualCapture, NewOrder } from './orders.ts'
import { ORDER_STATUSES } from './states.ts'

const DAY_S = 86_400
const LINES_MAX = 50
const QUANTITY_MAX = 100_000

const LineIn = z
  .strictObject({
    name: text(60),
    quantity: z.int().min(1).max(QUANTITY_MAX).default(1),
    unit_amount: Amount.describe('Minor units of the order’s currency, before tax'),
    product: text(64).optional().describe('The merchant’s own id of what is sold'),
    tax_percent: Percent.optional().describe(
      'Decimal text: "20" is 20 %; of the line, rounded half up',
    ),
    tax: MinorUnits.optional().describe('Minor units; instead of `tax_percent`'),
  })
  .refine(({ tax_percent, tax }) => tax_percent === undefined || tax === undefined, {
    path: ['tax'],
    message: 'say the tax as a rate or as an amount',
  })

/** What only an order with lines can say. */
const PARTS = ['subtotal', 'discount', 'shipping', 'tax'] as const

export const OrderIn = z
  .strictObject({
    reference: text(64).describe('The merchant’s own number; once per merchant'),
    description: text(140),
    amount: Amount.optional().describe('What is paid; may be left open where usage is reusable'),
    currency: CurrencyCode,
    lines: z.array(LineIn).min(1).max(LINES_MAX).optional(),
    subtotal: Amount.optional().describe('Of the lines; checked'),
    discount: MinorUnits.optional(),
    shipping: MinorUnits.optional(),
    tax: MinorUnits.optional().describe('Checked, where the lines say theirs'),
    usage: z
      .enum(['one_time', 'reusable'])
      .default('one_time')
      .describe('reusable: any number of payments may pay it, as with a printed QR code'),
    expires_in_s: z
      .int()
      .min(60)
      .max(30 * DAY_S)
      .optional()
      .describe('A day where left out, and never where usage is reusable'),
    capture: z
      .enum(['automatic', 'manual'])
      .default('automatic')
      .describe('manual: paying only holds the money, for the merchant to capture'),
    capture_within_s: z
      .int()
      .min(1)
      .max(30 * DAY_S)
      .optional()
      .describe('How long the money is held; 7 days where left out'),
    partial_captures: z
      .enum(['none', 'one', 'several'])
      .optional()
      .describe('Whether less than all may be captured, once or several times; none if left out'),
    splits: Splits.optional().describe('With whom the net is shared; not seen by who pays'),
  })
  .refine(
    ({ capture, capture_within_s, partial_captures }) =>
      capture === 'manual' || (capture_within_s ?? partial_captures) === undefined,
    { path: ['capture'], message: 'only what is captured manually can be held' },
  )
  .refine(({ amount, usage }) => amount !== undefined || usage === 'reusable', {
    path: ['amount'],
    message: 'is needed',
  })
  .refine(({ amount, lines }) => amount !== undefined || lines === undefined, {
    path: ['amount'],
    message: 'is needed where there are lines',
  })
  .refine((order) => order.lines !== undefined || PARTS.every((part) => !(part in order)), {
    path: ['lines'],
    message: 'are needed to say what the amount is the sum of',
  })

type Asked = z.output<typeof OrderIn>

/** @throws {ServiceError} `currency_unknown`, `order_total_mismatch` */
export function newOrderOf(body: Asked): NewOrder {
  const { reference, description, currency, expires_in_s } = body
  if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
  const reusable = body.usage === 'reusable'
  const amount = body.amount === undefined ? null : BigInt(body.amount)
  return {
    ...{ reference, description, currency, amount, reusable, manual: manualOf(body) },
    ...madeOf(body, amount),
    splits: body.splits ?? null,
    expiresIn_s: expires_in_s ?? (reusable ? undefined : DAY_S),
  }
}

function madeOf({ lines: asked, ...body }: Asked, amount: bigint | null) {
  if (asked === undefined || amount === null) return { lines: [], totals: null }
  const lines = asked.map(({ unit_amount, tax_percent, product = null, tax, ...line }) =>
    lineOf({
      ...{ ...line, product, unitAmount: BigInt(unit_amount), taxPercent: tax_percent ?? null },
      tax: tax === undefined ? null : BigInt(tax),
    }),
  )
  const said = {
    amount,
    subtotal: body.subtotal === undefined ? undefined : BigInt(body.subtotal),
    discount: BigInt(body.discount ?? 0),
    shipping: BigInt(body.shipping ?? 0),
    tax: body.tax === undefined ? undefined : BigInt(body.tax),
  }
  return { lines, totals: totalsOf(lines, said) }
}

const manualOf = (body: Asked): ManualCapture | undefined =>
  body.capture === 'automatic'
    ? undefined
    : {
        within_s: body.capture_within_s ?? 7 * DAY_S,
        partial: body.partial_captures ?? 'none',
      }

const LineOut = z.strictObject({
  product: z.string().nullable(),
  name: z.string(),
  quantity: z.int(),
  unit_amount: Amount,
  amount: z.string().describe('Quantity times unit amount, before tax'),
  tax_percent: z.string().nullable(),
  tax: z.string().nullable(),
})

export const OrderOut = z
  .strictObject({
    id: idOut('ord'),
    merchant: z.strictObject({ id: idOut('mer'), name: z.string() }),
    reference: z.string(),
    description: z.string(),
    lines: z.array(LineOut),
    subtotal: z.string().nullable().describe('amount = subtotal - discount + shipping + tax'),
    discount: z.string().nullable(),
    shipping: z.string().nullable(),
    tax: z.string().nullable(),
    amount: Amount.nullable().describe('Null: whoever pays fills it in'),
    currency: CurrencyCode,
    usage: z.enum(['one_time', 'reusable']),
    capture: z.enum(['automatic', 'manual']),
    capture_within_s: z.int().nullable(),
    partial_captures: z.enum(['none', 'one', 'several']).nullable(),
    state: z
      .enum(['open', 'processing', 'authorized', 'paid', 'expired', 'canceled'])
      .describe('Whether it is paid'),
    payment: idOut('pay').nullable(),
    status: z.enum(ORDER_STATUSES).describe('How it stands in the chat'),
    status_description: z.string().nullable(),
    status_at: Timestamp.nullable(),
    created_at: Timestamp,
    expires_at: Timestamp.nullable().describe('Null: never'),
  })
  .meta({ id: 'Order' })
