/** Every refusal as clients see it: RFC 9457 problem details. Only this table knows statuses. */
import { BankError } from '../../adapters/adapter.ts'
import { isUnavailable, LedgerError } from '../../ledger/index.ts'
import { type ErrorCode, type More, ServiceError } from '../errors.ts'

/** Status and title of every code. The compiler rejects a code that is missing here. */
export const PROBLEMS = {
  account_closed: [409, 'The account is closed'],
  account_frozen: [409, 'The account is frozen in this direction'],
  account_not_empty: [409, 'The account still holds or reserves money'],
  account_not_found: [404, 'There is no such account'],
  alias_taken: [409, 'The alias belongs to somebody else'],
  allowance_exceeded: [403, 'More than may be done without an approval'],
  already_reversed: [409, 'This is reversed already'],
  amount_exceeds_hold: [422, 'More than what is left of the hold'],
  amount_not_positive: [422, 'The amount must be more than zero'],
  approval_expired: [401, 'The approval is too old, or from the future'],
  approval_mismatch: [422, 'The approval is for something else'],
  approval_refused: [401, 'The approval is not right'],
  approval_required: [403, 'This needs an approval'],
  approval_used: [409, 'The approval was used; agree again'],
  bad_callback: [400, 'The callback is signed but cannot be understood'],
  bad_signature: [401, 'The callback’s signature is missing or wrong'],
  bank_account_exists: [409, 'This bank account is linked already'],
  bank_account_not_confirmed: [409, 'The owner has yet to say that the account is theirs'],
  bank_account_not_found: [422, 'There is no such linked bank account'],
  bank_account_not_reviewed: [422, 'The merchant is paid out to the account that was reviewed'],
  bank_not_found: [422, 'There is no such bank'],
  bank_closed: [503, 'No bank that can do it works at the moment'],
  bank_not_capable: [501, 'The bank does not offer that'],
  bank_outcome_unknown: [503, 'The bank gave no usable answer'],
  bank_unreachable: [503, 'The bank cannot be reached'],
  beneficiary_not_found: [422, 'It cannot be shared with this merchant'],
  body_too_large: [413, 'The body is larger than is accepted'],
  callback_expired: [401, 'The callback’s signature is too old or from the future'],
  condition_failed: [409, 'What the posting was made conditional on is not so'],
  content_type_not_supported: [415, 'The body must be application/json'],
  credit_account_not_found: [422, 'The payee has no such account'],
  cross_bank_callback: [403, 'The instruction belongs to another bank'],
  currency_mismatch: [422, 'The accounts are of another currency'],
  currency_not_supported: [422, 'The bank does not handle this currency'],
  currency_unknown: [422, 'There is no such currency'],
  debit_account_not_found: [422, 'The payer has no such account'],
  device_exists: [409, 'The key is bound, or was'],
  dispute_decided: [409, 'The dispute is decided'],
  dispute_exists: [409, 'The payment is or was disputed already'],
  dispute_terms_exist: [409, 'There are terms from that moment already'],
  dispute_too_late: [422, 'The payment can no longer be disputed'],
  effective_in_future: [422, 'What has not happened yet cannot be recorded'],
  evidence_too_late: [409, 'The deadline for evidence has passed'],
  exchange_too_large: [422, 'The exchange is larger than we can write down'],
  exchange_too_small: [422, 'Nothing would be left of so little'],
  fee_exceeds_amount: [422, 'The fee would be more than the payment'],
  fee_schedule_exists: [409, 'There is a fee schedule from that moment already'],
  fee_schedule_in_force: [409, 'The fee schedule is no draft any more'],
  fee_schedule_in_past: [422, 'A price cannot be changed for what is past'],
  fee_schedule_not_found: [422, 'The merchant has no fee schedule for this currency'],
  fee_terms_excessive: [422, 'The fee and its tax would exceed the payments'],
  forbidden: [403, 'The token does not allow this'],
  fx_rate_exists: [409, 'There is a rate of this pair for that moment already'],
  headers_too_large: [431, 'The headers are larger than is accepted'],
  hold_expired: [409, 'The hold has expired'],
  hold_in_several_currencies: [422, 'A hold in several currencies is captured whole or not at all'],
  hold_not_found: [409, 'There is no such hold'],
  hold_resolved: [409, 'Nothing is left of the hold'],
  holiday_exists: [409, 'The day is a holiday of the calendar already'],
  idempotency_key_missing: [400, 'An Idempotency-Key of 16 to 64 of [A-Za-z0-9_-] is needed'],
  idempotency_key_reused: [422, 'This Idempotency-Key was used for another request'],
  incoming_money_matched: [409, 'It is known already whose the money is'],
  incoming_money_returned: [409, 'The money goes back to its sender'],
  instruction_not_settled: [409, 'Only money that a bank has paid out can be recalled'],
  insufficient_funds: [402, 'The payer has too little money available'],
  instruction_not_decidable: [409, 'The instruction does not wait for a person'],
  internal: [500, 'Something is wrong on our side'],
  invalid_dpop_proof: [401, 'The token is bound to a key, and nothing shows that you hold it'],
  invalid_request: [400, 'The request is malformed'],
  invalid_token: [401, 'The access token is missing or not valid'],
  issuer_unknown: [422, 'No issuer of that name may say who acts for a merchant'],
  ledger_saturated: [503, 'Too much is waiting to be written'],
  ledger_unavailable: [503, 'The books did not confirm; ask again with the same key'],
  item_not_correctable: [409, 'Nothing of ours corrects this: wait, or resolve its instruction'],
  item_resolved: [409, 'The item is not open any more'],
  last_factor: [409, 'Nothing else would be left to agree with'],
  limit_exceeded: [422, 'More than the payer may spend'],
  merchant_move_not_allowed: [409, 'The merchant is not where that begins'],
  merchant_not_active: [409, 'The merchant may not be paid at the moment'],
  merchant_not_draft: [409, 'What is known of a merchant only changes while it is a draft'],
  merchant_profile_incomplete: [422, 'Something that must be known of the merchant is missing'],
  merchant_subject_exists: [409, 'The subject acts for a merchant already'],
  method_not_allowed: [405, 'The resource does not know this method'],
  moment_not_answerable: [422, 'The books cannot say how it stood at that moment'],
  name_mismatch: [422, 'The bank knows the account under another name'],
  netting_window_not_closed: [409, 'The netting window has not been added up yet'],
  no_pin_limit_too_high: [422, 'Nobody may pay so much without an approval'],
  no_route: [422, 'No bank can move this money there'],
  not_disputable: [422, 'Only a payment to a merchant can be disputed'],
  not_found: [404, 'There is no such thing'],
  not_reversible: [409, 'Nothing of this can be moved back'],
  not_sealed_yet: [409, 'The transfers are not sealed yet'],
  nothing_to_settle: [422, 'There is no completed payment to settle'],
  order_already_paid: [409, 'The order is paid, or being paid'],
  order_canceled: [409, 'The order is canceled'],
  order_expired: [422, 'The order can no longer be paid'],
  order_mismatch: [422, 'Payee, amount or currency are not those of the order'],
  order_move_not_allowed: [409, 'The order does not go there from where it is'],
  order_reference_exists: [409, 'The merchant has an order with this reference'],
  order_required: [422, 'A merchant is paid by naming an order'],
  order_total_mismatch: [422, 'The order does not come to the amount it says'],
  original_not_found: [409, 'There is nothing to reverse'],
  partial_capture_not_allowed: [422, 'The order is captured in full or not at all'],
  payee_not_found: [422, 'There is no such payee'],
  payment_is_held: [409, 'The money is promised to the merchant, who alone may release it'],
  payment_not_authorized: [409, 'The payment holds no money to capture or release'],
  payment_not_cancelable: [409, 'The money has left, or may have'],
  payment_not_completed: [409, 'Only a completed payment can be reversed or refunded'],
  payment_not_in_review: [409, 'The payment does not wait for a review'],
  payment_refunded: [409, 'Money of the payment went back already, or may have to'],
  payment_refused: [403, 'We do not make this payment'],
  payment_settled: [409, 'The payment is settled, or being settled'],
  payment_way_not_available: [422, 'The order cannot be paid in this way'],
  period_closed: [409, 'The period is closed'],
  pin_already_set: [409, 'A PIN is set; give the current one to change it'],
  pin_locked: [423, 'Too many wrong PINs'],
  pin_not_set: [403, 'No PIN is set'],
  pin_reset_required: [423, 'Too many wrong PINs; a new one must be set'],
  possession_not_proven: [422, 'The new key has not signed exactly this'],
  posting_not_allowed: [422, 'The chart of accounts does not allow this posting'],
  proposal_decided: [409, 'The proposal is decided, or is being carried out'],
  proposal_expired: [409, 'The proposal has run out; it may be made again'],
  proposer_revoked: [409, 'Whoever proposed it may not do it any more'],
  quote_already_used: [409, 'The quote was used'],
  quote_expired: [422, 'The quote is no longer good'],
  rate_not_available: [422, 'We have no rate of this pair that is new enough'],
  recall_exists: [409, 'The money is being recalled, or came back'],
  recall_not_decidable: [409, 'The recall does not wait for a person'],
  recall_not_possible: [422, 'The bank does not recall money'],
  refund_exceeds_capture: [422, 'More than what is left of the payment'],
  request_timeout: [408, 'The request took too long to arrive'],
  reserve_rule_exists: [409, 'There is a rule of this kind from that moment already'],
  same_account: [422, 'Payer and payee are the same'],
  return_not_possible: [422, 'The bank does not say where the money came from, or cannot pay'],
  saturated: [503, 'Too much at once'],
  second_person_required: [403, 'Another operator than the one who proposed it must agree'],
  settlement_exists: [409, 'The account is being settled at this moment; ask again'],
  settlement_schedule_exists: [409, 'There is a settlement schedule from that moment already'],
  settlement_schedule_in_past: [422, 'A settlement schedule cannot begin in the past'],
  split_exceeds_net: [422, 'More is to be shared than the merchant is left with'],
  step_up_required: [403, 'This needs a second factor too'],
  too_many_api_keys: [409, 'There are as many API keys as there may be'],
  too_many_captures: [409, 'The payment was captured as often as it may be'],
  too_many_devices: [409, 'As many devices are bound as may be'],
  too_many_proposals: [409, 'Too many proposals wait to be decided'],
  too_many_refunds: [409, 'The payment was refunded as often as it may be'],
  too_many_requests: [429, 'Too many of these in so short a time'],
  too_many_reserves: [409, 'More reserves would be needed at once than may be; ask for less'],
  too_many_rules: [409, 'There are as many rules as there may be'],
  too_many_staff: [409, 'There are as many members of staff as there may be'],
  too_many_webhook_endpoints: [409, 'There are as many webhook endpoints as there may be'],
  too_much_evidence: [409, 'There is as much evidence as there may be'],
  total_too_large: [422, 'The account cannot hold that much'],
  totp_locked: [423, 'Too many wrong codes'],
  totp_not_enrolling: [409, 'There is no authenticator to confirm, or no longer'],
  totp_not_set: [403, 'No authenticator is set'],
  unit_spoken_for: [409, 'A payment, settlement, instruction or exchange rests on it'],
  unit_too_large: [422, 'Too many transfers at once'],
  url_not_allowed: [422, 'Webhooks may not be sent to this URL'],
  weak_pin: [422, 'The PIN is too easy to guess'],
  webhook_endpoint_disabled: [409, 'The webhook endpoint is disabled'],
} as const satisfies Record<ErrorCode, readonly [status: number, title: string]>

