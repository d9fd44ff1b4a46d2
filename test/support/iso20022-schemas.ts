/**
 * The schemas of the messages that we write, by the rules of the standard: its type names, lengths,
 * patterns, code sets and orders of elements. Of what is optional only the part that a bank may
 * meet from us is named, so a document that passes here passes the whole schema, not the reverse.
 * Source: ISO 20022 message definitions of the 2019 release, as implementation guides repeat them.
 */
import { XmlDocument, XsdValidator } from 'libxml2-wasm'
import { NAMESPACE } from './iso20022.ts'

const text = (max: number) =>
  '<xs:restriction base="xs:string"><xs:minLength value="1"/>' +
  `<xs:maxLength value="${max}"/></xs:restriction>`
const pattern = (value: string) =>
  `<xs:restriction base="xs:string"><xs:pattern value="${value}"/></xs:restriction>`
const codes = (...values: string[]) =>
  `<xs:restriction base="xs:string">${values
    .map((value) => `<xs:enumeration value="${value}"/>`)
    .join('')}</xs:restriction>`
const decimal = (digits: number, fraction: number, more = '') =>
  `<xs:restriction base="xs:decimal"><xs:fractionDigits value="${fraction}"/>` +
  `<xs:totalDigits value="${digits}"/>${more}</xs:restriction>`

const SIMPLE: Readonly<Record<string, string>> = {
  Max34Text: text(34),
  Max35Text: text(35),
  Max70Text: text(70),
  Max140Text: text(140),
  Max15NumericText: pattern('[0-9]{1,15}'),
  ISODate: '<xs:restriction base="xs:date"/>',
  ISODateTime: '<xs:restriction base="xs:dateTime"/>',
  DecimalNumber: decimal(18, 17),
  BatchBookingIndicator: '<xs:restriction base="xs:boolean"/>',
  IBAN2007Identifier: pattern('[A-Z]{2,2}[0-9]{2,2}[a-zA-Z0-9]{1,30}'),
  BICFIDec2014Identifier: pattern('[A-Z0-9]{4,4}[A-Z]{2,2}[A-Z0-9]{2,2}([A-Z0-9]{3,3}){0,1}'),
  UUIDv4Identifier: pattern('[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}'),
  ActiveOrHistoricCurrencyCode: pattern('[A-Z]{3,3}'),
  ActiveOrHistoricCurrencyAndAmountAmount: decimal(18, 5, '<xs:minInclusive value="0"/>'),
  ChargeBearerType1Code: codes('DEBT', 'CRED', 'SHAR', 'SLEV'),
  PaymentMethod3Code: codes('CHK', 'TRF', 'TRA'),
  PaymentMethod2Code: codes('DD'),
  SequenceType3Code: codes('FRST', 'RCUR', 'FNAL', 'OOFF', 'RPRE'),
  DocumentType3Code: codes('RADM', 'RPIN', 'FXDR', 'DISP', 'PUOR', 'SCOR'),
  ExternalServiceLevel1Code: text(4),
  ExternalLocalInstrument1Code: text(35),
  ExternalCancellationReason1Code: text(4),
}

/** Elements in their order, `?` for at most one, `+` for at least one; `|` where one is chosen. */
const SHARED: Readonly<Record<string, string>> = {
  PartyIdentification135: 'Nm? Max140Text, Id? Party38Choice',
  Party38Choice: 'OrgId OrganisationIdentification29 | PrvtId PersonIdentification13',
  OrganisationIdentification29: 'Othr+ GenericOrganisationIdentification1',
  GenericOrganisationIdentification1: 'Id Max35Text',
  PersonIdentification13: 'Othr+ GenericPersonIdentification1',
  GenericPersonIdentification1: 'Id Max35Text, SchmeNm? PersonIdentificationSchemeName1Choice',
  PersonIdentificationSchemeName1Choice: 'Cd Max35Text | Prtry Max35Text',
  CashAccount38: 'Id AccountIdentification4Choice',
  AccountIdentification4Choice: 'IBAN IBAN2007Identifier | Othr GenericAccountIdentification1',
  GenericAccountIdentification1: 'Id Max34Text',
  BranchAndFinancialInstitutionIdentification6: 'FinInstnId FinancialInstitutionIdentification18',
  FinancialInstitutionIdentification18:
    'BICFI? BICFIDec2014Identifier, Othr? GenericFinancialIdentification1',
  GenericFinancialIdentification1: 'Id Max35Text',
  PaymentIdentification6: 'InstrId? Max35Text, EndToEndId Max35Text, UETR? UUIDv4Identifier',
  GroupHeader:
    'MsgId Max35Text, CreDtTm ISODateTime, NbOfTxs Max15NumericText, CtrlSum? DecimalNumber, ' +
    'InitgPty PartyIdentification135',
  ServiceLevel8Choice: 'Cd ExternalServiceLevel1Code | Prtry Max35Text',
  LocalInstrument2Choice: 'Cd ExternalLocalInstrument1Code | Prtry Max35Text',
  RemittanceInformation16: 'Ustrd* Max140Text, Strd* StructuredRemittanceInformation16',
  StructuredRemittanceInformation16: 'CdtrRefInf? CreditorReferenceInformation2',
  CreditorReferenceInformation2: 'Tp? CreditorReferenceType2, Ref? Max35Text',
  CreditorReferenceType2: 'CdOrPrtry CreditorReferenceType1Choice, Issr? Max35Text',
  CreditorReferenceType1Choice: 'Cd DocumentType3Code | Prtry Max35Text',
}

