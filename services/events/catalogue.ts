/**
 * The published catalogue: every type of event, what its `data` is, and what it tells. A type is
 * never taken away and its data only gains properties; anything else is a new version of it.
 */
export interface Announced {
  /** The component of the OpenAPI document that `data` is. */
  readonly object: string
  /** Of the shape of `data`. */
  readonly version: number
  /** What has happened, in a sentence. */
  readonly summary: string
}

export const CATALOGUE = {
  'account.closed': {
    object: 'AccountAction',
    version: 1,
    summary: 'An account was closed by an operator',
  },
  'account.frozen': {
    object: 'AccountAction',
    version: 1,
    summary: 'An account was frozen, in one direction or both',
  },
  'account.period_closed': {
    object: 'ClosedPeriod',
    version: 1,
    summary: 'A period of an account was closed: nothing of it changes any more',
  },
  'account.unfrozen': {
    object: 'AccountAction',
    version: 1,
    summary: 'An account is open again in both directions',
  },
  'account.updated': {
    object: 'AccountAction',
    version: 1,
    summary: 'What an operator noted of an account has changed',
  },
  'ledger.posted': {
    object: 'LedgerPosting',
    version: 1,
    summary: 'Operators posted transfers of their own',
  },
  'payment.processing': {
    object: 'Payment',
    version: 1,
    summary: 'A payment was accepted and waits for a bank',
  },
  'payment.review': {
    object: 'Payment',
    version: 1,
    summary: 'A payment waits for somebody to look at it',
  },
  'payment.authorized': {
    object: 'Payment',
    version: 1,
    summary: 'Money is held for the payee, who may capture it',
  },
  'payment.captured': {
    object: 'Payment',
    version: 1,
    summary: 'The payee took what was held, or a part of it',
  },
  'payment.completed': { object: 'Payment', version: 1, summary: 'The payee has the money' },
  'payment.failed': {
    object: 'Payment',
    version: 1,
    summary: 'The payment was not made, and will not be',
  },
  'payment.canceled': {
    object: 'Payment',
    version: 1,
    summary: 'The payment was taken back before it was made',
  },
  'payment.expired': {
    object: 'Payment',
    version: 1,
    summary: 'What was held was not captured in time, and went back',
  },
  'payment.reversed': {
    object: 'Payment',
    version: 1,
    summary: 'A completed payment was moved back',
  },
  'merchant.draft': {
    object: 'Merchant',
    version: 1,
    summary: 'A merchant may fill in its profile',
  },
  'merchant.review': {
    object: 'Merchant',
    version: 1,
    summary: 'A merchant’s profile waits for operators',
  },
  'merchant.active': { object: 'Merchant', version: 1, summary: 'A merchant may be paid' },
  'merchant.suspended': {
    object: 'Merchant',
    version: 1,
    summary: 'A merchant may not be paid any more',
  },
  'order.created': { object: 'Order', version: 1, summary: 'A merchant asks to be paid' },
  'order.processing': {
    object: 'Order',
    version: 1,
    summary: 'The merchant is getting the goods ready',
  },
  'order.partially_shipped': { object: 'Order', version: 1, summary: 'A part of it is on its way' },
  'order.shipped': { object: 'Order', version: 1, summary: 'It is on its way' },
  'order.completed': { object: 'Order', version: 1, summary: 'The customer has it' },
  'order.canceled': {
    object: 'Order',
    version: 1,
    summary: 'The merchant does not ask to be paid any more',
  },
  'refund.completed': {
    object: 'Refund',
    version: 1,
    summary: 'The payer has money of a payment back',
  },
  'reserve.held': {
    object: 'Reserve',
    version: 1,
    summary: 'A part of what a merchant was paid is kept back for a while',
  },
  'reserve.released': {
    object: 'Reserve',
    version: 1,
    summary: 'What was kept back is the merchant’s again',
  },
  'dispute.opened': {
    object: 'Dispute',
    version: 1,
    summary: 'A payer says that a payment was not right; its money is held',
  },
  'dispute.evidence_submitted': {
    object: 'Dispute',
    version: 1,
    summary: 'The merchant has said why it was right',
  },
  'dispute.won': { object: 'Dispute', version: 1, summary: 'The merchant has the money back' },
  'dispute.lost': { object: 'Dispute', version: 1, summary: 'The payer has the money' },
  'dispute.reversed': {
    object: 'Dispute',
    version: 1,
    summary: 'A lost dispute was decided anew: the merchant has the money back',
  },
  'settlement.processing': {
    object: 'Settlement',
    version: 1,
    summary: 'A payout was handed to the bank',
  },
  'settlement.settled': { object: 'Settlement', version: 1, summary: 'The bank has paid out' },
  'settlement.failed': {
    object: 'Settlement',
    version: 1,
    summary: 'The bank did not pay out; the payments wait for the next batch',
  },
  'settlement.returned': {
    object: 'Settlement',
    version: 1,
    summary: 'The payout came back after it was made',
  },
  'settlement.carried': {
    object: 'Settlement',
    version: 1,
    summary: 'A batch pays nothing out: the next one begins with what it comes to',
  },
  'fee_invoice.issued': {
    object: 'FeeInvoice',
    version: 1,
    summary: 'What the fees of a month came to',
  },
  'instruction.manual': {
    object: 'Instruction',
    version: 1,
    summary: 'An instruction to a bank needs a person',
  },
  'instruction.returned': {
    object: 'ReturnedPayment',
    version: 1,
    summary: 'Money that a bank had paid out came back',
  },
  'bank_event.contradicted': {
    object: 'BankEventAlarm',
    version: 1,
    summary: 'A bank contradicts what it told us before',
  },
  'bank_event.parked': {
    object: 'BankEventAlarm',
    version: 1,
    summary: 'What a bank told us fits nothing we know',
  },
  'bank_file.contradicted': {
    object: 'BankFile',
    version: 1,
    summary: 'A file of a bank came again with other contents',
  },
  'incoming_money.received': {
    object: 'IncomingMoney',
    version: 1,
    summary: 'Money arrived that nobody asked a bank for',
  },
  'incoming_money.matched': {
    object: 'IncomingMoney',
    version: 1,
    summary: 'It is known now whose the money is',
  },
  'recall.manual': {
    object: 'Recall',
    version: 1,
    summary: 'A recall that nobody answered needs a person',
  },
  'recall.refused': { object: 'Recall', version: 1, summary: 'The other bank keeps the money' },
  'recall.returned': { object: 'Recall', version: 1, summary: 'The recalled money came back' },
  'netting.carried': {
    object: 'CarriedObligation',
    version: 1,
    summary: 'What one bank owes another goes into the next window',
  },
  'exchange.completed': {
    object: 'Exchange',
    version: 1,
    summary: 'A person exchanged money at the rate they were quoted',
  },
  'reconciliation.unexplained': {
    object: 'Reconciliation',
    version: 1,
    summary: 'A statement and the books differ, and nothing explains it',
  },
  'person.device_bound': {
    object: 'PersonNotice',
    version: 1,
    summary: 'A phone was bound to a person',
  },
  'person.device_revoked': {
    object: 'PersonNotice',
    version: 1,
    summary: 'A phone of a person is no longer believed',
  },
  'person.erased': {
    object: 'ErasedPerson',
    version: 1,
    summary: 'What named a person was destroyed',
  },
  'person.pin_changed': { object: 'PersonNotice', version: 1, summary: 'A person has another PIN' },
  'person.pin_locked': {
    object: 'PersonNotice',
    version: 1,
    summary: 'Wrong PINs have locked a person’s PIN',
  },
  'person.pin_reset': {
    object: 'PersonNotice',
    version: 1,
    summary: 'A person’s PIN was taken away or replaced',
  },
  'person.recovery_code_used': {
    object: 'PersonNotice',
    version: 1,
    summary: 'A recovery code was used',
  },
  'person.recovery_codes_renewed': {
    object: 'PersonNotice',
    version: 1,
    summary: 'A person has new recovery codes',
  },
  'person.totp_enrolled': {
    object: 'PersonNotice',
    version: 1,
    summary: 'A person has an authenticator',
  },
  'person.totp_locked': {
    object: 'PersonNotice',
    version: 1,
    summary: 'Wrong codes have locked a person’s authenticator',
  },
  'person.totp_removed': {
    object: 'PersonNotice',
    version: 1,
    summary: 'A person has no authenticator any more',
  },
  'webhook_endpoint.disabled': {
    object: 'WebhookEndpoint',
    version: 1,
    summary: 'Nothing is sent to an endpoint any more: it is gone, or fails for days',
  },
  'webhook_endpoint.ping': {
    object: 'WebhookEndpoint',
    version: 1,
    summary: 'Its owner tries an endpoint out; only that endpoint is told',
  },
} as const satisfies Record<string, Announced>

export type EventType = keyof typeof CATALOGUE

export const EVENT_TYPES = Object.keys(CATALOGUE) as readonly EventType[]

export const isKnownFilter = (filter: string): boolean =>
  filter === '*' || EVENT_TYPES.some((type) => filtersOf(type).includes(filter))

/** What somebody may list to be told of such an event. */
export const filtersOf = (type: EventType): readonly string[] => [
  ...[type, `${type.slice(0, type.indexOf('.'))}.*`, '*'],
]