export interface Problem {
  readonly code: ErrorCode
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** Worth trying again soon, where nobody knows better. */
const RETRY_AFTER_S = 1

/** What to show instead, where it is not a bearer token. Source: RFC 9449, section 7.1. */
const CHALLENGES: Partial<Record<ErrorCode, string>> = {
  invalid_dpop_proof: 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"',
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(PROBLEMS, code)

/** A code as a problem; one we do not know is ours to answer for. */
export function problemOf(code: string, { detail, retryAfter_s, more }: Told = {}): Problem {
  const known = isErrorCode(code) ? code : 'internal'
  const [status, title] = PROBLEMS[known]
  const said = { type: `/problems/${known}`, title, status, code: known, detail }
  const body = JSON.stringify({ ...said, ...more })
  const after_s = retryAfter_s ?? (status === 503 ? RETRY_AFTER_S : undefined)
  const headers = {
    ...(after_s !== undefined && { 'Retry-After': `${after_s}` }),
    ...(status === 401 && { 'WWW-Authenticate': CHALLENGES[known] ?? 'Bearer' }),
  }
  return { code: known, status, body, headers }
}

interface Told {
  readonly detail?: string | undefined
  readonly retryAfter_s?: number | undefined
  readonly more?: More
}

/**
 * Whether asking the same again would be answered the same: not where it was too early, too much at
 * once, or our own fault.
 */
export const isFinal = ({ status }: Problem): boolean =>
  status < 500 && ![408, 429].includes(status)

/** What was thrown, as a problem. Undefined for a bug, which the caller logs and hides. */
export function problemOfError(error: unknown): Problem | undefined {
  if (error instanceof ServiceError) return problemOf(error.code, error)
  if (error instanceof LedgerError) return problemOf(error.code)
  if (error instanceof BankError) return problemOf(error.code)
  if (isUnavailable(error)) return problemOf('ledger_unavailable')
  return undefined
}
