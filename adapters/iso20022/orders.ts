/**
 * What we write to a bank: credit transfers (pain.001.001.09), direct debits (pain.008.001.08) and
 * recalls (camt.056.001.08). The order of the keys is the order of the elements, and the schemas
 * demand it. The same batch is written as the same bytes for ever.
 */
import XmlBuilder from 'fast-xml-builder'
import type { Instruction, InstructionBatch, Recall } from '../adapter.ts'
import type { Creditor, Iso20022Config, OwnAccount } from './config.ts'
import { isChecked, mandateOf, plainText, uetrOf } from './text.ts'
import { decimalOf } from './values.ts'

type Tree = string | { readonly [name: string]: Tree | readonly Tree[] | undefined }

const builder = new XmlBuilder({ ignoreAttributes: false, attributeNamePrefix: '@' })

const NAMESPACE = 'urn:iso:std:iso:20022:tech:xsd:'

function written(message: string, body: Tree): Buffer {
  const document = { '@xmlns': `${NAMESPACE}${message}`, ...(body as object) }
  const xml = builder.build({ Document: document })
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}\n`)
}

/** @throws {Error} for a batch that this bank cannot be sent, with the reason. */
export function orderOf(config: Iso20022Config, batch: InstructionBatch): Buffer {
  const [first] = batch.instructions
  if (first === undefined) throw new Error(`batch ${batch.id} is empty`)
  for (const one of batch.instructions) {
    const { direction, rail, money } = one
    const isAlike = direction === first.direction && rail === first.rail
    if (!isAlike || money.currency !== first.money.currency)
      throw new Error(`batch ${batch.id} is not of one kind`)
    if (money.amount <= 0n) throw new Error(`${one.reference} moves nothing`)
  }
  if (first.direction === 'credit') return creditTransfers(config, batch, first)
  if (config.creditor === undefined) throw new Error(`${config.name} does no direct debits`)
  return directDebits(config, batch, first, config.creditor)
}

function creditTransfers(config: Iso20022Config, batch: InstructionBatch, first: Instruction) {
  return written('pain.001.001.09', {
    CstmrCdtTrfInitn: {
      GrpHdr: headOf(config, batch),
      PmtInf: {
        PmtInfId: batch.id,
        PmtMtd: 'TRF',
        BtchBookg: 'false',
        ...totals(batch),
        PmtTpInf: paymentType(config, first),
        ReqdExctnDt: { Dt: dayOf(batch.createdAt) },
        Dbtr: party(config.initiator.name),
        DbtrAcct: { Id: ownAccountId(config, first.money.currency) },
        DbtrAgt: { FinInstnId: { BICFI: config.bic } },
        ChrgBr: 'SLEV',
        CdtTrfTxInf: batch.instructions.map((one) => ({
          PmtId: paymentIds(one),
          Amt: { InstdAmt: amount(one.money) },
          CdtrAgt: agentOf(config, one),
          Cdtr: party(one.account.holder),
          CdtrAcct: { Id: accountId(one) },
          RmtInf: remittance(one.remittance),
        })),
      },
    },
  })
}

function directDebits(
  config: Iso20022Config,
  batch: InstructionBatch,
  first: Instruction,
  { id, mandatesSignedOn }: Creditor,
) {
  return written('pain.008.001.08', {
    CstmrDrctDbtInitn: {
      GrpHdr: headOf(config, batch),
      PmtInf: {
        PmtInfId: batch.id,
        PmtMtd: 'DD',
        BtchBookg: 'false',
        ...totals(batch),
        PmtTpInf: {
          SvcLvl: { Cd: 'SEPA' },
          ...paymentType(config, first),
          ...(paymentType(config, first)?.LclInstrm === undefined && { LclInstrm: { Cd: 'CORE' } }),
          SeqTp: 'RCUR',
        },
        ReqdColltnDt: dayOf(new Date(batch.createdAt.getTime() + DAY_MS)),
        Cdtr: party(config.initiator.name),
        CdtrAcct: { Id: ownAccountId(config, first.money.currency) },
        CdtrAgt: { FinInstnId: { BICFI: config.bic } },
        ChrgBr: 'SLEV',
        CdtrSchmeId: { Id: { PrvtId: { Othr: { Id: id, SchmeNm: { Prtry: 'SEPA' } } } } },
        DrctDbtTxInf: batch.instructions.map((one) => ({
          PmtId: paymentIds(one),
          InstdAmt: amount(one.money),
          DrctDbtTx: {
            MndtRltdInf: {
              MndtId: mandateOf(id, ibanIn(one) ?? one.account.number),
              DtOfSgntr: mandatesSignedOn,
            },
          },
          // A bank finds the debtor's by the IBAN, and wants to be told that we did not say.
          DbtrAgt: agentOf(config, one) ?? { FinInstnId: { Othr: { Id: 'NOTPROVIDED' } } },
          Dbtr: party(one.account.holder),
          DbtrAcct: { Id: accountId(one) },
          RmtInf: remittance(one.remittance),
        })),
      },
    },
  })
}

/** @param now a recall, once handed over, is never written again: its file is the proof. */
export function recallOf(config: Iso20022Config, recall: Recall, now: Date): Buffer {
  const { reference, original, reason } = recall
  const us = { Pty: party(config.initiator.name) }
  return written('camt.056.001.08', {
    FIToFIPmtCxlReq: {
      Assgnmt: {
        Id: reference,
        Assgnr: us,
        Assgne: { Agt: { FinInstnId: { BICFI: config.bic } } },
        CreDtTm: timeText(now),
      },
      Case: { Id: reference, Cretr: us },
      CtrlData: { NbOfTxs: '1' },
      Undrlyg: {
        TxInf: {
          CxlId: reference,
          OrgnlInstrId: original.reference,
          OrgnlEndToEndId: original.reference,
          OrgnlUETR: uetrOf(original.reference),
          OrgnlIntrBkSttlmAmt: amount(original.money),
          CxlRsnInf: { Rsn: { Cd: reason } },
        },
      },
    },
  })
}

const DAY_MS = 86_400_000
const dayOf = (time: Date) => time.toISOString().slice(0, 10)
const timeText = (time: Date) => time.toISOString()

function headOf({ initiator }: Iso20022Config, batch: InstructionBatch): Tree {
  return {
    MsgId: batch.id,
    CreDtTm: timeText(batch.createdAt),
    ...totals(batch),
    InitgPty: {
      Nm: nameOf(initiator.name),
      Id: initiator.id === undefined ? undefined : { OrgId: { Othr: { Id: initiator.id } } },
    },
  }
}

/** The control sum: a batch is of one currency, so its amounts add up. */
function totals({ instructions }: InstructionBatch) {
  const sum = instructions.reduce((total, { money }) => total + money.amount, 0n)
  const currency = instructions[0]?.money.currency ?? ''
  return { NbOfTxs: String(instructions.length), CtrlSum: decimalOf(sum, currency) }
}

function paymentType({ serviceLevels }: Iso20022Config, { rail }: Instruction) {
  const [level, instrument] = serviceLevels?.[rail]?.split('/') ?? []
  if (level === undefined) return undefined
  return {
    SvcLvl: { Cd: level },
    LclInstrm: instrument === undefined ? undefined : { Cd: instrument },
  }
}

const paymentIds = ({ reference }: Instruction): Tree => ({
  InstrId: reference,
  EndToEndId: reference,
  UETR: uetrOf(reference),
})

const amount = ({ amount, currency }: Instruction['money']): Tree => ({
  '@Ccy': currency,
  '#text': decimalOf(amount, currency),
})

function ownAccountId({ name, accounts }: Iso20022Config, currency: string): Tree {
  const account = accounts[currency]
  if (account === undefined) throw new Error(`we have no account in ${currency} at ${name}`)
  return writtenId(account)
}

const writtenId = (account: OwnAccount): Tree =>
  'iban' in account ? { IBAN: account.iban } : { Othr: { Id: account.number } }

const NAME_MAX = 70
const REMITTANCE_MAX = 140
const nameOf = (name: string) => plainText(name, NAME_MAX) || 'NOTPROVIDED'
const party = (name: string): Tree => ({ Nm: nameOf(name) })

const IBAN = /^[A-Z]{2}[0-9]{2}[A-Za-z0-9]{1,30}$/
/** A reader drops the spaces around a text. */
const OTHER_ACCOUNT = /^(?! )[A-Za-z0-9/\-?:().,'+ ]{1,34}(?<! )$/

/** An IBAN may be given as people write it, in groups of four. */
function ibanIn({ account }: Instruction): string | undefined {
  const number = account.number.replaceAll(' ', '')
  return IBAN.test(number) && isChecked(number) ? number : undefined
}

/** What is no IBAN is sent as it is, and the bank says what it thinks: a number is never mended. */
function accountId(instruction: Instruction): Tree {
  const iban = ibanIn(instruction)
  if (iban !== undefined) return writtenId({ iban })
  const { reference, account } = instruction
  if (OTHER_ACCOUNT.test(account.number)) return writtenId({ number: account.number })
  throw new Error(`the account of ${reference} cannot be written`)
}

/** At which bank a number is meant that is no IBAN; `internal` reaches those at the bank itself. */
function agentOf({ bic }: Iso20022Config, instruction: Instruction): Tree | undefined {
  if (instruction.rail !== 'internal' || ibanIn(instruction) !== undefined) return undefined
  return { FinInstnId: { BICFI: bic } }
}

/** A creditor reference (`RF18...`) goes as one, so that the other side's books can match it. */
function remittance(text: string | undefined): Tree | undefined {
  const compact = (text ?? '').replaceAll(' ', '')
  if (/^RF[0-9]{2}[A-Z0-9]{1,21}$/.test(compact) && isChecked(compact))
    return { Strd: { CdtrRefInf: { Tp: { CdOrPrtry: { Cd: 'SCOR' } }, Ref: compact } } }
  const plain = plainText(text ?? '', REMITTANCE_MAX)
  return plain === '' ? undefined : { Ustrd: plain }
}
