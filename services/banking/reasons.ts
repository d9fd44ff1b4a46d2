/**
 * Why banks reject, return and recall: codes of ISO 20022 (external status, return and cancellation
 * reasons), and what each means for us and for our customer.
 */

export const FAULTS = ['payer', 'payee', 'bank', 'us', 'regulator'] as const
/** On whose side the reason lies. */
type Fault = (typeof FAULTS)[number]

/** Whether the same may be asked for again, unchanged, with hope. */
type Hope = 'final' | 'retry'

/** The name as ISO 20022 spells it, whose side, what hope, and what the customer is told. */
type Meaning = readonly [name: string, fault: Fault, hope: Hope, told: string]

const MEANINGS = {
  AC01: ['IncorrectAccountNumber', 'payee', 'final', 'The account number is not right.'],
  AC02: [
    'InvalidDebtorAccountNumber',
    'payer',
    'final',
    'The number of the paying account is not right.',
  ],
  AC03: [
    'InvalidCreditorAccountNumber',
    'payee',
    'final',
    'The number of the account to be paid is not right.',
  ],
  AC04: ['ClosedAccountNumber', 'payee', 'final', 'The account is closed.'],
  AC06: ['BlockedAccount', 'payee', 'final', 'The account is blocked.'],
  AC13: [
    'InvalidDebtorAccountType',
    'payer',
    'final',
    'The paying account cannot be used for this.',
  ],
  AC14: [
    'InvalidCreditorAccountType',
    'payee',
    'final',
    'The account to be paid cannot be used for this.',
  ],
  AG01: [
    'TransactionForbidden',
    'payee',
    'final',
    'The account may not be used for this kind of payment.',
  ],
  AG02: [
    'InvalidBankOperationCode',
    'us',
    'final',
    'The payment was not understood; we look into it.',
  ],
  AG03: [
    'TransactionNotSupported',
    'bank',
    'final',
    'The bank does not offer this kind of payment.',
  ],
  AG07: ['UnsuccesfulDirectDebit', 'payer', 'final', 'The bank did not collect the money.'],
  AM01: ['ZeroAmount', 'us', 'final', 'The payment was not understood; we look into it.'],
  AM02: ['NotAllowedAmount', 'payer', 'final', 'The amount is more than the bank allows.'],
  AM03: ['NotAllowedCurrency', 'us', 'final', 'The account does not take this currency.'],
  AM04: ['InsufficientFunds', 'payer', 'retry', 'There was too little money in the account.'],
  AM05: ['Duplication', 'us', 'final', 'The bank takes it for a payment that was made before.'],
  AM06: ['TooLowAmount', 'payer', 'final', 'The amount is less than the bank allows.'],
  AM07: ['BlockedAmount', 'regulator', 'final', 'The authorities have blocked the money.'],
  AM09: ['WrongAmount', 'us', 'final', 'The amount is not what was agreed.'],
  AM10: ['InvalidControlSum', 'us', 'final', 'The payment was not understood; we look into it.'],
  AM14: [
    'AmountExceedsAgreedLimit',
    'payer',
    'retry',
    'The amount is more than was agreed with the bank.',
  ],
  ARDT: ['AlreadyReturnedTransaction', 'bank', 'final', 'The money came back before.'],
  BE01: [
    'InconsistenWithEndCustomer',
    'payee',
    'final',
    'Name and account number do not belong together.',
  ],
  BE04: [
    'MissingCreditorAddress',
    'payee',
    'final',
    'The bank needs the address of whoever is paid.',
  ],
  BE05: [
    'UnrecognisedInitiatingParty',
    'us',
    'final',
    'The bank does not know who asked for the payment.',
  ],
  BE06: ['UnknownEndCustomer', 'payee', 'final', 'The bank does not know whoever is paid.'],
  BE07: ['MissingDebtorAddress', 'payer', 'final', 'The bank needs the address of whoever pays.'],
  CNOR: [
    'CreditorBankIsNotRegistered',
    'payee',
    'final',
    'The bank to be paid cannot be reached this way.',
  ],
  CURR: ['IncorrectCurrency', 'us', 'final', 'The currency is not right.'],
  CUST: ['RequestedByCustomer', 'payer', 'final', 'The customer of the bank asked for it.'],
  DNOR: [
    'DebtorBankIsNotRegistered',
    'payer',
    'final',
    'The paying bank cannot be reached this way.',
  ],
  DT01: ['InvalidDate', 'us', 'final', 'The payment was not understood; we look into it.'],
  DUPL: ['DuplicatePayment', 'us', 'final', 'The payment was made twice.'],
  ED01: ['CorrespondentBankNotPossible', 'bank', 'final', 'The banks could not reach each other.'],
  ED05: ['SettlementFailed', 'bank', 'retry', 'The banks could not settle with each other.'],
  FF01: ['InvalidFileFormat', 'us', 'final', 'The payment was not understood; we look into it.'],
  FF05: [
    'InvalidLocalInstrumentCode',
    'us',
    'final',
    'The payment was not understood; we look into it.',
  ],
  FOCR: [
    'FollowingCancellationRequest',
    'us',
    'final',
    'The money came back because it was asked back.',
  ],
  FR01: ['Fraud', 'regulator', 'final', 'The bank does not make this payment.'],
  FRAD: ['FraudulentOrigin', 'regulator', 'final', 'The bank does not make this payment.'],
  LEGL: ['LegalDecision', 'regulator', 'final', 'The bank may not make this payment.'],
  MD01: ['NoMandate', 'payer', 'final', 'The bank has no permission to collect from the account.'],
  MD02: [
    'MissingMandatoryInformationInMandate',
    'us',
    'final',
    'The permission to collect is not complete.',
  ],
  MD06: [
    'RefundRequestByEndCustomer',
    'payer',
    'final',
    'The customer of the bank asked for the money back.',
  ],
  MD07: ['EndCustomerDeceased', 'payee', 'final', 'The bank no longer serves this account.'],
  MS02: [
    'NotSpecifiedReasonCustomerGenerated',
    'payer',
    'final',
    'The customer of the bank refused it.',
  ],
  MS03: [
    'NotSpecifiedReasonAgentGenerated',
    'bank',
    'final',
    'The bank refused it and does not say why.',
  ],
  NARR: ['Narrative', 'bank', 'final', 'The bank refused it.'],
  NOAS: ['NoAnswerFromCustomer', 'payee', 'final', 'The customer of the bank did not answer.'],
  NOOR: ['NoOriginalTransactionReceived', 'bank', 'final', 'The bank knows no such payment.'],
  RC01: ['BankIdentifierIncorrect', 'payee', 'final', 'The bank of the account is not right.'],
  RC03: [
    'InvalidDebtorBankIdentifier',
    'payer',
    'final',
    'The bank of the paying account is not right.',
  ],
  RC04: [
    'InvalidCreditorBankIdentifier',
    'payee',
    'final',
    'The bank of the account to be paid is not right.',
  ],
  RF01: [
    'NotUniqueTransactionReference',
    'us',
    'final',
    'The bank takes it for a payment that was made before.',
  ],
  RR01: [
    'MissingDebtorAccountOrIdentification',
    'regulator',
    'final',
    'The bank needs to know more of whoever pays.',
  ],
  RR02: [
    'MissingDebtorNameOrAddress',
    'regulator',
    'final',
    'The bank needs to know more of whoever pays.',
  ],
  RR03: [
    'MissingCreditorNameOrAddress',
    'regulator',
    'final',
    'The bank needs to know more of whoever is paid.',
  ],
  RR04: ['RegulatoryReason', 'regulator', 'final', 'The bank may not make this payment.'],
  SL01: [
    'SpecificServiceOfferedByDebtorAgent',
    'payer',
    'final',
    'The paying account does not allow this.',
  ],
  SVNR: ['ServiceNotRendered', 'us', 'final', 'What was paid for was not delivered.'],
  TECH: ['TechnicalProblem', 'us', 'retry', 'Something technical went wrong.'],
  TM01: ['InvalidCutOffTime', 'us', 'retry', 'It came too late for that day.'],
  UPAY: ['UnduePayment', 'us', 'final', 'The payment was not owed.'],
} as const satisfies Readonly<Record<string, Meaning>>

/** What banks say that is no code of ours: a narrative, or a code of their own. */
const UNKNOWN = ['Unknown', 'bank', 'final', 'The bank refused it.'] as const satisfies Meaning

interface Reason {
  readonly code: string
  readonly name: string
  readonly fault: Fault
  readonly may_be_tried_again: boolean
  readonly told: string
}

const reasonOf = (code: string, [name, fault, hope, told]: Meaning): Reason => ({
  ...{ code, name, fault, may_be_tried_again: hope === 'retry', told },
})

export const REASONS: readonly Reason[] = [
  ...Object.entries(MEANINGS).map(([code, meaning]) => reasonOf(code, meaning)),
  reasonOf('unknown', UNKNOWN),
]
