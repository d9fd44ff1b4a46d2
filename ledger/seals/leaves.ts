/**
 * What of a transfer is sealed, byte for byte. Version 1 of the encoding:
 *
 *   leaf  = SHA-256(0x00, 0x01, field, field, ...)      0x00: a leaf (RFC 6962); 0x01: the version
 *   field = length, 4 bytes, then the value;            -1 and no value for null
 *   uuid: 16 bytes. int8: 8 bytes. time: 8 bytes, microseconds since 2000-01-01T00:00:00Z.
 *   text: UTF-8. All numbers big-endian and signed.
 *
 * Version 2 has 0x02 in the second byte and one more field at the end, the evidence: 32 bytes, the
 * digest of what authorised the unit. A transfer without it is always encoded in version 1, so what
 * was sealed before there was evidence is sealed as it was.
 *
 * Entry numbers and balances are left out: a receipt shows what is sealed, and the balance of one
 * side is no business of the other. They follow from what is sealed, and the verifier says whether.
 *
 * It is a tuple of Postgres's COPY BINARY but for the first two bytes, which are the number of
 * fields there; so Postgres writes it as fast as it can, and others can rebuild it from JSON.
 */
import { type Hash, sha256 } from './merkle.ts'

/** In the order in which they are encoded. Those of a fixed length come first. */
const FIELDS = {
  id: 'uuid',
  recorded_at: 'time',
  debit_account_id: 'uuid',
  credit_account_id: 'uuid',
  reference: 'uuid',
  amount: 'int8',
  kind: 'text',
  currency: 'text',
  code: 'text',
  pending_id: 'uuid',
  resolution: 'int8',
  reverses_id: 'uuid',
  effective_at: 'time',
  booked_at: 'time',
  expires_at: 'time',
  evidence: 'digest',
} as const satisfies Record<string, keyof typeof ENCODERS>

type Field = keyof typeof FIELDS
export const SEALED_FIELDS = Object.keys(FIELDS) as readonly Field[]
/** The evidence is the last. */
const FIELDS_OF_VERSION_1 = SEALED_FIELDS.slice(0, -1)

/**
 * A transfer as it was sealed, each field as text: numbers in decimal, times in RFC 3339 with six
 * decimals, in UTC; the evidence in hex. Receipts of what has none may leave that out.
 */
export type SealedTransfer = Readonly<Record<Exclude<Field, 'evidence'>, string | null>> & {
  readonly evidence?: string | null | undefined
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const INTEGER = /^(0|-?[1-9][0-9]{0,18})$/
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z$/
const DIGEST = /^[0-9a-f]{64}$/
const EPOCH_S = 946_684_800n

const ENCODERS = {
  uuid: (text: string) => (UUID.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : null),
  digest: (text: string) => (DIGEST.test(text) ? Buffer.from(text, 'hex') : null),
  text: (text: string) => (text.isWellFormed() ? Buffer.from(text, 'utf8') : null),
  int8: (text: string) => (INTEGER.test(text) ? int8(BigInt(text)) : null),
  time: (text: string) => {
    const [, seconds, fraction] = TIME.exec(text) ?? []
    const ms = Date.parse(`${seconds}Z`)
    if (fraction === undefined || Number.isNaN(ms)) return null
    // A day that does not exist would become another one.
    if (!new Date(ms).toISOString().startsWith(`${seconds}.`)) return null
    return int8((BigInt(ms) / 1000n - EPOCH_S) * 1_000_000n + BigInt(fraction))
  },
} as const

function int8(value: bigint): Buffer | null {
  if (BigInt.asIntN(64, value) !== value) return null
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

const LEAF_VERSION_1 = 0x0001
const LEAF_VERSION_2 = 0x0002
const NULL = Buffer.alloc(4, 0xff)

/** The transfer's leaf, or undefined when a field is not what it must be. */
export function leafOf(transfer: SealedTransfer): Hash | undefined {
  const { evidence = null } = transfer
  const version = evidence === null ? LEAF_VERSION_1 : LEAF_VERSION_2
  const parts: Buffer[] = [Buffer.from([0, version])]
  for (const field of evidence === null ? FIELDS_OF_VERSION_1 : SEALED_FIELDS) {
    const text = transfer[field] ?? null
    if (text === null) {
      parts.push(NULL)
      continue
    }
    const value = ENCODERS[FIELDS[field]](text)
    if (value === null) return undefined
    const length = Buffer.alloc(4)
    length.writeInt32BE(value.length)
    parts.push(length, value)
  }
  return sha256(Buffer.concat(parts))
}

/** What to COPY for `leafOfTuple`, of a row of transfers. */
export const TUPLE_COLUMNS = SEALED_FIELDS.join(', ')
const FIELDS_COUNT = SEALED_FIELDS.length

/** The leaf of a tuple of COPY BINARY, whose first two bytes it overwrites. */
export function leafOfTuple(tuple: Buffer): Hash {
  const fields = tuple.readInt16BE(0)
  if (fields !== FIELDS_COUNT) throw new Error(`a tuple of ${fields} fields`)
  // Found by the lengths of those before it: the bytes at the end may be anything.
  let end = 2
  for (let field = 1; field < fields; field++) end += 4 + Math.max(0, tuple.readInt32BE(end))
  const hasEvidence = tuple.readInt32BE(end) >= 0
  tuple.writeInt16BE(hasEvidence ? LEAF_VERSION_2 : LEAF_VERSION_1, 0)
  return sha256(hasEvidence ? tuple : tuple.subarray(0, end))
}

/** Where the values of the first two fields are in a tuple, behind their lengths. */
export const ID_AT = { start: 6, end: 22 } as const
export const RECORDED_AT = 26

/** With the transaction's id behind the sealed fields, in 4 + 8 bytes. */
export const TRACED_COLUMNS = `${TUPLE_COLUMNS}, transaction_id`
const TRACE_BYTES = 12

/** Takes a tuple of the columns above apart. */
export function tracedLeafOf(tuple: Buffer): { readonly leaf: Hash; readonly transaction: number } {
  const at = tuple.length - 8
  const transaction = tuple.readUInt32BE(at) * 2 ** 32 + tuple.readUInt32BE(at + 4)
  tuple.writeInt16BE(tuple.readInt16BE(0) - 1, 0)
  return { leaf: leafOfTuple(tuple.subarray(0, tuple.length - TRACE_BYTES)), transaction }
}

/** The sealed fields of a row of transfers, as text. */
export const SEALED_COLUMNS = SEALED_FIELDS.map((field) => {
  if (FIELDS[field] === 'digest') return `encode(${field}, 'hex') AS ${field}`
  if (FIELDS[field] !== 'time') return `${field}::text`
  return `to_char(${field} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ${field}`
}).join(', ')
