/** A fee invoice as a PDF. */
import {
  type Column,
  endSheet,
  openSheet,
  openTable,
  writeBand,
  writeHead,
} from '../statements/page.ts'
import { amountText, clockOf } from '../statements/words.ts'
import { type Invoice, numberText } from './invoices.ts'
import type { What } from './lines.ts'

const COLUMNS: readonly Column[] = [
  { head: 'FEES', width: 199, align: 'left' },
  { head: 'NUMBER', width: 60, align: 'right' },
  { head: 'NET', width: 80, align: 'right' },
  { head: 'TAX', width: 80, align: 'right' },
  { head: 'TOTAL', width: 80, align: 'right' },
]

const WORDS: Readonly<Record<What, string>> = {
  ...{ payments: 'On payments', disputes: 'On disputes', refunds: 'Given back on refunds' },
  ...{ reversals: 'Given back on reversals', other: 'Other' },
}

export async function invoicePdf(invoice: Invoice, merchant: string): Promise<Buffer> {
  const { currency, month, net, tax, total, issuedAt, lines } = invoice
  const text = (amount: bigint) => amountText(amount, currency)
  const money = (amount: bigint) => `${currency} ${text(amount)}`
  const title = `Invoice ${numberText(invoice)}`
  const sheet = await openSheet(`${title}, ${merchant}`, issuedAt)
  writeHead(sheet, merchant, title, [
    `Fees for payments in ${month}; issued on ${clockOf('UTC').day(issuedAt)}`,
    `All amounts in ${currency}. They were taken off your payments: nothing is left to pay.`,
  ])
  writeBand(sheet, { label: 'Total', text: money(total) }, [
    { label: 'Net', text: money(net) },
    { label: 'Tax', text: money(tax) },
  ])
  const row = openTable(sheet, COLUMNS)
  for (const line of lines) {
    const sums = [line.net, line.tax, line.net + line.tax].map(text)
    row([WORDS[line.what], `${line.count}`, ...sums])
  }
  row(['Total', '', text(net), text(tax), text(total)])
  return endSheet(sheet, `${merchant} · ${title}`)
}
