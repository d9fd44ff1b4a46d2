/** Requests against the shapes their endpoint declares: unknown in, typed out. */
import type { z } from 'zod'
import { ServiceError } from '../errors.ts'

/** An id that cannot be one names nothing. */
export function parseParams(schema: z.ZodType | undefined, params: unknown): unknown {
  if (schema === undefined) return params
  const parsed = schema.safeParse(params)
  if (!parsed.success) throw new ServiceError('not_found')
  return parsed.data
}

/** @throws {ServiceError} `invalid_request` naming every property that is wrong, not its value. */
export function parse(schema: z.ZodType | undefined, given: unknown): unknown {
  if (schema === undefined) return undefined
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.slice(0, FAULTS_MAX).map(faultOf)
  throw new ServiceError('invalid_request', { detail: faults.join('; ') })
}

const FAULTS_MAX = 10

function faultOf(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.') || 'body'
  if (issue.code === 'unrecognized_keys') return `${path}: unknown property`
  return `${path}: ${issue.message}`
}
