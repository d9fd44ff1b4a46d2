/** A device with a key of its own: tokens bound to it, and proofs that it holds the key. */
import { createHash, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { inSeconds } from './abuse-issuer.ts'

export interface ProofChanges {
  /** Over the honest ones; undefined takes one away. */
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
}

export type Device = Awaited<ReturnType<typeof newDevice>>

export async function newDevice(alg = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk: JWK = await exportJWK(publicKey)
  return {
    ...{ jwk, privateJwk: await exportJWK(privateKey), jkt: await calculateJwkThumbprint(jwk) },
    /** For one request with this token; none where a token is asked for. */
    async proof(
      method: string,
      url: string,
      token: string | undefined,
      { claims, header }: ProofChanges = {},
    ): Promise<string> {
      const ath = token && createHash('sha256').update(token).digest('base64url')
      const all = { jti: randomUUID(), htm: method, htu: url, iat: inSeconds(0), ath, ...claims }
      const given = Object.entries(all).filter(([, value]) => value !== undefined)
      return new SignJWT(Object.fromEntries(given))
        .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk, ...header })
        .sign(privateKey)
    },
  }
}
