/** A fee invoice, or a credit note, as a PDF. */
import {
  type Column,
  endSheet,
  openSheet,
  openTable,
  writeBand,
  writeColumns,
  writeHead,
  writeSums,
} from '../statements/page.ts'
import { amountText, clockOf } from '../statements/words.ts'
import { type Invoice, numberText } from './invoices.ts'
import { type Kind, taxesOf, type What } from './lines.ts'
import type { Party } from './parties.ts'

const COLUMNS: readonly Column[] = [
  { head: 'FEES', width: 159, align: 'left' },
  { head: 'NUMBER', width: 60, align: 'right' },
  { head: 'TAX RATE', width: 60, align: 'right' },
  { head: 'NET', width: 73, align: 'right' },
  { head: 'TAX', width: 73, align: 'right' },
  { head: 'TOTAL', width: 74, align: 'right' },
]

const WORDS: Readonly<Record<What, string>> = {
  ...{ payments: 'On payments', disputes: 'On disputes', refunds: 'Given back on refunds' },
  ...{ reversals: 'Given back on reversals', other: 'Other' },
}

const KINDS: Readonly<Record<Kind, readonly [title: string, said: string]>> = {
  invoice: ['Invoice', 'They were taken off your payments: nothing is left to pay.'],
  credit_note: ['Credit note', 'They were given back to your account: nothing is left to pay.'],
}

/** "20 %"; nothing where it was not said. */
const percentText = (percent: string) => (percent === '' ? '' : `${percent} %`)

const partyLines = (label: string, { name, address, tax_id }: Party) => [
  ...[label, name, ...address],
  ...(tax_id === null ? [] : [`Tax id ${tax_id}`]),
]

/** @param merchant by the name that people know. */
export async function invoicePdf(invoice: Invoice, merchant: string): Promise<Buffer> {
  const { kind, currency, month, net, tax, total, issuedAt, lines, issuer, recipient } = invoice
  const corrected = invoice.corrects.map((one) => one.number).join(', ')
  const text = (amount: bigint) => amountText(amount, currency)
  const money = (amount: bigint) => `${currency} ${text(amount)}`
  const [name, said] = KINDS[kind]
  const title = `${name} ${numberText(invoice)}`
  const sheet = await openSheet(`${title}, ${merchant}`, issuedAt)
  writeHead(sheet, merchant, title, [
    `Fees for payments in ${month}; issued on ${clockOf('UTC').day(issuedAt)}`,
    `All amounts in ${currency}. ${said}`,
    ...(corrected === '' ? [] : [`Corrects ${corrected}`]),
  ])
  const parties = [
    ...(issuer === null ? [] : [partyLines('From', issuer)]),
    ...(recipient === null ? [] : [partyLines('To', recipient)]),
  ]
  if (parties.length > 0) writeColumns(sheet, parties)
  writeBand(sheet, { label: 'Total', text: money(total) }, [
    { label: 'Net', text: money(net) },
    { label: 'Tax', text: money(tax) },
  ])
  const row = openTable(sheet, COLUMNS)
  for (const line of lines) {
    const sums = [line.net, line.tax, line.net + line.tax].map(text)
    row([WORDS[line.what], `${line.count}`, percentText(line.taxPercent), ...sums])
  }
  sheet.y += 18
  writeSums(sheet, [
    ...taxesOf(lines).flatMap(({ taxPercent, net: base, tax: due }) => [
      { label: `Net at ${percentText(taxPercent) || 'all rates'}`, text: text(base) },
      { label: `Tax of ${percentText(taxPercent) || 'all rates'}`, text: text(due) },
    ]),
    { label: 'Total', text: text(total) },
  ])
  return endSheet(sheet, `${merchant} · ${title}`)
}
