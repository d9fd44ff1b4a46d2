/** Fee invoices over HTTP. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { CurrencyCode, listOf, page, pageQuery, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { payeeById } from '../people/parties.ts'
import { findInvoice, findInvoices, invoiceOut, numberText } from './invoices.ts'
import { WHATS } from './lines.ts'
import { invoicePdf } from './pdf.ts'

const SignedAmount = z.string().regex(/^-?[0-9]+$/)

const PercentOut = z.string().describe('"20" is 20 %; empty on what was issued without saying it')

const PartyOut = z
  .strictObject({
    name: z.string(),
    address: z.array(z.string()),
    tax_id: z.string().nullable(),
  })
  .nullable()

const InvoiceOut = z
  .strictObject({
    id: idOut('inv'),
    kind: z.enum(['invoice', 'credit_note']).describe('A credit note has what was given back'),
    number: z.string().describe('2026-000012: both kinds together without a gap in each year'),
    issuer: PartyOut.describe('Who we are: `INVOICE_ISSUER`, as it was then'),
    recipient: PartyOut.describe('Who the merchant was before the law'),
    merchant: idOut('mer'),
    currency: CurrencyCode,
    month: z.string(),
    lines: z.array(
      z.strictObject({
        what: z.enum(WHATS),
        tax_percent: PercentOut,
        count: z.int(),
        net: SignedAmount.describe('Below zero where fees were given back'),
        tax: SignedAmount,
      }),
    ),
    taxes: z
      .array(z.strictObject({ tax_percent: PercentOut, net: SignedAmount, tax: SignedAmount }))
      .describe('The same by rate'),
    net: SignedAmount,
    tax: SignedAmount,
    total: SignedAmount,
    corrects: z
      .array(z.strictObject({ id: idOut('inv'), number: z.string() }))
      .describe('Of a credit note: the invoices by which was charged what it gives back'),
    issued_at: Timestamp,
  })
  .meta({ id: 'FeeInvoice' })

const scopes = ['merchant', 'operator'] as const
const visibleTo = (caller: Extract<Caller, { scope: (typeof scopes)[number] }>) =>
  caller.scope === 'merchant' ? caller.merchant : undefined

async function* whole(make: () => Promise<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield await make()
}

export const invoiceEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/fee_invoices', tag: 'Settlements', scopes },
    summary: 'What merchants paid us, by month, with the tax on it; newest first',
    query: pageQuery('inv'),
    answers: { 200: listOf(InvoiceOut) },
    refusals: [],
    handle: async ({ db }, { caller, query: { limit, cursor } }) => {
      const found = await findInvoices(db, { merchant: visibleTo(caller), before: cursor, limit })
      return { status: 200, body: page(found.map(invoiceOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/fee_invoices/:id', tag: 'Settlements', scopes },
    summary: 'A fee invoice, as JSON or PDF',
    params: z.strictObject({ id: idIn('inv') }),
    query: z.strictObject({ format: z.enum(['json', 'pdf']).default('json') }),
    answers: { 200: InvoiceOut },
    otherTypes: ['application/pdf'],
    refusals: ['not_found', 'saturated'],
    handle: async (context, { caller, params, query: { format } }) => {
      const invoice = await findInvoice(context.db, params.id, visibleTo(caller))
      if (invoice === undefined) throw new ServiceError('not_found')
      if (format === 'json') return { status: 200, body: invoiceOut(invoice) }
      const { name } = await payeeById(context, 'merchant', invoice.merchant)
      const file = {
        contentType: 'application/pdf',
        fileName: `${invoice.kind.replace('_', '-')}-${numberText(invoice)}.pdf`,
      }
      return { status: 200, ...file, stream: whole(() => invoicePdf(invoice, name ?? '')) }
    },
  }),
]
