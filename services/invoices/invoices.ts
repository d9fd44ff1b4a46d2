/**
 * What a merchant paid us in a month, with the tax on it, and what of fees it got back: an invoice
 * and a credit note, issued once the month is over everywhere, numbered without a gap, and never
 * changed.
 */
import type { Knex } from 'knex'
import {
  type AccountBalances,
  type Currency,
  endsBefore,
  findAccounts,
  newId,
  type Uuid,
} from '../../ledger/index.ts'
import { feeAccounts } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { recordEvent } from '../events/events.ts'
import { publicId, uuidOf } from '../ids.ts'
import { clocksOf, monthSpan } from '../statements/months.ts'
import {
  type InvoiceLine,
  isGivenBack,
  type Kind,
  kindOf,
  openTally,
  taxesOf,
  type What,
} from './lines.ts'
import { type Party, recipientOf } from './parties.ts'
import { monthsOf, ratedSums } from './rates.ts'

export interface Invoice {
  readonly id: Uuid
  readonly kind: Kind
  readonly merchant: Uuid
  /** Null where nobody had said who we are, or to whom invoices go. */
  readonly issuer: Party | null
  readonly recipient: Party | null
  readonly currency: Currency
  /** "2026-11" */
  readonly month: string
  /** 1, 2, 3, ... of the year in which it was issued. */
  readonly year: number
  readonly number: number
  readonly lines: readonly InvoiceLine[]
  readonly net: bigint
  readonly tax: bigint
  readonly total: bigint
  /** Of a credit note: by which was charged what it gives back, where that was invoiced. */
  readonly corrects: readonly Corrected[]
  readonly issuedAt: Date
}

interface Corrected {
  readonly id: Uuid
  /** "2026-000012" */
  readonly number: string
}

/** The last clocks on earth show another month so long after UTC does. */
const EVERYWHERE_MS = 12 * 3_600_000

/** The last month that is over everywhere. */
export function lastMonth(now: Date): string {
  const at = new Date(now.getTime() - EVERYWHERE_MS)
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 0)).toISOString().slice(0, 7)
}

const monthAfter = (month: string): string => {
  const [year = 0, number = 0] = month.split('-').map((part) => Number.parseInt(part, 10))
  return new Date(Date.UTC(year, number, 1)).toISOString().slice(0, 7)
}

const ACCOUNTS_AT_ONCE = 200

/**
 * Issues what is missing, month after month. Any number of workers, any number of times: a merchant
 * has one document of a kind for a month and currency.
 */
export async function issueInvoices(context: Context): Promise<number> {
  const { db, now } = context
  const last = lastMonth(now())
  const { rows } = await db.raw<{ rows: [{ month: string | null }] }>(
    "SELECT to_char(max(month), 'YYYY-MM') AS month FROM fee_invoice_months",
  )
  const [{ month: done }] = rows
  let month = done === null ? last : monthAfter(done)
  let issued = 0
  for (; month <= last; month = monthAfter(month)) {
    issued += await issueMonth(context, month)
    const row = { month: `${month}-01`, done_at: now() }
    await db('fee_invoice_months').insert(row).onConflict().ignore()
  }
  return issued
}

async function issueMonth(context: Context, month: string): Promise<number> {
  let [issued, after] = [0, undefined as Uuid | undefined]
  for (;;) {
    const where = { after, limit: ACCOUNTS_AT_ONCE }
    const accounts = await findAccounts(context.db, { type: 'merchant' }, where)
    for (const account of accounts) issued += await issue(context, account, month)
    if (accounts.length < ACCOUNTS_AT_ONCE) return issued
    after = accounts.at(-1)?.id
  }
}

type Draft = Omit<Invoice, 'year' | 'number' | 'corrects'>

