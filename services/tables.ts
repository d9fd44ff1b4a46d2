/** What is kept of an approval beside what was approved. */
const APPROVAL = [
  ...['approval', 'approval_digest', 'approval_key', 'approved_at', 'approval_proof'],
  ...['step_up', 'idempotency_key'],
] as const

/** What a quote promises and an exchange keeps. */
const EXCHANGE_TERMS = [
  ...['rate_id', 'sell_amount', 'sell_currency', 'buy_amount', 'buy_currency', 'mid_value'],
  ...['spread', 'residue', 'mid_rate', 'rate', 'spread_bps', 'source'],
] as const

/**
 * The tables whose rows commit in the group with the money, in writing order, and their columns.
 */
export const COMPANIONS = {
  merchants: [
    ...['id', 'subject', 'name', 'state', 'state_at', 'created_at', 'legal_name'],
    ...['registration_number', 'tax_id', 'category', 'country', 'street', 'postal_code', 'city'],
    ...['upi_vpa', 'pix_key', 'pix_key_type'],
  ],
  merchant_staff: ['merchant_id', 'issuer', 'subject', 'created_by', 'created_at'],
  aliases: ['alias', 'person_id', 'merchant_id'],
  fee_schedules: [
    ...['id', 'merchant_id', 'currency', 'version', 'terms', 'valid_from', 'created_by'],
    ...['created_at', 'activated_by', 'approved_by', 'activated_at'],
  ],
  orders: [
    ...['id', 'merchant_id', 'reference', 'description', 'amount', 'currency'],
    ...['created_at', 'expires_at', 'capture', 'capture_within_s', 'partial_captures', 'splits'],
    ...['reusable', 'subtotal', 'discount', 'shipping', 'tax', 'status'],
  ],
  order_lines: [
    ...['order_id', 'line', 'product', 'name', 'quantity', 'unit_amount', 'amount'],
    ...['tax_percent', 'tax'],
  ],
  payments: [
    ...['id', 'kind', 'state', 'payer_id', 'payee_id', 'order_id', 'bank_account_id'],
    ...['fee_schedule_id', 'transfer_id', 'amount', 'fee', 'tax', 'net', 'currency', 'note_sealed'],
    ...APPROVAL,
    ...['failure', 'created_at', 'changed_at'],
    ...['surcharge', 'fee_at', 'fee_volume', 'fee_country', 'fee_category'],
    ...['captured', 'hold_id', 'authorized_at', 'capture_before', 'quotas', 'review_due_at'],
    'order_reusable',
  ],
  fee_lines: ['payment_id', 'line', 'kind', 'amount', 'description'],
  payment_splits: ['payment_id', 'line', 'merchant_id', 'amount'],
  settlements: [
    ...['id', 'merchant_id', 'account_id', 'currency', 'number', 'from_entry', 'to_entry'],
    ...['cut_off', 'payments', 'gross', 'fee', 'tax', 'refunds', 'fees_returned', 'reserves'],
    ...['disputes', 'reversals', 'returned_payouts', 'splits', 'other', 'net', 'carried_in'],
    ...['total', 'payout', 'carried_out', 'payout_entry', 'transfer_id', 'bank_account_id'],
    ...['state', 'failure', 'created_at', 'changed_at'],
  ],
  settlement_schedules: [
    ...['id', 'merchant_id', 'currency', 'frequency', 'weekday', 'month_day', 'cut_off'],
    ...['time_zone', 'delay_days', 'calendar', 'minimum_amount', 'valid_from', 'created_by'],
    ...['approved_by', 'created_at'],
  ],
  holidays: ['calendar', 'day', 'name', 'created_by', 'approved_by', 'created_at'],
  instructions: [
    ...['id', 'reference', 'bank', 'direction', 'rail', 'purpose', 'subject_id'],
    ...['bank_account_id', 'owner_account_id', 'transfer_id', 'amount', 'currency', 'state'],
    ...['submissions', 'enquiries', 'next_at', 'lease', 'name_due', 'created_at', 'changed_at'],
  ],
  fx_rates: [
    ...['id', 'base', 'quote', 'rate', 'spread_bps', 'source', 'observed_at', 'valid_for_s'],
    ...['posted_by', 'created_at'],
  ],
  fx_quotes: ['id', 'person_id', 'side', ...EXCHANGE_TERMS, 'created_at', 'expires_at'],
  exchanges: [
    ...['id', 'quote_id', 'person_id', 'transfer_id', ...EXCHANGE_TERMS],
    ...APPROVAL,
    'created_at',
  ],
  risk_rules: [
    ...['id', 'kind', 'parameters', 'rails', 'tier', 'currency', 'verdict', 'when_unavailable'],
    ...['reason', 'valid_from', 'created_by', 'created_at'],
  ],
  reviews: [
    ...['id', 'payment_id', 'assessment_id', 'state', 'hold_id', 'evidence', 'due_at'],
    'created_at',
  ],
  security_log: ['id', 'at', 'kind', 'actor', 'subject', 'request_id', 'address', 'detail'],
  events: ['id', 'type', 'object_id', 'version', 'merchant_id', 'data', 'created_at'],
} as const
