/** What the security log knows of. */

export const SECURITY_KINDS = [
  'api_key_created',
  'api_key_refused',
  'api_key_revoked',
  'api_key_rotated',
  'approval_expired',
  'approval_mismatch',
  'approval_refused',
  'approval_used',
  'auth_failed',
  'bank_closed',
  'bank_opened',
  'callback_refused',
  'data_keys_rotated',
  'device_bound',
  'device_refused',
  'device_revoked',
  'fee_schedule_created',
  'forbidden',
  'holiday_added',
  'instruction_decided',
  'instruction_reopened',
  'limit_rule_added',
  'limit_rule_ended',
  'manual_action',
  'no_pin_limit_changed',
  'person_erased',
  'person_exported',
  'pin_changed',
  'pin_locked',
  'pin_refused',
  'pin_reset',
  'pin_set',
  'pin_taken_away',
  'proposal_approved',
  'proposal_failed',
  'proposal_made',
  'proposal_refused',
  'rate_limited',
  'recovery_code_used',
  'recovery_codes_created',
  'review_refused',
  'review_released',
  'risk_rule_added',
  'risk_rule_ended',
  'sessions_revoked',
  'settlement_schedule_created',
  'staff_added',
  'staff_removed',
  'step_up_rule_added',
  'step_up_rule_ended',
  'tier_changed',
  'totp_enrolled',
  'totp_locked',
  'totp_refused',
  'totp_removed',
] as const

export type SecurityKind = (typeof SECURITY_KINDS)[number]

/** What a refusal is to the security log, where its code alone does not say it. */
export interface Noted {
  readonly kind: SecurityKind
  /** Whom or what it was tried on, by the id that the API shows. */
  readonly subject?: string
}
