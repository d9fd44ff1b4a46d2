/** The kinds of values that settings have, each refused with words for who has to correct it. */
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

/** At least 32 bytes that nobody can guess. */
export const key = z
  .base64()
  .transform((text) => Buffer.from(text, 'base64'))
  .refine((bytes) => bytes.length >= 32, 'must be at least 32 bytes, base64')

export const postgresUrl = z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// url')
