/**
 * Codes of six digits that change every 30 seconds, of a secret of 160 bits (RFC 6238, SHA-1: what
 * authenticator apps understand); and codes on paper for who has lost the app. All pure but for
 * chance.
 */
import { randomBytes } from 'node:crypto'
import { generateSecret, generateURI, verifySync } from 'otplib'
import { encodeQR } from 'qr'
import { z } from 'zod'

const STEP_S = 30
const SECRET_BYTES = 20
const SHAPE = { algorithm: 'sha1', digits: 6, period: STEP_S } as const

/** Base32, as it may be typed into an app. */
export const newSecret = (): string => generateSecret({ length: SECRET_BYTES })

/** What an authenticator app reads out of a QR code. */
export const uriOf = (secret: string, label: string, issuer: string): string =>
  generateURI({ ...SHAPE, strategy: 'totp', issuer, label, secret })

/** As SVG. */
export const qrOf = (text: string): string => encodeQR(text, 'svg')

/**
 * The step, counted from 1970, whose code this is: the step of `at`, or one of the `stepsBack`
 * before it; never one of the future. Undefined for a wrong code.
 */
export function stepOf(
  secret: string,
  code: string,
  { at, stepsBack }: { readonly at: Date; readonly stepsBack: number },
): bigint | undefined {
  const epoch = Math.floor(at.getTime() / 1000)
  const epochTolerance: [number, number] = [stepsBack * STEP_S, 0]
  const found = verifySync({ ...SHAPE, secret, token: code, epoch, epochTolerance })
  return found.valid && 'timeStep' in found ? BigInt(found.timeStep) : undefined
}

/** Crockford's base32: what people mistake for each other is the same, or not there. */
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'
const CODE_LENGTH = 16
const CODES = 10

/** Ten of 80 random bits each: `7k2m-x9pq-4dtn-w3ha`. */
export const newRecoveryCodes = (): string[] =>
  Array.from({ length: CODES }, () =>
    [...randomBytes(CODE_LENGTH)]
      .map((byte) => LETTERS.charAt(byte % LETTERS.length))
      .join('')
      .replaceAll(/(.{4})(?=.)/g, '$1-'),
  )

/** Whichever way it was typed. */
export const plainCode = (code: string): string =>
  code.toLowerCase().replaceAll('-', '').replaceAll('o', '0').replaceAll(/[il]/g, '1')

export const isTotpCode = (given: string): boolean => /^\d{6}$/.test(given)

export const TotpCode = z
  .string()
  .regex(/^\d{6}$/)
  .describe('Six digits, as the authenticator app shows them')

/** A code of the app, or one on paper. */
export const SecondFactor = z
  .string()
  .regex(/^(?:\d{6}|[0-9A-Za-z]{4}(?:-?[0-9A-Za-z]{4}){3})$/)
  .describe('Six digits of the authenticator app, or an unused recovery code')
