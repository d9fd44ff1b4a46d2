/** What the file bank reads of its partner's files: by itself, with no word of who wrote them. */
import { BadFile, find, neededText, readUnits, textAt, type Bytes, type Element } from '../xml.ts'
import { moneyAt } from '../values.ts'

export interface Order {
  readonly reference: string
  readonly direction: 'debit' | 'credit'
  readonly amount: bigint
  readonly currency: string
  /** The customer's. */
  readonly number: string
}

export interface Recall {
  readonly id: string
  readonly reference: string
  readonly amount: bigint
  readonly currency: string
}

export interface PartnerFile {
  readonly id: string
  readonly message: string
  readonly orders: readonly Order[]
  readonly recalls: readonly Recall[]
}

const CREDITS = 'CstmrCdtTrfInitn'
const DEBITS = 'CstmrDrctDbtInitn'
const RECALLS = 'FIToFIPmtCxlReq'

const OUTLINES = [
  {
    message: 'pain.001.001.09',
    units: [`${CREDITS}/GrpHdr`, `${CREDITS}/PmtInf/CdtTrfTxInf`],
  },
  {
    message: 'pain.008.001.08',
    units: [`${DEBITS}/GrpHdr`, `${DEBITS}/PmtInf/DrctDbtTxInf`],
  },
  { message: 'camt.056.001.08', units: [`${RECALLS}/Assgnmt`, `${RECALLS}/Undrlyg/TxInf`] },
]

/**
 * As banks do, the file is refused whole where its count or its control sum is not what it holds.
 * @throws {BadFile}
 */
export async function readPartnerFile(bytes: Bytes): Promise<PartnerFile> {
  let head: Element | undefined
  let message = ''
  const orders: Order[] = []
  const recalls: Recall[] = []
  for await (const { path, element } of readUnits(bytes, OUTLINES)) {
    if (/\/(?:GrpHdr|Assgnmt)$/.test(path)) {
      head = element
      message = OUTLINES.find(({ units }) => units.includes(path))?.message ?? ''
    } else if (path.startsWith(RECALLS)) recalls.push(recallIn(element))
    else orders.push(orderIn(element, path.startsWith(CREDITS) ? 'credit' : 'debit'))
  }
  if (message !== 'camt.056.001.08') checkTotals(head, orders)
  return { id: neededText(head, 'MsgId', 'Id'), message, orders, recalls }
}

function orderIn(element: Element, direction: Order['direction']): Order {
  const isCredit = direction === 'credit'
  const { amount, currency } = moneyAt(element, isCredit ? 'Amt/InstdAmt' : 'InstdAmt')
  const account = find(element, isCredit ? 'CdtrAcct' : 'DbtrAcct')
  if (!isCredit) neededText(element, 'DrctDbtTx/MndtRltdInf/MndtId')
  return {
    reference: neededText(element, 'PmtId/EndToEndId'),
    ...{ direction, amount, currency },
    number: neededText(account, 'Id/IBAN', 'Id/Othr/Id'),
  }
}

function recallIn(element: Element): Recall {
  return {
    id: neededText(element, 'CxlId'),
    reference: neededText(element, 'OrgnlEndToEndId'),
    ...moneyAt(element, 'OrgnlIntrBkSttlmAmt'),
  }
}

function checkTotals(head: Element | undefined, orders: readonly Order[]): void {
  if (textAt(head, 'NbOfTxs') !== String(orders.length)) throw new BadFile('the count is wrong')
  const scaled = (textAt(head, 'CtrlSum') ?? '').replace('.', '')
  const sum = orders.reduce((total, { amount }) => total + amount, 0n)
  if (BigInt(scaled) !== sum) throw new BadFile('the control sum is wrong')
}
