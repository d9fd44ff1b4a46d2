/**
 * What a QR code says to any wallet that knows the merchant-presented format. Pure. Source: EMVCo,
 * QR Code Specification for Payment Systems, Merchant-Presented Mode, version 1.1.
 */
import { formatMoney } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { numberOf } from './currency_numbers.ts'

/** Data objects by their ids, in the order in which they are written. */
export type DataObjects = readonly (readonly [id: string, value: string | DataObjects])[]

export interface Presented {
  /** In template 26, or another of 26 to 51: the network, and what it needs to find the order. */
  readonly account: DataObjects
  /** Whether it may be paid more than once: then the code is static. */
  readonly reusable: boolean
  readonly category: string
  readonly currency: string
  /** Minor units; null where the payer fills it in. */
  readonly amount: bigint | null
  readonly country: string
  readonly name: string
  readonly city: string
  readonly postalCode: string | null
  readonly reference: string
}

const LENGTH_MAX = { amount: 13, name: 25, city: 15, postalCode: 10, reference: 25 }

/** @throws {ServiceError} `payment_way_not_available` when it cannot be written in that format. */
export function emvcoPayload(presented: Presented): string {
  const { account, reusable, category, currency, country } = presented
  const name = shortened(presented.name, LENGTH_MAX.name)
  const city = shortened(presented.city, LENGTH_MAX.city)
  const postalCode = shortened(presented.postalCode ?? '', LENGTH_MAX.postalCode)
  const reference = shortened(presented.reference, LENGTH_MAX.reference)
  if (name === '' || city === '') unavailable('name and city must be in Latin letters')
  const objects: DataObjects = [
    ...([
      ['00', '01'],
      ['01', reusable ? '11' : '12'],
      ['26', account],
      ['52', category],
    ] as const),
    ['53', numberOf(currency)],
    ...amountOf(presented),
    ...([
      ['58', country],
      ['59', name],
      ['60', city],
    ] as const),
    ...(postalCode === '' ? [] : ([['61', postalCode]] as const)),
    ...(reference === '' ? [] : ([['62', [['05', reference]]]] as const)),
  ]
  const payload = `${written(objects)}6304`
  return payload + crcOf(payload)
}

function amountOf({ amount, currency }: Presented): DataObjects {
  if (amount === null) return []
  const decimal = decimalOf(amount, currency)
  if (decimal.length > LENGTH_MAX.amount) unavailable('the amount is too large')
  return [['54', decimal]]
}

/** '8.60': digits of the currency's own scale, and a point. */
export const decimalOf = (amount: bigint, currency: string): string =>
  formatMoney({ amount, currency }).split(' ')[0] ?? ''

function written(objects: DataObjects): string {
  return objects
    .map(([id, value]) => {
      const text = typeof value === 'string' ? value : written(value)
      if (text.length > 99) unavailable(`${id} is too long`)
      return `${id}${String(text.length).padStart(2, '0')}${text}`
    })
    .join('')
}

function unavailable(detail: string): never {
  throw new ServiceError('payment_way_not_available', { detail })
}

/** Letters that are no base letter with a mark, as people without them write them. */
const SPELLED: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', đ: 'd', Đ: 'D', ł: 'l' },
  ...{ Ł: 'L', ð: 'd', Ð: 'D', þ: 'th', Þ: 'Th', ı: 'i' },
}

/** Common characters alone: marks are dropped from letters, and what is left is cut to length. */
const shortened = (text: string, lengthMax: number): string =>
  text
    .replaceAll(/./gu, (letter) => SPELLED[letter] ?? letter)
    .normalize('NFKD')
    .replaceAll(/[^\u0020-\u007e]/g, '')
    .trim()
    .slice(0, lengthMax)
    .trim()

/** CRC-16/CCITT-FALSE in four capital hexadecimal digits. Source: ISO/IEC 13239, EMVCo 4.7.3. */
export function crcOf(ascii: string): string {
  let crc = 0xffff
  for (const byte of Buffer.from(ascii, 'ascii')) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    }
    crc &= 0xffff
  }
  return crc.toString(16).toUpperCase().padStart(4, '0')
}
