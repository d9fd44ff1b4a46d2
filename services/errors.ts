/** Why the business refuses. One closed union with the ledger's and the banks' codes. */
import type { BankErrorCode } from '../adapters/adapter.ts'
import type { LedgerErrorCode, Uuid } from '../ledger/index.ts'
import type { Noted } from './security/kinds.ts'

/** Named constraints of services/migrations that a request can break. */
export const CONSTRAINT_CODES = [
  'alias_taken',
  'bank_account_exists',
  'bank_account_not_found',
  'bank_account_not_reviewed',
  'fee_schedule_exists',
  'fx_rate_exists',
  'holiday_exists',
  'merchant_not_active',
  'merchant_subject_exists',
  'order_already_paid',
  'order_canceled',
  'order_reference_exists',
  'order_total_mismatch',
  'quote_already_used',
  'recall_exists',
  'settlement_exists',
  'settlement_schedule_exists',
] as const

export type ServiceErrorCode =
  | (typeof CONSTRAINT_CODES)[number]
  | 'approval_expired'
  | 'approval_mismatch'
  | 'approval_refused'
  | 'approval_required'
  | 'approval_used'
  | 'bank_account_not_confirmed'
  | 'bank_closed'
  | 'bank_not_found'
  | 'beneficiary_not_found'
  | 'body_too_large'
  | 'content_type_not_supported'
  | 'cross_bank_callback'
  | 'currency_not_supported'
  | 'currency_unknown'
  | 'device_exists'
  | 'dispute_decided'
  | 'dispute_exists'
  | 'dispute_terms_exist'
  | 'dispute_too_late'
  | 'evidence_too_late'
  | 'exchange_too_large'
  | 'exchange_too_small'
  | 'fee_exceeds_amount'
  | 'fee_schedule_in_force'
  | 'fee_schedule_in_past'
  | 'fee_schedule_not_found'
  | 'fee_terms_excessive'
  | 'forbidden'
  | 'headers_too_large'
  | 'idempotency_key_missing'
  | 'incoming_money_matched'
  | 'incoming_money_returned'
  | 'instruction_not_decidable'
  | 'instruction_not_settled'
  | 'internal'
  | 'invalid_dpop_proof'
  | 'invalid_request'
  | 'invalid_token'
  | 'issuer_unknown'
  | 'item_not_correctable'
  | 'item_resolved'
  | 'last_factor'
  | 'merchant_move_not_allowed'
  | 'merchant_not_draft'
  | 'merchant_profile_incomplete'
  | 'method_not_allowed'
  | 'name_mismatch'
  | 'netting_window_not_closed'
  | 'no_pin_limit_too_high'
  | 'no_route'
  | 'not_disputable'
  | 'not_found'
  | 'not_sealed_yet'
  | 'nothing_to_settle'
  | 'order_expired'
  | 'order_mismatch'
  | 'order_move_not_allowed'
  | 'order_required'
  | 'partial_capture_not_allowed'
  | 'payee_not_found'
  | 'payment_is_held'
  | 'payment_not_authorized'
  | 'payment_not_cancelable'
  | 'payment_not_completed'
  | 'payment_not_in_review'
  | 'payment_refunded'
  | 'payment_refused'
  | 'payment_settled'
  | 'payment_way_not_available'
  | 'pin_already_set'
  | 'pin_locked'
  | 'pin_not_set'
  | 'pin_reset_required'
  | 'possession_not_proven'
  | 'proposal_decided'
  | 'proposal_expired'
  | 'proposer_revoked'
  | 'quote_expired'
  | 'rate_not_available'
  | 'recall_not_decidable'
  | 'recall_not_possible'
  | 'refund_exceeds_capture'
  | 'request_timeout'
  | 'reserve_rule_exists'
  | 'return_not_possible'
  | 'saturated'
  | 'second_person_required'
  | 'settlement_schedule_in_past'
  | 'split_exceeds_net'
  | 'step_up_required'
  | 'too_many_api_keys'
  | 'too_many_captures'
  | 'too_many_devices'
  | 'too_many_proposals'
  | 'too_many_refunds'
  | 'too_many_requests'
  | 'too_many_reserves'
  | 'too_many_rules'
  | 'too_many_staff'
  | 'too_many_webhook_endpoints'
  | 'too_much_evidence'
  | 'totp_locked'
  | 'totp_not_enrolling'
  | 'totp_not_set'
  | 'unit_spoken_for'
  | 'url_not_allowed'
  | 'webhook_endpoint_disabled'
  | 'weak_pin'

export type ErrorCode = ServiceErrorCode | LedgerErrorCode | BankErrorCode

/** What a refusal tells machines beside its code: extension members of RFC 9457. */
export interface More {
  /** How many wrong PINs or codes are left before a lock. */
  readonly attempts_left?: number
  /**
   * What would have to be shown: with `approval_required` any one of these factors, with
   * `step_up_required` all of them.
   */
  readonly missing?: readonly string[]
  /** Why more is asked for than usually. */
  readonly reasons?: readonly string[]
  /** Whether the person has yet to enrol what is missing. */
  readonly enrol?: boolean
}

export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: ServiceErrorCode
  /** For the client: what to change in this request. Never contains secrets. */
  readonly detail: string | undefined
  /** When it is worth trying again. */
  readonly retryAfter_s: number | undefined
  readonly more: More
  /** What it is to the security log, where the code does not say it. Clients do not see it. */
  readonly noted: Noted | undefined
  /** Whose PIN or code was compared with what was given, and is another one. */
  readonly guessedOf: Uuid | undefined

  constructor(code: ServiceErrorCode, told: Told = {}) {
    const { detail, retryAfter_s, more = {}, noted, guessedOf } = told
    super(detail ?? code)
    this.code = code
    this.detail = detail
    this.retryAfter_s = retryAfter_s
    this.more = more
    this.noted = noted
    this.guessedOf = guessedOf
  }
}

interface Told {
  readonly detail?: string
  readonly retryAfter_s?: number
  readonly more?: More
  readonly noted?: Noted
  readonly guessedOf?: Uuid
}