/** @returns how many were issued: none where nobody paid anything, or they were there already. */
async function issue(context: Context, account: AccountBalances, month: string): Promise<number> {
  const { db, now, config } = context
  const { owner, currency } = account
  if (!owner.startsWith('mer_')) return 0
  const merchant = uuidOf(owner)
  const { lines, charged } = await feesOfMonth(context, account, merchant, month)
  if (lines.length === 0) return 0
  const issuer = config.INVOICE_ISSUER ?? null
  const same = { merchant, issuer, recipient: await recipientOf(db, merchant), currency, month }
  const drafts = (['invoice', 'credit_note'] as const).flatMap((kind): Draft[] => {
    const own = lines.filter((line) => kindOf(line) === kind)
    if (own.length === 0) return []
    const net = own.reduce((sum, line) => sum + line.net, 0n)
    const tax = own.reduce((sum, line) => sum + line.tax, 0n)
    const sums = { lines: own, net, tax, total: net + tax }
    return [{ id: newId(), kind, ...same, ...sums, issuedAt: now() }]
  })
  return db.transaction((trx) => record(trx, drafts, charged))
}

/** What they come to, and the months in which those were charged that were given back. */
async function feesOfMonth(
  context: Context,
  { id, currency }: AccountBalances,
  merchant: Uuid,
  month: string,
) {
  const { db } = context
  const clocks = await clocksOf(db, merchant)
  const { from, to } = monthSpan(month, clocks)
  const [opens, closes] = await endsBefore(db, id, [from, to])
  const range = { beyond: opens?.entry ?? 0n, last: closes?.entry ?? 0n }
  const ours = await feeAccounts(context, currency)
  const tally = openTally(ours)
  const charged = new Set<string>()
  for await (const sums of ratedSums(db, id, [ours.fees, ours.tax], range)) {
    tally.add(sums)
    const back = new Set(sums.filter(isGivenBack).map(({ reference }) => reference))
    for (const one of await monthsOf(db, id, [...back], clocks)) charged.add(one)
  }
  return { lines: tally.lines(), charged: [...charged] }
}

/** Numbers are counted under the lock of their year, and go back with all else if that fails. */
async function record(
  trx: Knex.Transaction,
  drafts: readonly Draft[],
  charged: readonly string[],
): Promise<number> {
  const [first] = drafts
  if (first === undefined) return 0
  const { merchant, currency, month, issuedAt } = first
  const year = issuedAt.getUTCFullYear()
  await trx('fee_invoice_numbers').insert({ year, last: 0 }).onConflict('year').ignore()
  const counter = trx('fee_invoice_numbers').where({ year })
  const { last } = await counter.clone().forUpdate().first('last')
  const key = { merchant_id: merchant, currency, month: `${month}-01` }
  if ((await trx('fee_invoices').where(key).first('id')) !== undefined) return 0
  await counter.update({ last: last + drafts.length })
  for (const [index, draft] of drafts.entries()) {
    const corrects = draft.kind === 'credit_note' ? await invoicesOf(trx, draft, charged) : []
    const invoice = { ...draft, year, number: last + 1 + index, corrects }
    await trx('fee_invoices').insert({ ...key, ...rowOf(invoice) })
    const data = invoiceOut(invoice)
    await recordEvent(trx, {
      ...{ type: 'fee_invoice.issued', object: data.id, merchant, data, at: issuedAt },
    })
  }
  return drafts.length
}

/** That of its own month was written just before. */
async function invoicesOf(
  trx: Knex.Transaction,
  { merchant, currency }: Draft,
  months: readonly string[],
): Promise<Corrected[]> {
  const rows: Pick<Row, 'id' | 'year' | 'number'>[] = await trx('fee_invoices')
    .where({ merchant_id: merchant, currency, kind: 'invoice' })
    .whereIn(
      'month',
      months.map((month) => `${month}-01`),
    )
    .orderBy(['year', 'number'])
    .select('id', 'year', 'number')
  return rows.map((row) => ({ id: row.id, number: numberText(row) }))
}

