/** Settings of the seals: with which key, how often, and under which name. */
import { z } from 'zod'
import { integer, json, privateKey } from './kinds.ts'

const SealKey = privateKey('Ed25519', 'must be an Ed25519 private key: a JWK, or PKCS8 in base64')

/** A public key that has signed before: `d`, the private part, is refused. */
const PublicKey = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  kid: z.string().optional(),
  alg: z.literal('EdDSA').optional(),
  use: z.literal('sig').optional(),
})

export const SEAL_SETTINGS = {
  SEAL_KEY: SealKey.optional().describe(
    'Ed25519, PKCS8 in base64 or a JWK: signs checkpoints and receipts; production needs it',
  ),
  SEAL_PREVIOUS_KEYS: json
    .pipe(z.array(PublicKey))
    .default([])
    .describe('Public JWKs from before a change of SEAL_KEY: still published'),
  SEAL_EVERY_MS: integer(1_000, 50, 600_000).describe('How often what was committed is sealed'),
  SEAL_ORIGIN: z
    .string()
    .regex(/^[\w.:/-]{1,100}$/)
    .default('florin')
    .describe('Whose books these are, in every checkpoint, for ever'),
}