const AGENT = 'BranchAndFinancialInstitutionIdentification6'
const PARTY = 'PartyIdentification135'

const MESSAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'pain.001.001.09': {
    Document: 'CstmrCdtTrfInitn CustomerCreditTransferInitiationV09',
    CustomerCreditTransferInitiationV09: 'GrpHdr GroupHeader, PmtInf+ PaymentInstruction30',
    PaymentInstruction30:
      'PmtInfId Max35Text, PmtMtd PaymentMethod3Code, BtchBookg? BatchBookingIndicator, ' +
      'NbOfTxs? Max15NumericText, CtrlSum? DecimalNumber, ' +
      'PmtTpInf? PaymentTypeInformation26, ReqdExctnDt DateAndDateTime2Choice, ' +
      `Dbtr ${PARTY}, DbtrAcct CashAccount38, DbtrAgt ${AGENT}, ChrgBr? ChargeBearerType1Code, ` +
      'CdtTrfTxInf+ CreditTransferTransaction34',
    DateAndDateTime2Choice: 'Dt ISODate | DtTm ISODateTime',
    PaymentTypeInformation26: 'SvcLvl* ServiceLevel8Choice, LclInstrm? LocalInstrument2Choice',
    CreditTransferTransaction34:
      'PmtId PaymentIdentification6, Amt AmountType4Choice, ' +
      `CdtrAgt? ${AGENT}, Cdtr? ${PARTY}, CdtrAcct? CashAccount38, ` +
      'RmtInf? RemittanceInformation16',
    AmountType4Choice: 'InstdAmt ActiveOrHistoricCurrencyAndAmount',
  },
  'pain.008.001.08': {
    Document: 'CstmrDrctDbtInitn CustomerDirectDebitInitiationV08',
    CustomerDirectDebitInitiationV08: 'GrpHdr GroupHeader, PmtInf+ PaymentInstruction29',
    PaymentInstruction29:
      'PmtInfId Max35Text, PmtMtd PaymentMethod2Code, BtchBookg? BatchBookingIndicator, ' +
      'NbOfTxs? Max15NumericText, CtrlSum? DecimalNumber, ' +
      'PmtTpInf? PaymentTypeInformation29, ReqdColltnDt ISODate, ' +
      `Cdtr ${PARTY}, CdtrAcct CashAccount38, CdtrAgt ${AGENT}, ChrgBr? ChargeBearerType1Code, ` +
      `CdtrSchmeId? ${PARTY}, DrctDbtTxInf+ DirectDebitTransactionInformation23`,
    PaymentTypeInformation29:
      'SvcLvl* ServiceLevel8Choice, LclInstrm? LocalInstrument2Choice, SeqTp? SequenceType3Code',
    DirectDebitTransactionInformation23:
      'PmtId PaymentIdentification6, InstdAmt ActiveOrHistoricCurrencyAndAmount, ' +
      `DrctDbtTx? DirectDebitTransaction10, DbtrAgt ${AGENT}, Dbtr ${PARTY}, ` +
      'DbtrAcct CashAccount38, RmtInf? RemittanceInformation16',
    DirectDebitTransaction10: 'MndtRltdInf? MandateRelatedInformation14',
    MandateRelatedInformation14: 'MndtId? Max35Text, DtOfSgntr? ISODate',
  },
  'camt.056.001.08': {
    Document: 'FIToFIPmtCxlReq FIToFIPaymentCancellationRequestV08',
    FIToFIPaymentCancellationRequestV08:
      'Assgnmt CaseAssignment5, Case? Case5, CtrlData? ControlData1, ' +
      'Undrlyg+ UnderlyingTransaction23',
    CaseAssignment5:
      'Id Max35Text, Assgnr Party40Choice, Assgne Party40Choice, CreDtTm ISODateTime',
    Party40Choice: `Pty ${PARTY} | Agt ${AGENT}`,
    Case5: 'Id Max35Text, Cretr Party40Choice',
    ControlData1: 'NbOfTxs Max15NumericText, CtrlSum? DecimalNumber',
    UnderlyingTransaction23: 'TxInf* PaymentTransaction106',
    PaymentTransaction106:
      'CxlId? Max35Text, OrgnlInstrId? Max35Text, OrgnlEndToEndId? Max35Text, ' +
      'OrgnlUETR? UUIDv4Identifier, ' +
      'OrgnlIntrBkSttlmAmt? ActiveOrHistoricCurrencyAndAmount, ' +
      'CxlRsnInf* PaymentCancellationReason5',
    PaymentCancellationReason5: 'Rsn? CancellationReason33Choice',
    CancellationReason33Choice: 'Cd ExternalCancellationReason1Code | Prtry Max35Text',
  },
}

