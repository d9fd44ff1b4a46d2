/** How a person may agree to something, and for how long that holds. */
import { z } from 'zod'
import { integer, json, privateKey } from './kinds.ts'

const PinKey = privateKey('P-256', 'must be a P-256 private key: a JWK, or PKCS8 in base64')

export const APPROVAL_SETTINGS = {
  APPROVAL_AGE_MAX_S: integer(120, 10, 120).describe('How old an approval may be'),
  APPROVAL_AHEAD_MAX_S: integer(10, 0, 60).describe('How far a phone’s clock may be ahead of ours'),
  FX_QUOTE_S: integer(30, 1, 3_600).describe('How long a quote for an exchange may be agreed to'),
  DEVICES_MAX: integer(10, 1, 100).describe('How many devices a person may have bound'),
  PIN_JWE_KEY: PinKey.optional().describe(
    'P-256, PKCS8 in base64 or a JWK: phones encrypt PINs to it; production needs it',
  ),
  PIN_JWE_PREVIOUS_KEYS: json
    .pipe(z.array(z.looseObject({}).transform((jwk) => JSON.stringify(jwk))).max(4))
    .pipe(z.array(PinKey))
    .default([])
    .describe('Private JWKs from before a change of PIN_JWE_KEY: still accepted, not published'),
}
