/**
 * A PIN that nobody between the phone and us can read: encrypted to a key we publish (ECDH-ES and
 * AES-256-GCM, a compact JWE), together with what it is for, when, and a nonce.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import {
  calculateJwkThumbprint,
  compactDecrypt,
  decodeProtectedHeader,
  exportJWK,
  type JWK,
} from 'jose'
import { z } from 'zod'
import { Digest, IssuedAt } from './jws.ts'

export interface SealedPin {
  readonly pin: string
  /** SHA-256 of what was agreed to. */
  readonly digest: Buffer
  readonly nonce: string
  readonly at: Date
  /** The key of ours that it was encrypted to. */
  readonly kid: string
}

export interface PinKeys {
  /** The current key, for whoever encrypts a PIN; none without a setting. */
  readonly published: () => Promise<readonly JWK[]>
  /** What is inside; undefined for what was not encrypted to a key of ours, in our way. */
  readonly open: (jwe: string) => Promise<SealedPin | undefined>
}

export const CompactJwe = z
  .string()
  .max(2_000)
  .regex(/^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/)

const Coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

/** What a header may say; what decides how it is opened is never taken from it. */
const Header = z.strictObject({
  ...{ alg: z.literal('ECDH-ES'), enc: z.literal('A256GCM'), kid: z.string() },
  typ: z.literal('florin-pin+jwe'),
  epk: z.strictObject({
    ...{ kty: z.literal('EC'), crv: z.literal('P-256'), x: Coordinate, y: Coordinate },
  }),
})

const Payload = z.strictObject({
  // How long a PIN must be is for whoever checks it to know.
  ...{ pin: z.string().regex(/^\d{4,8}$/), digest: Digest, iat: IssuedAt },
  nonce: z.string().regex(/^[A-Za-z0-9_-]{16,64}$/),
})

const RULES = { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] }

/** @param previous keys from before: what was encrypted to them is still opened. */
export function openPinKeys(
  current: KeyObject | undefined,
  previous: readonly KeyObject[],
): PinKeys {
  let known: Promise<readonly Own[]> | undefined
  const own = () => (known ??= ownKeys(current, previous))
  return {
    published: async () => (await own()).flatMap(({ key, jwk }) => (key === current ? [jwk] : [])),
    async open(jwe) {
      try {
        const { kid } = Header.parse(decodeProtectedHeader(jwe))
        const key = (await own()).find(({ jwk }) => jwk.kid === kid)?.key
        if (key === undefined) return undefined
        const { plaintext } = await compactDecrypt(jwe, key, RULES)
        const payload = Payload.parse(JSON.parse(Buffer.from(plaintext).toString()))
        const { pin, digest, nonce, iat } = payload
        return { pin, digest: Buffer.from(digest, 'hex'), nonce, at: new Date(iat * 1000), kid }
      } catch {
        return undefined
      }
    },
  }
}

interface Own {
  readonly key: KeyObject
  readonly jwk: JWK
}

async function ownKeys(current: KeyObject | undefined, previous: readonly KeyObject[]) {
  const keys = current === undefined ? previous : [current, ...previous]
  return Promise.all(
    keys.map(async (key): Promise<Own> => {
      const bare = await exportJWK(createPublicKey(key))
      const kid = await calculateJwkThumbprint(bare)
      return { key, jwk: { ...bare, kid, alg: 'ECDH-ES', use: 'enc' } }
    }),
  )
}
