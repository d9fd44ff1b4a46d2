/** The ways to pay an order from outside the chat: a link, or what a QR code says. */
import type { Config } from '../config.ts'
import { ServiceError } from '../errors.ts'
import { publicId, suffixOf } from '../ids.ts'
import type { Merchant } from '../merchants/profile.ts'
import { decimalOf, emvcoPayload } from './emvco.ts'
import type { Order } from './orders.ts'

export const WAYS = ['link', 'emvco', 'upi', 'pix'] as const
export type Way = (typeof WAYS)[number]

export type Links = Pick<Config, 'ORDER_LINK_BASE' | 'EMVCO_GUID'>
type Asked = Pick<Order, 'id' | 'amount' | 'currency' | 'reference' | 'reusable'>

/**
 * What the way is written as. Pure.
 * @throws {ServiceError} `payment_way_not_available`, saying what is missing.
 */
export function wayOf(way: Way, links: Links, order: Asked, merchant: Merchant): string {
  if (way === 'link') return linkOf(links, order)
  if (way === 'upi') return upiLink(order, merchant)
  return way === 'pix' ? pixCode(order, merchant) : emvcoOf(links, order, merchant)
}

/** Opens the order in the chat app. */
export const linkOf = ({ ORDER_LINK_BASE }: Pick<Links, 'ORDER_LINK_BASE'>, { id }: Asked) =>
  `${ORDER_LINK_BASE}${publicId('ord', id)}`

function emvcoOf({ EMVCO_GUID }: Links, order: Asked, merchant: Merchant): string {
  const { category, country, city } = merchant
  if (category === null || country === null || city === null) {
    return unavailable('the merchant has not said its category, country and city')
  }
  return emvcoPayload({
    account: [
      ['00', EMVCO_GUID],
      ['01', publicId('ord', order.id)],
    ],
    ...{ reusable: order.reusable, amount: order.amount, currency: order.currency },
    ...{ category, country, city, name: merchant.name, postalCode: merchant.postal_code },
    reference: order.reference,
  })
}

/**
 * Opens whichever UPI app the phone has. The money goes from bank to bank, to the merchant's own
 * address. Source: NPCI, UPI Linking Specifications, version 1.6.
 */
export function upiLink(
  { id, amount, currency, reference }: Asked,
  { upi_vpa, name, category }: Merchant,
): string {
  if (currency !== 'INR') return unavailable('UPI moves rupees only')
  if (upi_vpa === null) return unavailable('the merchant has no UPI address')
  const parameters = [
    ...[`pa=${upi_vpa}`, `pn=${encodeURIComponent(name)}`],
    ...(category === null ? [] : [`mc=${category}`]),
    `tr=${publicId('ord', id)}`,
    `tn=${encodeURIComponent(reference)}`,
    ...(amount === null ? [] : [`am=${decimalOf(amount, currency)}`]),
    'cu=INR',
  ]
  return `upi://pay?${parameters.join('&')}`
}

/**
 * What Pix copies and pastes: the same format with another network in it. The money goes from bank
 * to bank, to the merchant's own key. Source: Banco Central do Brasil, Manual do BR Code.
 */
export function pixCode(order: Asked, { pix_key, name, city, postal_code }: Merchant): string {
  if (order.currency !== 'BRL') return unavailable('Pix moves reais only')
  if (pix_key === null || city === null) return unavailable('the merchant has no Pix key, or city')
  return emvcoPayload({
    account: [
      ['00', 'br.gov.bcb.pix'],
      ['01', pix_key],
    ],
    ...{ reusable: order.reusable, amount: order.amount, currency: order.currency },
    // Pix has no categories.
    ...{ category: '0000', country: 'BR', city, name, postalCode: postal_code },
    // Up to 25 letters and digits: an id without its first digit, which is 0 for a long time yet.
    reference: suffixOf(order.id).slice(1),
  })
}

function unavailable(detail: string): never {
  throw new ServiceError('payment_way_not_available', { detail })
}
