/**
 * HTTP message signatures: what somebody signed of a message, and with which of the keys we know.
 * Source: RFC 9421, with the digest of the body by RFC 9530.
 */
import {
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import {
  type InnerList,
  isInnerList,
  parseDictionary,
  serializeDictionary,
  serializeInnerList,
} from 'structured-headers'
import { BankError, type Headers } from './adapter.ts'

export type MessageAlgorithm = 'hmac-sha256' | 'ed25519' | 'ecdsa-p256-sha256'

/** A key, by the signer's name for it. What it is good for is ours to say, not a header's. */
export interface MessageKey {
  readonly id: string
  readonly algorithm: MessageAlgorithm
  /** The secret, or the public key as SPKI; base64. To sign, a private key as it is. */
  readonly key: string | KeyObject
}

export interface Message {
  readonly method: string
  readonly path: string
  readonly authority?: string
  readonly headers: Headers
  readonly body: Buffer
}

/** How far the time of a message may be from ours, either way. */
const TOLERANCE_S = 5 * 60
/** A message may be signed for several, and while a key is replaced by both. */
const SIGNATURES_MAX = 4
/** Without these a signature says nothing about what is asked, or where. */
const NEEDED: readonly string[] = ['@method', '@path', 'content-digest']

/**
 * Returns the id of the key with which the whole of the message was signed, a short time ago.
 * @throws {BankError} `bad_signature`, or `callback_expired` if only the age is wrong.
 */
export function verifyMessage(message: Message, keys: readonly MessageKey[], now: Date): string {
  const inputs = dictionary(message.headers['signature-input'])
  const signatures = dictionary(message.headers['signature'])
  const digests = dictionary(message.headers['content-digest'])
  if (!isDigestOf(message.body, digests)) throw new BankError('bad_signature')
  for (const [label, input] of [...inputs].slice(0, SIGNATURES_MAX)) {
    const key = isInnerList(input) ? keyOf(input, keys) : undefined
    const [signature] = signatures.get(label) ?? []
    if (key === undefined || !isInnerList(input) || !(signature instanceof ArrayBuffer)) continue
    if (!isSignedBy(key, baseOf(message, input), Buffer.from(signature))) continue
    const created = input[1].get('created')
    const age_s = now.getTime() / 1000 - (typeof created === 'number' ? created : 0)
    if (Math.abs(age_s) > TOLERANCE_S) throw new BankError('callback_expired')
    return key.id
  }
  throw new BankError('bad_signature')
}

/** The headers that sign method, path, content type and body. */
export function signedMessage(
  { method, path, headers, body }: Message,
  key: MessageKey,
  { now, nonce }: { readonly now: Date; readonly nonce: string },
): Readonly<Record<'content-digest' | 'signature-input' | 'signature', string>> {
  const digest = createHash('sha256').update(body).digest()
  const known = { 'content-digest': `sha-256=:${digest.toString('base64')}:` }
  const names = ['@method', '@path', 'content-digest', 'content-type']
  const covered = names.filter((name) => name.startsWith('@') || { ...headers, ...known }[name])
  const parameters = new Map<string, number | string>([
    ...([['created', Math.floor(now.getTime() / 1000)]] as const),
    ...([
      ['keyid', key.id],
      ['nonce', nonce],
    ] as const),
  ])
  const input: InnerList = [covered.map((name) => [name, new Map()]), parameters]
  const base = baseOf({ method, path, headers: { ...headers, ...known }, body }, input)
  const signature = signatureBy(key, base)
  return {
    ...known,
    'signature-input': `sig1=${serializeInnerList(input)}`,
    signature: serializeDictionary({ sig1: [bytesOf(signature), new Map()] }),
  }
}

const bytesOf = (bytes: Buffer): ArrayBuffer => Uint8Array.from(bytes).buffer

function dictionary(header: Headers[string]) {
  const text = typeof header === 'string' ? header : (header ?? []).join(', ')
  try {
    return parseDictionary(text)
  } catch (cause) {
    throw new BankError('bad_signature', { cause })
  }
}

const DIGESTS = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const

/** One that we know must be there, and each that we know must be right. */
function isDigestOf(body: Buffer, said: ReturnType<typeof dictionary>): boolean {
  const known = Object.entries(DIGESTS).filter(([name]) => said.has(name))
  return (
    known.length > 0 &&
    known.every(([name, hash]) => {
      const [value] = said.get(name) ?? []
      const digest = createHash(hash).update(body).digest()
      return value instanceof ArrayBuffer && isSame(digest, Buffer.from(value))
    })
  )
}

function keyOf([components, parameters]: InnerList, keys: readonly MessageKey[]) {
  const names = components.map(([name]) => name)
  const isPlain = components.every(([, of]) => of.size === 0)
  if (!isPlain || !NEEDED.every((name) => names.includes(name))) return undefined
  const algorithm = parameters.get('alg')
  const key = keys.find(({ id }) => id === parameters.get('keyid'))
  return algorithm === undefined || algorithm === key?.algorithm ? key : undefined
}

/** What is signed. @throws {BankError} when a part that was signed is not there. */
export function baseOf(message: Message, input: InnerList): Buffer {
  const lines = input[0].map(([name]) => `"${String(name)}": ${valueOf(message, String(name))}`)
  return Buffer.from([...lines, `"@signature-params": ${serializeInnerList(input)}`].join('\n'))
}

function valueOf({ method, path, authority, headers }: Message, name: string): string {
  const derived = { '@method': method, '@path': path.split('?')[0], '@authority': authority }
  const value = name.startsWith('@') ? derived[name as keyof typeof derived] : headers[name]
  if (value === undefined) throw new BankError('bad_signature')
  // A header that came twice is one header with both values, as everywhere in HTTP.
  return typeof value === 'string' ? value.trim() : value.map((one) => one.trim()).join(', ')
}

const publicKey = (key: MessageKey['key']): KeyObject =>
  typeof key === 'string'
    ? createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' })
    : key

const macOf = (key: MessageKey['key'], base: Buffer) =>
  createHmac('sha256', typeof key === 'string' ? Buffer.from(key, 'base64') : key)
    .update(base)
    .digest()

export function isSignedBy({ algorithm, key }: MessageKey, base: Buffer, signature: Buffer) {
  if (algorithm === 'hmac-sha256') return isSame(macOf(key, base), signature)
  if (algorithm === 'ed25519') return verify(null, base, publicKey(key), signature)
  const ecdsa = { key: publicKey(key), dsaEncoding: 'ieee-p1363' } as const
  return verify('sha256', base, ecdsa, signature)
}

function signatureBy({ algorithm, key }: MessageKey, base: Buffer): Buffer {
  if (algorithm === 'hmac-sha256') return macOf(key, base)
  if (typeof key === 'string') throw new Error('a private key is needed to sign')
  if (algorithm === 'ed25519') return sign(null, base, key)
  return sign('sha256', base, { key, dsaEncoding: 'ieee-p1363' })
}

const isSame = (one: Buffer, other: Buffer) =>
  one.length === other.length && timingSafeEqual(one, other)
