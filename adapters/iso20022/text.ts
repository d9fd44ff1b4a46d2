/** Texts as every bank can take them, and the names that are derived from our references. */
import { createHash } from 'node:crypto'

/** What has no base letter that `normalize` would find. */
const LETTERS: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', ẞ: 'SS', Æ: 'AE', æ: 'ae', Œ: 'OE', œ: 'oe', Ø: 'O', ø: 'o', Ł: 'L', ł: 'l' },
  ...{ Đ: 'D', đ: 'd', Ð: 'D', ð: 'd', Þ: 'TH', þ: 'th', ı: 'i', Ħ: 'H', ħ: 'h', ŋ: 'n' },
  ...{ '‘': "'", '’': "'", '“': "'", '”': "'", '"': "'", '`': "'", '–': '-', '—': '-', '‐': '-' },
  ...{ '&': '+', _: '-', '€': 'EUR', '£': 'GBP', ';': ',', '[': '(', ']': ')', '@': '(at)' },
}

/**
 * In the Latin letters that SEPA guarantees, at most `length` of them; a letter that has no like
 * becomes a point. Text does not begin or end with a slash, nor has it two in a row: banks read
 * those as codes. Source: EPC 217-08 and EPC 230-15.
 */
export function plainText(text: string, length: number): string {
  const latin = Array.from(text.normalize('NFKD'), (letter) => LETTERS[letter] ?? letter)
    .join('')
    .replace(/\p{M}+/gu, '')
    .replace(/\s+/gu, ' ')
    .replace(/[^A-Za-z0-9/\-?:().,'+ ]/gu, '.')
    .replace(/\/{2,}/g, '/')
  return latin
    .replace(/^[/ ]+/, '')
    .slice(0, length)
    .replace(/[/ ]+$/, '')
}

/** The UETR of an instruction, the same one for ever: the form of a random UUID, from a hash. */
export function uetrOf(reference: string): string {
  const hex = hashOf('uetr', reference)
  const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) % 4]
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}

/** The mandate of an account, the same one for ever: one account, one mandate. */
export const mandateOf = (creditorId: string, accountNumber: string): string =>
  `M${hashOf('mandate', creditorId, accountNumber).slice(0, 30).toUpperCase()}`

/** In hexadecimal digits. No two lists of parts run into each other. */
export const hashOf = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/** Whether the check digits of an IBAN or of a creditor reference hold. Source: ISO 7064. */
export function isChecked(text: string): boolean {
  const moved = `${text.slice(4)}${text.slice(0, 4)}`.toUpperCase()
  const digits = moved.replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))
  return /^\d+$/.test(digits) && BigInt(digits) % 97n === 1n
}
