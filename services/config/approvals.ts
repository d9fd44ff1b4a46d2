/** How a person may agree to something, and for how long that holds. */
import { z } from 'zod'
import { integer, json, privateKey } from './kinds.ts'

const PinKey = privateKey('P-256', 'must be a P-256 private key: a JWK, or PKCS8 in base64')

export const approvalSettings = {
  APPROVAL_AGE_MAX_S: integer(120, 10, 120).describe('How old an approval may be'),
  APPROVAL_AHEAD_MAX_S: integer(10, 0, 60).describe('How far a phone’s clock may be ahead of ours'),
  DEVICES_MAX: integer(10, 1, 100).describe('How many devices a person may have bound'),
  PIN_JWE_KEY: PinKey.optional().describe(
    'PINs are encrypted to its public half, so that the chat app’s servers never see one',
  ),
  PIN_JWE_PREVIOUS_KEYS: json
    .pipe(z.array(z.looseObject({}).transform((jwk) => JSON.stringify(jwk))).max(4))
    .pipe(z.array(PinKey))
    .default([])
    .describe('Private JWKs from before a change of PIN_JWE_KEY: still accepted, not published'),
}