const OCCURS: Readonly<Record<string, string>> = {
  '': '',
  '?': ' minOccurs="0"',
  '+': ' maxOccurs="unbounded"',
  '*': ' minOccurs="0" maxOccurs="unbounded"',
}

function elementOf(field: string): string {
  const [, name = '', often = '', type = ''] = /^(\w+)([?+*]?) (\w+)$/.exec(field.trim()) ?? []
  if (name === '') throw new Error(`not a field: ${field}`)
  return `<xs:element name="${name}" type="${type}"${OCCURS[often]}/>`
}

function complexOf(name: string, fields: string): string {
  const isChoice = fields.includes(' | ')
  const group = isChoice ? 'choice' : 'sequence'
  const elements = fields.split(isChoice ? ' | ' : ', ').map(elementOf)
  const content = `<xs:${group}>${elements.join('')}</xs:${group}>`
  return `<xs:complexType name="${name}">${content}</xs:complexType>`
}

const AMOUNT =
  '<xs:complexType name="ActiveOrHistoricCurrencyAndAmount"><xs:simpleContent>' +
  '<xs:extension base="ActiveOrHistoricCurrencyAndAmountAmount">' +
  '<xs:attribute name="Ccy" type="ActiveOrHistoricCurrencyCode" use="required"/>' +
  '</xs:extension></xs:simpleContent></xs:complexType>'

function schemaOf(message: string): string {
  const namespace = `${NAMESPACE}${message}`
  const simple = Object.entries(SIMPLE).map(
    ([name, body]) => `<xs:simpleType name="${name}">${body}</xs:simpleType>`,
  )
  const types = Object.entries({ ...SHARED, ...MESSAGES[message] })
  return (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified" ' +
    `xmlns="${namespace}" targetNamespace="${namespace}">` +
    '<xs:element name="Document" type="Document"/>' +
    [...simple, AMOUNT, ...types.map(([name, fields]) => complexOf(name, fields))].join('') +
    '</xs:schema>'
  )
}

const validators = new Map<string, XsdValidator>()

function validatorOf(message: string): XsdValidator {
  const known = validators.get(message)
  if (known !== undefined) return known
  using schema = XmlDocument.fromString(schemaOf(message))
  const validator = XsdValidator.fromDoc(schema)
  validators.set(message, validator)
  return validator
}

/** The fault of the document by its schema, or undefined. */
export function schemaFault(xml: string): string | undefined {
  const [, message = ''] = /xmlns="urn:iso:std:iso:20022:tech:xsd:([a-z0-9.]+)"/.exec(xml) ?? []
  if (MESSAGES[message] === undefined) return `no schema for ${message}`
  const document = XmlDocument.fromString(xml)
  try {
    validatorOf(message).validate(document)
    return undefined
  } catch (error) {
    return String(error)
  } finally {
    document.dispose()
  }
}

/** Read back by a second reader, libxml2: all texts at an XPath, with `d:` for the message. */
export function textsAt(xml: string, ...paths: string[]): readonly (readonly string[])[] {
  const document = XmlDocument.fromString(xml)
  try {
    const namespaces = { d: document.root.namespaceUri }
    return paths.map((path) =>
      document.find(path, namespaces).map((node) => ('content' in node ? node.content : '')),
    )
  } finally {
    document.dispose()
  }
}
