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

/** In the first version of its shape. */
const told = (object: string, summary: string): Announced => ({ object, version: 1, summary })

export const CATALOGUE = {
  'account.closed': told('AccountAction', 'An account was closed by an operator'),
  'account.frozen': told('AccountAction', 'An account was frozen, in one direction or both'),
  'account.period_closed': told(
    'ClosedPeriod',
    'A period of an account was closed: nothing of it changes any more',
  ),
  'account.unfrozen': told('AccountAction', 'An account is open again in both directions'),
  'account.updated': told('AccountAction', 'What an operator noted of an account has changed'),
  'ledger.posted': told('LedgerPosting', 'Operators posted transfers of their own'),
  'payment.processing': told('Payment', 'A payment was accepted and waits for a bank'),
  'payment.review': told('Payment', 'A payment waits for somebody to look at it'),
  'payment.authorized': told('Payment', 'Money is held for the payee, who may capture it'),
  'payment.captured': told('Payment', 'The payee took what was held, or a part of it'),
  'payment.completed': told('Payment', 'The payee has the money'),
  'payment.failed': told('Payment', 'The payment was not made, and will not be'),
  'payment.canceled': told('Payment', 'The payment was taken back before it was made'),
  'payment.expired': told('Payment', 'What was held was not captured in time, and went back'),
  'payment.reversed': told('Payment', 'A completed payment was moved back'),
  'merchant.draft': told('MerchantProfile', 'A merchant may fill in its profile'),
  'merchant.review': told('MerchantProfile', 'A merchant’s profile waits for operators'),
  'merchant.active': told('MerchantProfile', 'A merchant may be paid'),
  'merchant.suspended': told('MerchantProfile', 'A merchant may not be paid any more'),
  'order.created': told('Order', 'A merchant asks to be paid'),
  'order.processing': told('Order', 'The merchant is getting the goods ready'),
  'order.partially_shipped': told('Order', 'A part of it is on its way'),
  'order.shipped': told('Order', 'It is on its way'),
  'order.completed': told('Order', 'The customer has it'),
  'order.canceled': told('Order', 'The merchant does not ask to be paid any more'),
  'refund.completed': told('Refund', 'The payer has money of a payment back'),
  'reserve.held': told('Reserve', 'A part of what a merchant was paid is kept back for a while'),
  'reserve.released': told('Reserve', 'What was kept back is the merchant’s again'),
  'dispute.opened': told('Dispute', 'A payer says that a payment was not right; its money is held'),
  'dispute.evidence_submitted': told('Dispute', 'The merchant has said why it was right'),
  'dispute.won': told('Dispute', 'The merchant has the money back'),
  'dispute.lost': told('Dispute', 'The payer has the money'),
  'dispute.reversed': told(
    'Dispute',
    'A lost dispute was decided anew: the merchant has the money back',
  ),
  'settlement.processing': told('Settlement', 'A payout was handed to the bank'),
  'settlement.settled': told('Settlement', 'The bank has paid out'),
  'settlement.failed': told(
    'Settlement',
    'The bank did not pay out; the payments wait for the next batch',
  ),
  'settlement.returned': told('Settlement', 'The payout came back after it was made'),
  'settlement.carried': told(
    'Settlement',
    'A batch pays nothing out: the next one begins with what it comes to',
  ),
  'fee_invoice.issued': told('FeeInvoice', 'What the fees of a month came to'),
  'instruction.manual': told('Instruction', 'An instruction to a bank needs a person'),
  'instruction.returned': told('ReturnedPayment', 'Money that a bank had paid out came back'),
  'bank_event.contradicted': told('BankEventAlarm', 'A bank contradicts what it told us before'),
  'bank_event.parked': told('BankEventAlarm', 'What a bank told us fits nothing we know'),
  'bank_file.contradicted': told('BankFile', 'A file of a bank came again with other contents'),
  'bank_file.failed': told('BankFile', 'A file of a bank could not be used and was set aside'),
  'incoming_money.received': told('IncomingMoney', 'Money arrived that nobody asked a bank for'),
  'incoming_money.returning': told('IncomingMoney', 'Its bank is told to send it back'),
  'incoming_money.sent_back': told('IncomingMoney', 'It went back to its sender'),
  'incoming_money.not_sent_back': told('IncomingMoney', 'It could not go back, and is here'),
  'incoming_money.matched': told('IncomingMoney', 'It is known now whose the money is'),
  'recall.manual': told('Recall', 'A recall that nobody answered needs a person'),
  'recall.refused': told('Recall', 'The other bank keeps the money'),
  'recall.returned': told('Recall', 'The recalled money came back'),
  'netting.carried': told(
    'CarriedObligation',
    'What one bank owes another goes into the next window',
  ),
  'exchange.completed': told('Exchange', 'A person exchanged money at the rate they were quoted'),
  'reconciliation.failed': told('Reconciliation', 'A reconciliation came to nothing, and why'),
  'reconciliation.unexplained': told(
    'Reconciliation',
    'A statement and the books differ, and nothing explains it',
  ),
  'person.device_bound': told('PersonNotice', 'A phone was bound to a person'),
  'person.device_revoked': told('PersonNotice', 'A phone of a person is no longer believed'),
  'person.erased': told('ErasedPerson', 'What named a person was destroyed'),
  'person.pin_changed': told('PersonNotice', 'A person has another PIN'),
  'person.pin_locked': told('PersonNotice', 'Wrong PINs have locked a person’s PIN'),
  'person.pin_reset': told('PersonNotice', 'A person’s PIN was taken away or replaced'),
  'person.recovery_code_used': told('PersonNotice', 'A recovery code was used'),
  'person.recovery_codes_renewed': told('PersonNotice', 'A person has new recovery codes'),
  'person.totp_enrolled': told('PersonNotice', 'A person has an authenticator'),
  'person.totp_locked': told('PersonNotice', 'Wrong codes have locked a person’s authenticator'),
  'person.totp_removed': told('PersonNotice', 'A person has no authenticator any more'),
  'webhook_endpoint.disabled': told(
    'WebhookEndpoint',
    'Nothing is sent to an endpoint any more: it is gone, or fails for days',
  ),
  'webhook_endpoint.ping': told(
    'WebhookEndpoint',
    'Its owner tries an endpoint out; only that endpoint is told',
  ),
} as const satisfies Record<string, Announced>

export type EventType = keyof typeof CATALOGUE

export const EVENT_TYPES = Object.keys(CATALOGUE) as readonly EventType[]

export const isKnownFilter = (filter: string): boolean =>
  filter === '*' || EVENT_TYPES.some((type) => filtersOf(type).includes(filter))

/** What somebody may list to be told of such an event. */
export const filtersOf = (type: EventType): readonly string[] => [
  ...[type, `${type.slice(0, type.indexOf('.'))}.*`, '*'],
]