const rowOf = (invoice: Invoice) => ({
  ...{ id: invoice.id, kind: invoice.kind, year: invoice.year, number: invoice.number },
  ...{ issuer: JSON.stringify(invoice.issuer), recipient: JSON.stringify(invoice.recipient) },
  lines: JSON.stringify(invoice.lines.map(lineOut)),
  corrects: JSON.stringify(invoice.corrects),
  ...{ net: invoice.net.toString(), tax: invoice.tax.toString() },
  ...{ total: invoice.total.toString(), issued_at: invoice.issuedAt },
})

const lineOut = ({ what, taxPercent, count, net, tax }: InvoiceLine) => ({
  ...{ what, tax_percent: taxPercent, count, net: net.toString(), tax: tax.toString() },
})

interface Row {
  readonly id: Uuid
  readonly kind: Kind
  readonly issuer: Party | null
  readonly recipient: Party | null
  readonly merchant_id: Uuid
  readonly currency: Currency
  readonly month: string
  readonly year: number
  readonly number: number
  /** Of invoices that did not say the rate yet, without it. */
  readonly lines: readonly {
    readonly what: What
    readonly tax_percent?: string
    readonly count: number
    readonly net: string
    readonly tax: string
  }[]
  readonly net: bigint
  readonly tax: bigint
  readonly total: bigint
  readonly corrects: readonly Corrected[]
  readonly issued_at: Date
}

const UNKNOWN = ''

const fromRow = (row: Row): Invoice => ({
  ...{ id: row.id, merchant: row.merchant_id, currency: row.currency, month: row.month },
  ...{ year: row.year, number: row.number, net: row.net, tax: row.tax, total: row.total },
  ...{ kind: row.kind, issuer: row.issuer, recipient: row.recipient, corrects: row.corrects },
  lines: row.lines.map(({ what, count, net, tax, tax_percent: taxPercent = UNKNOWN }) => ({
    ...{ what, taxPercent, count, net: BigInt(net), tax: BigInt(tax) },
  })),
  issuedAt: row.issued_at,
})

const selected = (db: Knex) =>
  db('fee_invoices').select('*', db.raw("to_char(month, 'YYYY-MM') AS month"))

/** Of any merchant where none is named. */
export async function findInvoice(
  db: Knex,
  id: Uuid,
  merchant: Uuid | undefined,
): Promise<Invoice | undefined> {
  const where = merchant === undefined ? { id } : { id, merchant_id: merchant }
  const row: Row | undefined = await selected(db).where(where).first()
  return row && fromRow(row)
}

interface Filter {
  readonly merchant: Uuid | undefined
  readonly before: Uuid | undefined
  readonly limit: number
}

/** The newest first. */
export async function findInvoices(db: Knex, { merchant, before, limit }: Filter) {
  const query = selected(db).orderBy('id', 'desc').limit(limit)
  if (merchant !== undefined) query.where({ merchant_id: merchant })
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

/** "2026-000012" */
export const numberText = ({ year, number }: Pick<Invoice, 'year' | 'number'>): string =>
  `${year}-${String(number).padStart(6, '0')}`

export const invoiceOut = (invoice: Invoice) => ({
  ...{ id: publicId('inv', invoice.id), kind: invoice.kind, number: numberText(invoice) },
  ...{ issuer: invoice.issuer, recipient: invoice.recipient },
  ...{ merchant: publicId('mer', invoice.merchant), currency: invoice.currency },
  ...{ month: invoice.month, lines: invoice.lines.map(lineOut) },
  taxes: taxesOf(invoice.lines).map(({ taxPercent, net, tax }) => ({
    ...{ tax_percent: taxPercent, net: net.toString(), tax: tax.toString() },
  })),
  ...{ net: invoice.net.toString(), tax: invoice.tax.toString() },
  corrects: invoice.corrects.map(({ id, number }) => ({ id: publicId('inv', id), number })),
  ...{ total: invoice.total.toString(), issued_at: invoice.issuedAt.toISOString() },
})
