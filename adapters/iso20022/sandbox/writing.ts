/** The messages of the file bank, as trees: the order of the keys is the order of the elements. */
import XmlBuilder from 'fast-xml-builder'
import { scaleOf } from '../../../ledger/money.ts'
import type { OwnAccount } from '../config.ts'

/** A booking on the partner's account; the amount is positive when the partner gains. */
export interface Booked {
  readonly reference: string
  readonly bankReference: string
  readonly currency: string
  readonly amount: bigint
  readonly at: string
  /** What moved it, of the external code set: ICDT and IDDT are the partner's own orders. */
  readonly family: 'ICDT' | 'IDDT' | 'RCDT'
  readonly returned: { readonly reason: string } | undefined
  readonly remittance?: string | undefined
}

const idOf = (account: OwnAccount) =>
  'iban' in account ? { IBAN: account.iban } : { Othr: { Id: account.number } }

export interface Head {
  readonly id: string
  readonly at: string
}

const builder = new XmlBuilder({ ignoreAttributes: false, attributeNamePrefix: '@' })

function document(message: string, body: object): string {
  const xmlns = `urn:iso:std:iso:20022:tech:xsd:${message}`
  const xml = builder.build({ Document: { '@xmlns': xmlns, ...body } })
  return `<?xml version="1.0" encoding="UTF-8"?>\n${xml}\n`
}

function decimal(amount: bigint, currency: string): string {
  const unit = 10n ** BigInt(scaleOf(currency))
  const positive = amount < 0n ? -amount : amount
  const rest = (positive % unit).toString().padStart(scaleOf(currency), '0')
  return unit === 1n ? positive.toString() : `${positive / unit}.${rest}`
}

const money = (amount: bigint, currency: string) => ({
  '@Ccy': currency,
  '#text': decimal(amount, currency),
})
const side = (amount: bigint) => (amount < 0n ? 'DBIT' : 'CRDT')
const head = ({ id, at }: Head) => ({ MsgId: id, CreDtTm: at })

/** What became of orders of one file: of all of them where none is named. */
export function statusReport(
  of: Head,
  original: { readonly id: string; readonly message: string },
  status: string,
  orders: readonly { readonly reference: string; readonly reason: string }[],
): string {
  return document('pain.002.001.10', {
    CstmrPmtStsRpt: {
      GrpHdr: head(of),
      OrgnlGrpInfAndSts: {
        OrgnlMsgId: original.id,
        OrgnlMsgNmId: original.message,
        GrpSts: status,
      },
      ...(orders.length > 0 && {
        OrgnlPmtInfAndSts: {
          OrgnlPmtInfId: original.id,
          TxInfAndSts: orders.map(({ reference, reason }) => ({
            OrgnlInstrId: reference,
            OrgnlEndToEndId: reference,
            TxSts: 'RJCT',
            StsRsnInf: { Rsn: { Cd: reason } },
          })),
        },
      }),
    },
  })
}

const entry = (booked: Booked) => ({
  Amt: money(booked.amount, booked.currency),
  CdtDbtInd: side(booked.amount),
  Sts: { Cd: 'BOOK' },
  BookgDt: { DtTm: booked.at },
  ValDt: { Dt: booked.at.slice(0, 10) },
  AcctSvcrRef: booked.bankReference,
  BkTxCd: {
    Domn: {
      Cd: 'PMNT',
      Fmly: { Cd: booked.family, SubFmlyCd: booked.returned === undefined ? 'ESCT' : 'RRTN' },
    },
  },
  NtryDtls: {
    TxDtls: {
      Refs: { EndToEndId: booked.reference },
      Amt: money(booked.amount, booked.currency),
      CdtDbtInd: side(booked.amount),
      RmtInf: booked.remittance === undefined ? undefined : { Ustrd: booked.remittance },
      RtrInf: booked.returned === undefined ? undefined : { Rsn: { Cd: booked.returned.reason } },
    },
  },
})

export function notification(of: Head, account: OwnAccount, bookings: readonly Booked[]): string {
  return document('camt.054.001.08', {
    BkToCstmrDbtCdtNtfctn: {
      GrpHdr: head(of),
      Ntfctn: {
        Id: of.id,
        CreDtTm: of.at,
        Acct: { Id: idOf(account) },
        Ntry: bookings.map(entry),
      },
    },
  })
}

export interface Statement {
  readonly account: OwnAccount
  readonly currency: string
  readonly opening: bigint
  readonly bookings: readonly Booked[]
}

export function statement(of: Head, sequence: number, accounts: readonly Statement[]): string {
  const balance = (code: string, amount: bigint, currency: string) => ({
    Tp: { CdOrPrtry: { Cd: code } },
    Amt: money(amount, currency),
    CdtDbtInd: side(amount),
    Dt: { DtTm: of.at },
  })
  return document('camt.053.001.08', {
    BkToCstmrStmt: {
      GrpHdr: head(of),
      Stmt: accounts.map(({ account, currency, opening, bookings }) => ({
        Id: `${of.id}${currency}`,
        ElctrncSeqNb: sequence,
        CreDtTm: of.at,
        Acct: { Id: idOf(account), Ccy: currency },
        Bal: [
          balance('OPBD', opening, currency),
          balance(
            'CLBD',
            bookings.reduce((sum, { amount }) => sum + amount, opening),
            currency,
          ),
        ],
        Ntry: bookings.map(entry),
      })),
    },
  })
}

export function paymentReturn(of: Head, { reference, amount, currency, at, returned }: Booked) {
  return document('pacs.004.001.09', {
    PmtRtr: {
      GrpHdr: { ...head(of), NbOfTxs: '1', SttlmInf: { SttlmMtd: 'CLRG' } },
      TxInf: {
        RtrId: of.id,
        OrgnlInstrId: reference,
        OrgnlEndToEndId: reference,
        RtrdIntrBkSttlmAmt: money(amount, currency),
        IntrBkSttlmDt: at.slice(0, 10),
        RtrRsnInf: { Rsn: { Cd: returned?.reason } },
      },
    },
  })
}

export function recallRefusal(
  of: Head,
  recall: { readonly id: string; readonly reference: string },
  reason: string,
): string {
  return document('camt.029.001.09', {
    RsltnOfInvstgtn: {
      Assgnmt: { Id: of.id, CreDtTm: of.at },
      RslvdCase: { Id: recall.id },
      Sts: { Conf: 'RJCR' },
      CxlDtls: {
        TxInfAndSts: {
          OrgnlInstrId: recall.reference,
          OrgnlEndToEndId: recall.reference,
          TxCxlSts: 'RJCR',
          CxlStsRsnInf: { Rsn: { Cd: reason } },
        },
      },
    },
  })
}
