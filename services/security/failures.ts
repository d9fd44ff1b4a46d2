/** Which refusals the security log is about. */
import { type ErrorCode, ServiceError } from '../errors.ts'
import type { Noted, SecurityKind } from './kinds.ts'

/**
 * The refusals that leave a row wherever they are thrown. The edge writes it, with who asked, for
 * what and from where; nobody else needs to. What was locked is logged apart, once, as it happens.
 */
const FAILURES: Readonly<Partial<Record<ErrorCode, SecurityKind>>> = {
  approval_expired: 'approval_expired',
  approval_mismatch: 'approval_mismatch',
  approval_refused: 'approval_refused',
  approval_used: 'approval_used',
  bad_signature: 'callback_refused',
  callback_expired: 'callback_refused',
  cross_bank_callback: 'callback_refused',
  forbidden: 'forbidden',
  invalid_dpop_proof: 'auth_failed',
  invalid_token: 'auth_failed',
  pin_locked: 'pin_refused',
  pin_reset_required: 'pin_refused',
  possession_not_proven: 'device_refused',
  second_person_required: 'forbidden',
  too_many_requests: 'rate_limited',
  totp_locked: 'totp_refused',
}

/** Undefined for what is no matter of security. Whoever refused may know better than its code. */
export function notedOf(error: unknown, code: ErrorCode): Noted | undefined {
  const noted = error instanceof ServiceError ? error.noted : undefined
  const kind = FAILURES[code]
  return noted ?? (kind && { kind })
}
