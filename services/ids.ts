/**
 * Ids as the outside sees them: TypeID form, a prefix that says what it is and the UUID in
 * Crockford base32 (`pay_01h455vb4pex5vsknk084sn02q`). Inside, ids are plain UUIDs. Source: TypeID
 * specification, version 0.3.
 */
import { z } from 'zod'
import type { Uuid } from '../ledger/index.ts'

const KINDS = {
  per: 'a person',
  mer: 'a merchant',
  acc: 'an account',
  trf: 'a transfer',
  pay: 'a payment',
  cap: 'a capture',
  ord: 'an order',
  bac: 'a bank account',
  dev: 'a device',
  fee: 'a fee schedule',
  set: 'a settlement',
  ins: 'an instruction',
  evt: 'an event',
  fxr: 'a rate',
  fxq: 'a quote',
  exc: 'an exchange',
  sur: 'a step-up rule',
  lim: 'a limit',
  key: 'an API key',
  stf: 'a member of staff',
  rev: 'a review',
  rsk: 'a risk rule',
  prp: 'a proposal',
  sec: 'an entry of the security log',
} as const

export type Kind = keyof typeof KINDS

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const SUFFIX_LENGTH = 26
const SUFFIX = '[0-7][0-9a-hjkmnp-tv-z]{25}'

export function publicId(kind: Kind, uuid: Uuid): string {
  return `${kind}_${suffixOf(uuid)}`
}

/** The 26 characters that stand for a UUID. */
export function suffixOf(uuid: Uuid): string {
  const digits = BigInt(`0x${uuid.replaceAll('-', '')}`).toString(32)
  let suffix = ''
  for (const digit of digits) suffix += ALPHABET[Number.parseInt(digit, 32)]
  return suffix.padStart(SUFFIX_LENGTH, '0')
}

/** The UUID of a public id that is known to be well formed. */
export function uuidOf(id: string): Uuid {
  let value = 0n
  for (const letter of id.slice(id.indexOf('_') + 1)) {
    value = value * 32n + BigInt(ALPHABET.indexOf(letter))
  }
  const hex = value.toString(16).padStart(32, '0')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export const isPublicId = (kind: Kind, id: string): boolean =>
  new RegExp(`^${kind}_${SUFFIX}$`).test(id)

/** In a request: text in, UUID out. */
export const idIn = (kind: Kind) => idOut(kind).transform(uuidOf)

/** In an answer. */
export const idOut = (kind: Kind) =>
  z
    .string()
    .regex(new RegExp(`^${kind}_${SUFFIX}$`))
    .describe(`The id of ${KINDS[kind]}`)
