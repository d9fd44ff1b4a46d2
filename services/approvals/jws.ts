/**
 * What a person's device signs: a compact JWS with a header of three parameters and a payload of
 * two. It is taken apart by hand, because that is all there is to it, and checked in the pool of
 * threads: on the thread that answers requests a signature would cost as much as the rest of a
 * payment.
 */
import { type KeyObject, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { z } from 'zod'

/** What it was signed for; one is never taken for the other. */
type Purpose = 'florin-approval+jws' | 'florin-possession+jws'

export const ALGORITHMS = ['ES256', 'EdDSA'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

export interface Signed {
  readonly alg: Algorithm
  /** Who says they signed it. */
  readonly kid: string
  /** SHA-256 of what was agreed to. */
  readonly digest: Buffer
  /** By the device's clock. */
  readonly at: Date
  readonly input: Buffer
  readonly signature: Buffer
}

export const CompactJws = z
  .string()
  .max(1_000)
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)

/** SHA-256 in hex. */
export const Digest = z.string().regex(/^[0-9a-f]{64}$/)
/** Seconds since 1970, until the year 9999. */
export const IssuedAt = z.int().min(0).max(253_402_300_799)

const Header = z.strictObject({
  alg: z.enum(ALGORITHMS),
  kid: z.string().max(100),
  typ: z.string(),
})
const Payload = z.strictObject({ digest: Digest, iat: IssuedAt })

const HEADERS_KNOWN_MAX = 4_096

/** Headers by their text. A device always writes the same one, which is then not read again. */
const headers = new Map<string, z.infer<typeof Header>>()

function headerOf(head: string): z.infer<typeof Header> | undefined {
  const known = headers.get(head)
  if (known !== undefined) return known
  const { data } = Header.safeParse(jsonOf(head))
  if (data === undefined) return undefined
  if (headers.size === HEADERS_KNOWN_MAX) headers.clear()
  headers.set(head, data)
  return data
}

/** What it says, which is not yet true; undefined when it is not that. */
export function readJws(jws: string, purpose: Purpose): Signed | undefined {
  const [head = '', body = '', end = ''] = jws.split('.')
  const header = headerOf(head)
  const payload = Payload.safeParse(jsonOf(body))
  if (header === undefined || !payload.success || header.typ !== purpose) return undefined
  const { alg, kid } = header
  const { digest, iat } = payload.data
  return {
    ...{ alg, kid, digest: Buffer.from(digest, 'hex'), at: new Date(iat * 1000) },
    input: Buffer.from(`${head}.${body}`),
    signature: Buffer.from(end, 'base64url'),
  }
}

function jsonOf(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString())
  } catch {
    return undefined
  }
}

const HASH: Readonly<Record<Algorithm, string | null>> = { ES256: 'sha256', EdDSA: null }
const verifyInPool = promisify(verify)

/** @param key of the algorithm that the header names. */
export const isSignedBy = (key: KeyObject, { alg, input, signature }: Signed): Promise<boolean> =>
  verifyInPool(HASH[alg], input, { key, dsaEncoding: 'ieee-p1363' }, signature)
