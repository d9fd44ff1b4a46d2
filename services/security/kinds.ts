/** What the security log knows of. */
import type { ErrorCode } from '../errors.ts'

export const SECURITY_KINDS = [
  'api_key_created',
  'api_key_revoked',
  'api_key_rotated',
  'approval_refused',
  'auth_failed',
  'callback_refused',
  'device_bound',
  'device_revoked',
  'fee_schedule_created',
  'forbidden',
  'key_rotated',
  'limit_changed',
  'manual_action',
  'payment_held',
  'payment_released',
  'person_erased',
  'person_exported',
  'pin_changed',
  'pin_locked',
  'pin_refused',
  'pin_reset',
  'pin_set',
  'proposal_approved',
  'proposal_failed',
  'proposal_made',
  'proposal_refused',
  'rate_limited',
  'recovery_code_used',
  'recovery_codes_created',
  'sessions_revoked',
  'totp_enrolled',
  'totp_locked',
  'totp_removed',
] as const

export type SecurityKind = (typeof SECURITY_KINDS)[number]

/**
 * The refusals that leave a row wherever they are thrown. The edge writes it, with who asked, for
 * what and from where; nobody else needs to.
 */
export const FAILURES: Readonly<Partial<Record<ErrorCode, SecurityKind>>> = {
  approval_expired: 'approval_refused',
  approval_refused: 'approval_refused',
  bad_signature: 'callback_refused',
  callback_expired: 'callback_refused',
  cross_bank_callback: 'callback_refused',
  forbidden: 'forbidden',
  invalid_dpop_proof: 'auth_failed',
  invalid_token: 'auth_failed',
  pin_locked: 'pin_locked',
  pin_reset_required: 'pin_locked',
  possession_not_proven: 'approval_refused',
  second_person_required: 'forbidden',
  too_many_requests: 'rate_limited',
  totp_locked: 'totp_locked',
}
