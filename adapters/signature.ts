/**
 * Standard Webhooks signatures, v1: HMAC-SHA256 over `id.timestamp.body`.
 * Source: github.com/standard-webhooks/standard-webhooks, spec 1.0.0.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { BankError, type Headers } from './adapter.ts'

/** `whsec_<base64>` as it stands in a configuration, or the bytes of the key. */
export type Secret = string | Buffer

export type SignedHeaders = Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>

/** How far a message's time may be from ours, either way: clocks differ, and copies are old. */
const TOLERANCE_S = 5 * 60

/** A rotation needs two. More would only make us compare for nothing. */
const SIGNATURES_MAX = 8

/** The headers that prove `body` to whoever knows `secret`. A copy of a message keeps its `id`. */
export function signedHeaders(
  secret: Secret,
  id: string,
  now: Date,
  body: string | Buffer,
): SignedHeaders {
  const timestamp = String(unixTime(now))
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': sign(secret, id, timestamp, body),
  }
}

/**
 * Returns if one of `secrets` signed exactly these bytes, a short time ago.
 * The signature is checked before the age, so that only the true sender learns about our clock.
 * @param secrets more than one while a secret is being replaced.
 * @throws {BankError} `bad_signature`, or `callback_expired` if only the age is wrong.
 */
export function verifySignature(
  secrets: readonly Secret[],
  headers: Headers,
  body: Buffer,
  now: Date,
): void {
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp']
  const signatures = headers['webhook-signature']
  if (typeof id !== 'string' || id === '') throw new BankError('bad_signature')
  if (typeof timestamp !== 'string' || !/^[0-9]{1,12}$/.test(timestamp))
    throw new BankError('bad_signature')
  if (typeof signatures !== 'string') throw new BankError('bad_signature')

  const offered = signatures.split(' ', SIGNATURES_MAX)
  const expected = secrets.map((secret) => sign(secret, id, timestamp, body))
  if (!expected.some((one) => offered.some((other) => sameText(one, other))))
    throw new BankError('bad_signature')
  if (Math.abs(unixTime(now) - Number(timestamp)) > TOLERANCE_S)
    throw new BankError('callback_expired')
}

function sign(secret: Secret, id: string, timestamp: string, body: string | Buffer): string {
  const mac = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(body)
  return `v1,${mac.digest('base64')}`
}

/** @throws {Error} for a text that is no secret: a fault of the configuration, not of a message. */
function keyOf(secret: Secret): Buffer {
  if (typeof secret === 'string' && !/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret))
    throw new Error('a webhook secret is written whsec_<base64>')
  const key = typeof secret === 'string' ? Buffer.from(secret.slice(6), 'base64') : secret
  if (key.length === 0) throw new Error('a webhook secret is not empty')
  return key
}

const unixTime = (now: Date) => Math.floor(now.getTime() / 1000)

function sameText(expected: string, offered: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(offered)]
  return a.length === b.length && timingSafeEqual(a, b)
}
