/** The kinds of values that settings have, each refused with words for who has to correct it. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'

export const integer = (fallback: number, min: number, max: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback)

export const json = z.string().transform((text, ctx): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    ctx.addIssue({ code: 'custom', message: 'is not JSON' })
    return z.NEVER
  }
})

/** The same, or `@` and the path of a file of it: what is long is not kept in an environment. */
export const jsonOrFile = z
  .string()
  .transform((text, ctx): string => {
    if (!text.startsWith('@')) return text
    try {
      return readFileSync(text.slice(1), 'utf8')
    } catch {
      ctx.addIssue({ code: 'custom', message: `${text.slice(1)} cannot be read` })
      return z.NEVER
    }
  })
  .pipe(json)

/** At least 32 bytes that nobody can guess. */
export const key = z
  .base64()
  .transform((text) => Buffer.from(text, 'base64'))
  .refine((bytes) => bytes.length >= 32, 'must be at least 32 bytes, base64')

/** A private key on this curve, as a JWK or as PKCS8 in base64; @param fault says so. */
export const privateKey = (curve: 'Ed25519' | 'P-256', fault: string) =>
  z.string().transform((text, ctx): KeyObject => {
    try {
      const key = text.startsWith('{')
        ? createPrivateKey({ key: JSON.parse(text), format: 'jwk' })
        : createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' })
      if (key.export({ format: 'jwk' }).crv === curve) return key
    } catch {
      // What it is not must not be said with what it is.
    }
    ctx.addIssue({ code: 'custom', message: fault })
    return z.NEVER
  })

export const postgresUrl = z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// url')
