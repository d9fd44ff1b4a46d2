/** The key that signs the books: compact JWS with EdDSA, and the public halves for everybody. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import {
  calculateJwkThumbprint,
  CompactSign,
  compactVerify,
  decodeProtectedHeader,
  exportJWK,
  importJWK,
  type JWK,
} from 'jose'
import { z } from 'zod'

/** What a signature is for; one is never taken for the other. */
export type Purpose = 'florin-checkpoint' | 'florin-receipt'

export interface PublicKeys {
  readonly keys: readonly JWK[]
}

export interface SealKeys {
  /** A compact JWS of the payload; undefined without a key. */
  readonly sign: ((purpose: Purpose, payload: object) => Promise<string>) | undefined
  /** The current key first, then those before it. */
  readonly published: () => Promise<PublicKeys>
}

const ALGORITHM = 'EdDSA'

/** Of a JWK, as much as an Ed25519 public key has. */
type Bare = Readonly<Partial<Record<'kty' | 'crv' | 'x', string | undefined>>>

export function openSealKeys(key: KeyObject | undefined, previous: readonly Bare[]): SealKeys {
  let keys: Promise<PublicKeys> | undefined
  const published = () => (keys ??= publicKeysOf(key, previous))
  return {
    published,
    sign:
      key &&
      (async (typ, payload) => {
        const kid = (await published()).keys[0]?.kid ?? ''
        return new CompactSign(Buffer.from(JSON.stringify(payload)))
          .setProtectedHeader({ alg: ALGORITHM, kid, typ })
          .sign(key)
      }),
  }
}

/** Public keys as they are published, each under its thumbprint (RFC 7638). */
export async function publicKeysOf(
  key: KeyObject | undefined,
  previous: readonly Bare[] = [],
): Promise<PublicKeys> {
  const current = key === undefined ? [] : [await exportJWK(createPublicKey(key))]
  const keys = [...current, ...previous].map(async ({ kty, crv, x }) => {
    const bare = { kty, crv, x } as JWK
    return { ...bare, kid: await calculateJwkThumbprint(bare), alg: ALGORITHM, use: 'sig' }
  })
  return { keys: await Promise.all(keys) }
}

const PublishedKeys = z.object({
  keys: z
    .array(z.looseObject({ kty: z.string() }))
    .min(1)
    .max(100),
})

/** What somebody says are public keys. @throws {Error} when it cannot be that. */
export async function readPublicKeys(json: unknown): Promise<PublicKeys> {
  const { keys } = PublishedKeys.parse(json)
  const ours = keys.filter(({ kty, crv }) => kty === 'OKP' && crv === 'Ed25519') as JWK[]
  return publicKeysOf(undefined, ours)
}

export interface Signed {
  readonly payload: unknown
  /** Of the key. */
  readonly kid: string
}

/** What was signed, or undefined when it was not signed by one of the keys for this purpose. */
export type Verifier = (purpose: Purpose, jws: string) => Promise<Signed | undefined>

export async function openVerifier({ keys }: PublicKeys): Promise<Verifier> {
  const imported = new Map(
    await Promise.all(
      keys.map(async (key) => [key.kid ?? '', await importJWK(key, ALGORITHM)] as const),
    ),
  )
  return async (purpose, jws) => {
    if (!isCanonical(jws)) return undefined
    try {
      const { kid = '', typ } = decodeProtectedHeader(jws)
      const key = imported.get(kid)
      if (key === undefined || typ !== purpose) return undefined
      const { payload } = await compactVerify(jws, key, { algorithms: [ALGORITHM] })
      return { payload: JSON.parse(Buffer.from(payload).toString()), kid }
    } catch {
      return undefined
    }
  }
}

/** The last letter of base64 has bits that mean nothing; a changed one would go unnoticed. */
const isCanonical = (jws: string) =>
  jws.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
