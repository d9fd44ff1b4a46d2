/**
 * A statement as camt.053.001.08, so that a merchant's accounting reads it as it reads the bank's.
 * Source: ISO 20022, BankToCustomerStatementV08. Made as it is read.
 */
import XmlBuilder from 'fast-xml-builder'
import { publicId } from '../ids.ts'
import { type Line, subjectOf } from '../settlements/lines.ts'
import type { Statement } from './statement.ts'
import { adder, chunksOf } from './texts.ts'
import { codeText, decimalText } from './words.ts'

const MESSAGE = 'camt.053.001.08'

const REFERENCE_LENGTH_MAX = 35

const builder = new XmlBuilder({ ignoreAttributes: false, attributeNamePrefix: '@' })

const side = (amount: bigint) => (amount < 0n ? 'DBIT' : 'CRDT')

/** Of the external code set: what moved money, by code; the rest is a miscellaneous movement. */
const FAMILIES: Readonly<Record<string, readonly [family: string, subFamily: string]>> = {
  ...{ payment: ['RCDT', 'ESCT'], refund: ['ICDT', 'RRTN'], payout: ['ICDT', 'ESCT'] },
  ...{ payout_rejected: ['ICDT', 'RRTN'], return: ['ICDT', 'RRTN'] },
}

export async function* camt053Of(statement: Statement, at: Date): AsyncGenerator<string> {
  const { currency, merchant, from, to, opening, closing } = statement
  const money = (amount: bigint) => ({ '@Ccy': currency, '#text': decimalText(amount, currency) })
  const balance = (code: string, amount: bigint, day: Date) => ({
    Tp: { CdOrPrtry: { Cd: code } },
    Amt: money(amount),
    CdtDbtInd: side(amount),
    Dt: { DtTm: day.toISOString() },
  })
  const head = { MsgId: idText(statement.id), CreDtTm: at.toISOString() }
  const about = {
    Id: idText(statement.id),
    CreDtTm: at.toISOString(),
    FrToDt: { FrDtTm: from.toISOString(), ToDtTm: to.toISOString() },
    Acct: { Id: { Othr: { Id: merchant.id } }, Ccy: currency, Nm: merchant.name.slice(0, 70) },
    Bal: [balance('OPBD', opening, from), balance('CLBD', closing, to)],
  }
  const xmlns = `urn:iso:std:iso:20022:tech:xsd:${MESSAGE}`
  yield (
    `<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="${xmlns}"><BkToCstmrStmt>` +
    `${builder.build({ GrpHdr: head })}<Stmt>${builder.build(about)}`
  )
  const running = adder(statement)
  for await (const chunk of chunksOf(statement.lines)) {
    for (const line of chunk) running.add(line)
    // What comes to nothing moved nothing: the standard knows no entry of zero.
    const entries = chunk.filter(({ net }) => net !== 0n).map((line) => entryOf(line, money))
    yield builder.build({ Ntry: entries })
  }
  running.check()
  yield '</Stmt></BkToCstmrStmt></Document>\n'
}

/** At most 35 characters, as the standard has it. */
const idText = (id: string) => (id.length <= 35 ? id : id.replaceAll(/^mer_|-/g, '').slice(-35))

function entryOf(line: Line, money: (amount: bigint) => object) {
  const [Cd, SubFmlyCd] = FAMILIES[line.code] ?? [line.net < 0n ? 'MDOP' : 'MCOP', 'OTHR']
  const at = line.at.toISOString()
  return {
    NtryRef: line.entry.toString(),
    Amt: money(line.net),
    CdtDbtInd: side(line.net),
    Sts: { Cd: 'BOOK' },
    BookgDt: { DtTm: at },
    ValDt: { Dt: at.slice(0, 10) },
    AcctSvcrRef: publicId('trf', line.transfer),
    BkTxCd: { Domn: { Cd: 'PMNT', Fmly: { Cd, SubFmlyCd } } },
    NtryDtls: {
      TxDtls: {
        Refs: { EndToEndId: subjectOf(line) },
        Amt: money(line.net),
        CdtDbtInd: side(line.net),
        RmtInf: { Ustrd: remittanceOf(line, money), ...referenceOf(line) },
      },
    },
  }
}

/** What the merchant calls it, whole: where the standard's reference is too short, beside it. */
function referenceOf({ orderReference }: Line) {
  if (orderReference === null) return {}
  const isShort = orderReference.length <= REFERENCE_LENGTH_MAX
  return {
    Strd: isShort ? { CdtrRefInf: { Ref: orderReference } } : { AddtlRmtInf: orderReference },
  }
}

/** What the net is made of, where it is made of something. */
function remittanceOf({ code, gross, fee, tax }: Line, money: (amount: bigint) => object): string {
  const text = (amount: bigint) =>
    `${amount < 0n ? '-' : ''}${(money(amount) as { '#text': string })['#text']}`
  if (fee === 0n && tax === 0n) return codeText(code)
  return `${codeText(code)}: gross ${text(gross)}, fee ${text(fee)}, tax ${text(tax)}`
}
