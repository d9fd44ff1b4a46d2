/** Files as a bank writes them, and files as nobody should. */
import { Readable } from 'node:stream'

export const NAMESPACE = 'urn:iso:std:iso:20022:tech:xsd:'

export const document = (message: string, body: string) =>
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
  `<Document xmlns="${NAMESPACE}${message}">${body}</Document>\n`

export const bytesOf = (...texts: (string | Uint8Array)[]) =>
  Readable.from(texts.map((text) => Buffer.from(text)))

export interface EntryFields {
  readonly amount: string
  readonly currency?: string
  readonly credit?: boolean
  readonly family?: string
  readonly reference?: string
  readonly own?: string
  readonly status?: string
  readonly details?: string
  readonly day?: string
}

export function entryOf(fields: EntryFields): string {
  const { amount, currency = 'EUR', credit = false, status = 'BOOK', day = '2026-11-27' } = fields
  const { family = credit ? 'RCDT' : 'ICDT', reference, own, details = '' } = fields
  const refs = own === undefined ? '' : `<Refs><EndToEndId>${own}</EndToEndId></Refs>`
  return (
    `<Ntry><Amt Ccy="${currency}">${amount}</Amt>` +
    `<CdtDbtInd>${credit ? 'CRDT' : 'DBIT'}</CdtDbtInd><Sts><Cd>${status}</Cd></Sts>` +
    `<BookgDt><Dt>${day}</Dt></BookgDt>` +
    (reference === undefined ? '' : `<AcctSvcrRef>${reference}</AcctSvcrRef>`) +
    `<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>${family}</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn>` +
    `</BkTxCd><NtryDtls><TxDtls>${refs}${details}</TxDtls></NtryDtls></Ntry>\n`
  )
}

const balance = (code: string, decimal: string, currency: string) =>
  `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp>` +
  `<Amt Ccy="${currency}">${decimal.replace('-', '')}</Amt>` +
  `<CdtDbtInd>${decimal.startsWith('-') ? 'DBIT' : 'CRDT'}</CdtDbtInd>` +
  `<Dt><Dt>2026-11-27</Dt></Dt></Bal>`

export const statementStart = (
  id: string,
  opening: string,
  closing: string,
  currency = 'EUR',
  sequence = '7',
) =>
  `<Stmt><Id>${id}</Id><ElctrncSeqNb>${sequence}</ElctrncSeqNb>` +
  '<CreDtTm>2026-11-27T18:00:00Z</CreDtTm>' +
  `<Acct><Id><IBAN>NL91ABNA0417164300</IBAN></Id><Ccy>${currency}</Ccy></Acct>` +
  `${balance('OPBD', opening, currency)}${balance('CLBD', closing, currency)}\n`

const HEADER =
  '<GrpHdr><MsgId>MSG1</MsgId><CreDtTm>2026-11-27T18:00:00.500+01:00</CreDtTm></GrpHdr>'

export const camt053 = (...statements: string[]) =>
  document('camt.053.001.08', `<BkToCstmrStmt>${HEADER}${statements.join('')}</BkToCstmrStmt>`)

const OUR_ACCOUNT = '<Acct><Id><IBAN>NL91ABNA0417164300</IBAN></Id></Acct>'

const MESSAGE_HEAD =
  '<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-27T13:00:00+01:00</CreDtTm></GrpHdr>'
export const reason = (code: string) => `<StsRsnInf><Rsn><Cd>${code}</Cd></Rsn></StsRsnInf>`

export const pain002 = (group: string, payments = '', file = 'BATCH1') =>
  document(
    'pain.002.001.10',
    `<CstmrPmtStsRpt>${MESSAGE_HEAD}<OrgnlGrpInfAndSts><OrgnlMsgId>${file}</OrgnlMsgId>` +
      `<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>${group}</OrgnlGrpInfAndSts>` +
      `${payments}</CstmrPmtStsRpt>`,
  )

export const payments = (status: string, ...transactions: string[]) =>
  `<OrgnlPmtInfAndSts><OrgnlPmtInfId>BATCH1</OrgnlPmtInfId>${status}` +
  `${transactions.join('')}</OrgnlPmtInfAndSts>`

export const transaction = (reference: string, status: string, why = '') =>
  `<TxInfAndSts><OrgnlEndToEndId>${reference}</OrgnlEndToEndId><TxSts>${status}</TxSts>${why}` +
  '</TxInfAndSts>'

export const camt054 = (...entries: string[]) =>
  document(
    'camt.054.001.08',
    `<BkToCstmrDbtCdtNtfctn>${MESSAGE_HEAD}<Ntfctn><Id>N1</Id>` +
      `${OUR_ACCOUNT}${entries.join('')}</Ntfctn></BkToCstmrDbtCdtNtfctn>`,
  )

export const pacs004 = (reference: string, count = '1') =>
  document(
    'pacs.004.001.09',
    `<PmtRtr>${MESSAGE_HEAD.replace('</Grp', `<NbOfTxs>${count}</NbOfTxs></Grp`)}` +
      '<TxInf><RtrId>RT1</RtrId>' +
      `<OrgnlEndToEndId>${reference}</OrgnlEndToEndId>` +
      '<RtrdIntrBkSttlmAmt Ccy="EUR">12.50</RtrdIntrBkSttlmAmt>' +
      '<IntrBkSttlmDt>2026-11-28</IntrBkSttlmDt>' +
      '<RtrRsnInf><Rsn><Cd>AC06</Cd></Rsn></RtrRsnInf></TxInf></PmtRtr>',
  )

export const camt029 = (transaction: string, recall = 'R1') =>
  document(
    'camt.029.001.09',
    '<RsltnOfInvstgtn><Assgnmt><Id>M9</Id><CreDtTm>2026-11-27T12:00:00Z</CreDtTm></Assgnmt>' +
      `<RslvdCase><Id>${recall}</Id></RslvdCase><Sts><Conf>RJCR</Conf></Sts>` +
      `${transaction}</RsltnOfInvstgtn>`,
  )
