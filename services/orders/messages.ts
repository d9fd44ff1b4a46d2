/**
 * The messages by which a chat shows an order, as the WhatsApp Business payments API takes them.
 * Pure. Source: Meta, WhatsApp Business Platform, Payments API for India (UPI intent links) and for
 * Brazil (Orders, Pix, payment links), May 2026.
 */
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import type { Merchant } from '../merchants/profile.ts'
import type { Line } from './lines.ts'
import type { Order } from './orders.ts'
import { type OrderStatus, shownStatus } from './states.ts'
import { linkOf, type Links, pixCode, upiLink } from './ways.ts'

export const SHAPES = ['india', 'brazil'] as const
export type Shape = (typeof SHAPES)[number]

export interface Asked {
  readonly order: Order
  readonly lines: readonly Line[]
  readonly merchant: Merchant
  readonly links: Links
  readonly goods: 'digital' | 'physical'
  /** The customer's number; undefined where the chat app adds it. */
  readonly to: string | undefined
  readonly now: Date
}

/** Both currencies have hundredths: `value` counts them, and `offset` says so. */
const OFFSET = 100
const money = (amount: bigint) => ({ value: Number(amount), offset: OFFSET })
const NAME_LENGTH_MAX = 60
/** An order that expires sooner is not shown with its expiry. */
const EXPIRY_MIN_MS = 300_000

const CURRENCIES = { india: 'INR', brazil: 'BRL' } as const satisfies Record<Shape, string>

/** @throws {ServiceError} `payment_way_not_available`, saying what is missing. */
export function orderDetails(shape: Shape, asked: Asked) {
  const { order, goods, to } = asked
  const currency = CURRENCIES[shape]
  if (order.currency !== currency) return unavailable(`only orders in ${currency} can be shown`)
  if (order.amount === null) return unavailable('the amount is left open')
  const settings = shape === 'india' ? indiaSettings(asked) : brazilSettings(asked)
  return message(to, {
    type: 'order_details' as const,
    body: { text: order.description },
    action: {
      name: 'review_and_pay' as const,
      parameters: {
        reference_id: publicId('ord', order.id),
        type: `${goods}-goods` as const,
        ...(shape === 'brazil' && { payment_type: 'br' as const }),
        ...{ payment_settings: settings, currency, total_amount: money(order.amount) },
        order: shownOrder(shape, asked, order.amount),
      },
    },
  })
}

const message = <I>(to: string | undefined, interactive: I) => ({
  ...{ messaging_product: 'whatsapp' as const, recipient_type: 'individual' as const },
  ...(to !== undefined && { to }),
  ...{ type: 'interactive' as const, interactive },
})

const indiaSettings = ({ order, merchant }: Asked) => [
  { type: 'upi_intent_link' as const, upi_intent_link: { link: upiLink(order, merchant) } },
]

/** By a link into the chat app, where that is one of the web; by Pix, where the merchant has it. */
function brazilSettings({ order, merchant, links }: Asked) {
  const uri = linkOf(links, order)
  const { pix_key: key, pix_key_type: key_type, name: merchant_name } = merchant
  const link = { type: 'payment_link' as const, payment_link: { uri } }
  const settings = [
    ...(uri.startsWith('https:') ? [link] : []),
    ...(key === null || key_type === null
      ? []
      : [
          {
            type: 'pix_dynamic_code' as const,
            pix_dynamic_code: { code: pixCode(order, merchant), merchant_name, key, key_type },
          },
        ]),
  ]
  if (settings.length === 0) return unavailable('there is neither a web link nor a Pix key')
  return settings
}

/** What is bought: its lines, or all of it as one. */
function shownOrder(shape: Shape, { order, lines, merchant, now }: Asked, amount: bigint) {
  const { description: name, totals, expiresAt } = order
  const whole = [{ product: null, name, unitAmount: amount, quantity: 1 }]
  const { subtotal, tax, shipping, discount } = totals ?? {
    ...{ subtotal: amount, tax: 0n, shipping: 0n, discount: 0n },
  }
  const origin = shape === 'india' ? originOf(merchant) : {}
  const isFar = expiresAt !== null && expiresAt.getTime() - now.getTime() > EXPIRY_MIN_MS
  return {
    status: 'pending' as const,
    ...(isFar && { expiration: { ...expiryOf(expiresAt), description: 'Pay before then' } }),
    items: (lines.length > 0 ? lines : whole).map((line, index) => ({
      retailer_id: line.product ?? `line-${index + 1}`,
      ...{ name: [...line.name].slice(0, NAME_LENGTH_MAX).join('') },
      ...{ amount: money(line.unitAmount), quantity: line.quantity, ...origin },
    })),
    ...{ subtotal: money(subtotal), tax: money(tax) },
    ...(shipping > 0n && { shipping: money(shipping) }),
    ...(discount > 0n && { discount: money(discount) }),
  }
}

const expiryOf = (at: Date) => ({ timestamp: `${Math.floor(at.getTime() / 1000)}` })

/** What is sold outside a catalogue must say where it comes from, and who brought it there. */
function originOf({ country, street, city, postal_code, legal_name, name }: Merchant) {
  if (country === null || street === null || city === null) {
    return unavailable('the merchant has not said its country, street and city')
  }
  return {
    country_of_origin: country,
    importer_name: legal_name ?? name,
    importer_address: {
      ...{ address_line1: street, city, country_code: country },
      ...(postal_code !== null && { postal_code }),
    },
  }
}

const SAID = {
  pending: 'We wait for your payment.',
  processing: 'We are preparing your order.',
  partially_shipped: 'A part of your order is on its way.',
  shipped: 'Your order is on its way.',
  completed: 'Your order is complete.',
  canceled: 'Your order is canceled.',
} as const satisfies Record<OrderStatus, string>

export function orderStatus({ order, to }: Pick<Asked, 'order' | 'to'>) {
  const status = shownStatus(order)
  const description = order.status === status ? order.statusDescription : null
  return message(to, {
    type: 'order_status' as const,
    body: { text: description ?? SAID[status] },
    action: {
      name: 'review_order' as const,
      parameters: {
        reference_id: publicId('ord', order.id),
        order: { status, ...(description !== null && { description }) },
      },
    },
  })
}

function unavailable(detail: string): never {
  throw new ServiceError('payment_way_not_available', { detail })
}
