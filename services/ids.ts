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
  rfd: 'a refund',
  rsr: 'a reserve rule',
  rsv: 'a reserve',
  dsp: 'a dispute',
  ord: 'an order',
  bac: 'a bank account',
  dev: 'a device',
  fee: 'a fee schedule',
  set: 'a settlement',
  ssc: 'a settlement schedule',
  inv: 'a fee invoice',
  ins: 'an instruction',
  bev: 'an event of a bank',
  bfl: 'a file of a bank',
  inc: 'incoming money',
  rcl: 'a recall',
  nwi: 'a netting window',
  out: 'an outage of a bank',
  evt: 'an event',
  whe: 'a webhook endpoint',
  whd: 'a delivery of a webhook',
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
  rcn: 'a reconciliation',
  rci: 'an item of a reconciliation',
} as const

export type Kind = keyof typeof KINDS

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const SUFFIX = '[0-7][0-9a-hjkmnp-tv-z]{25}'

export function publicId(kind: Kind, uuid: Uuid): string {
  return `${kind}_${suffixOf(uuid)}`
}

/** Five hexadecimal digits are as many bits as four letters: an id is seven such groups. */
const GROUPS = 7
const PAIRS = Array.from({ length: 1024 }, (_, bits) => {
  return `${ALPHABET[bits >> 5]}${ALPHABET[bits & 31]}`
})
const VALUES = new Map(PAIRS.map((pair, bits) => [pair, bits]))

/** How many conversions of each direction are remembered. */
const REMEMBERED_MAX = 4_096

/** Every request writes the ids of the same few people again and again. */
function remembered(convert: (id: string) => string): (id: string) => string {
  const known = new Map<string, string>()
  return (id) => {
    const before = known.get(id)
    if (before !== undefined) return before
    const converted = convert(id)
    if (known.size === REMEMBERED_MAX) known.clear()
    known.set(id, converted)
    return converted
  }
}

/** The 26 characters that stand for a UUID. */
export const suffixOf = remembered((uuid: Uuid) => {
  const digits = `000${uuid.replaceAll('-', '')}`
  let letters = ''
  for (let group = 0; group < GROUPS; group += 1) {
    const bits = Number.parseInt(digits.slice(group * 5, group * 5 + 5), 16)
    letters += `${PAIRS[bits >> 10]}${PAIRS[bits & 1023]}`
  }
  return letters.slice(2)
})

/** The UUID of a public id that is known to be well formed. */
export const uuidOf = remembered((id): Uuid => {
  const letters = `00${id.slice(id.indexOf('_') + 1)}`
  let digits = ''
  for (let group = 0; group < GROUPS; group += 1) {
    const [first, second] = [letters.slice(group * 4, group * 4 + 2), group * 4 + 2]
    const bits = valueOf(first) * 1024 + valueOf(letters.slice(second, second + 2))
    digits += bits.toString(16).padStart(5, '0')
  }
  const hex = digits.slice(3)
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return `${parts.join('-')}-${hex.slice(20)}`
})

function valueOf(pair: string): number {
  const bits = VALUES.get(pair)
  if (bits === undefined) throw new Error('not a public id')
  return bits
}

const patternOf = (kind: Kind) => new RegExp(`^${kind}_${SUFFIX}$`)
const PATTERNS = new Map(Object.keys(KINDS).map((kind) => [kind, patternOf(kind as Kind)]))

export const isPublicId = (kind: Kind, id: string): boolean => PATTERNS.get(kind)?.test(id) === true

/** In a request: text in, UUID out. */
export const idIn = (kind: Kind) => idOut(kind).transform(uuidOf)

/** In an answer. */
export const idOut = (kind: Kind) =>
  z.string().regex(patternOf(kind)).describe(`The id of ${KINDS[kind]}`)
