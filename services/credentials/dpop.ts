/**
 * That whoever shows a token holds the key it is bound to: a proof for this one request (DPoP, RFC
 * 9449). A stolen token is worth nothing without the key.
 */
import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose'
import { z } from 'zod'

export const PROOF_ALGORITHMS = ['ES256', 'EdDSA'] as const

const PROOF_BYTES_MAX = 2_048

/** A public key and nothing else: `d`, the private part, is refused. */
const PublicKey = z.discriminatedUnion('kty', [
  z.object({
    ...{ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() },
    d: z.undefined().optional(),
  }),
  z.object({
    ...{ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() },
    d: z.undefined().optional(),
  }),
])

const Header = z.object({
  typ: z.literal('dpop+jwt'),
  alg: z.enum(PROOF_ALGORITHMS),
  jwk: PublicKey,
  jku: z.undefined().optional(),
  x5u: z.undefined().optional(),
  x5c: z.undefined().optional(),
  x5t: z.undefined().optional(),
  crit: z.undefined().optional(),
  b64: z.undefined().optional(),
})

const Claims = z.object({
  jti: z.string().min(1).max(200),
  htm: z.string(),
  htu: z.url(),
  iat: z.number(),
  ath: z.string().optional(),
})

/** What a proof must be for. */
export interface ProofOf {
  readonly method: string
  /** Without query and fragment. */
  readonly url: string
  /** The access token shown with it; none where one is asked for. */
  readonly token?: string
  readonly now: Date
  /** How old, or how far in the future. */
  readonly ageMax_s: number
}

export interface Proof {
  /** SHA-256 of the key's thumbprint and the proof's id: good once. */
  readonly id: Buffer
  /** Of the key (RFC 7638), as tokens name it in `cnf.jkt`. */
  readonly thumbprint: string
}

/** Undefined for what proves nothing, whatever is wrong. Whether it was used is not asked. */
export async function readProof(text: string, of: ProofOf): Promise<Proof | undefined> {
  if (text.length > PROOF_BYTES_MAX) return undefined
  try {
    const header = Header.parse(decodeProtectedHeader(text))
    const { alg } = header
    const jwk: JWK = header.jwk.kty === 'EC' ? ecKey(header.jwk) : edKey(header.jwk)
    const thumbprint = await calculateJwkThumbprint(jwk)
    const { payload } = await jwtVerify(text, await importJWK(jwk, alg), {
      ...{ algorithms: [alg], typ: 'dpop+jwt', currentDate: of.now },
    })
    const claims = Claims.parse(payload)
    if (!isFor(claims, of)) return undefined
    const id = createHash('sha256').update(`${thumbprint}\n${claims.jti}`).digest()
    return { id, thumbprint }
  } catch {
    return undefined
  }
}

const ecKey = ({ kty, crv, x, y }: { kty: 'EC'; crv: 'P-256'; x: string; y: string }) => ({
  ...{ kty, crv, x, y },
})
const edKey = ({ kty, crv, x }: { kty: 'OKP'; crv: 'Ed25519'; x: string }) => ({ kty, crv, x })

function isFor(claims: z.infer<typeof Claims>, { method, url, token, now, ageMax_s }: ProofOf) {
  const age_s = Math.abs(now.getTime() / 1000 - claims.iat)
  const isSamePlace = claims.htm === method && placeOf(claims.htu) === placeOf(url)
  const isOfToken = token === undefined || claims.ath === sha256(token)
  return age_s <= ageMax_s && isSamePlace && isOfToken
}

/** The same text for the same place: RFC 9449 compares after normalising, without the query. */
function placeOf(url: string): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')
