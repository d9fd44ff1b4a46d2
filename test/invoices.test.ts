/** Fee invoices: what the books say was paid, numbered without a gap. */
import { expect } from 'chai'
import { extractText, getDocumentProxy } from 'unpdf'
import { newId } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import { issueInvoices, lastMonth } from '../services/invoices/invoices.ts'
import { invoiceLines } from '../services/invoices/lines.ts'
import { expectProblem, times } from './support/abuse.ts'
import { call, tokenOf } from './support/api.ts'
import { merchant, order, person } from './support/people.ts'
import { payOrder } from './support/held.ts'
import { together } from './support/proposals.ts'
import { stall } from './support/stall.ts'
import { world } from './support/world.ts'

const NOW = new Date()
/** In the middle of next month. */
const NEXT = new Date(Date.UTC(NOW.getUTCFullYear(), NOW.getUTCMonth() + 1, 15))

/** As a worker would in the middle of next month, whatever was issued before. */
async function issueLater() {
  const { worker, owner } = await world()
  await owner('fee_invoice_months').delete()
  return issueInvoices({ ...worker, now: () => NEXT })
}

const THIS_MONTH = NOW.toISOString().slice(0, 7)

describe('a fee invoice', () => {
  it('is of a month once it is over everywhere', () => {
    const of = (at: string) => lastMonth(new Date(at))
    expect(of('2026-12-01T11:59:59Z')).to.equal('2026-10')
    expect(of('2026-12-01T12:00:00Z')).to.equal('2026-11')
    expect(of('2027-01-02T00:00:00Z')).to.equal('2026-12')
  })

  it('adds up what went to fees and to tax, whatever it was for', () => {
    const [fees, tax] = [newId(), newId()]
    const sum = (code: string, side: 'debit' | 'credit', other: string, amount: bigint) => ({
      ...{ code, side, other, amount, count: 2 },
    })
    const lines = invoiceLines(
      [
        ...[sum('fee', 'debit', fees, 500n), sum('tax', 'debit', tax, 95n)],
        ...[sum('fee_returned', 'credit', fees, 100n), sum('tax_returned', 'credit', tax, 19n)],
        ...[sum('reversal', 'credit', fees, 30n), sum('reversal', 'credit', tax, 6n)],
      ],
      { fees, tax },
    )
    expect(lines).to.deep.equal([
      { what: 'payments', count: 2, net: 500n, tax: 95n },
      { what: 'refunds', count: 2, net: -100n, tax: -19n },
      { what: 'reversals', count: 2, net: -30n, tax: -6n },
    ])
  })

  it('says what the month’s payments said, less what was given back', async () => {
    const [ada, shop] = [await person(100_000n), await merchant({ tax_percent: '20' })]
    const paid: Record<string, string>[] = []
    for (const amount of ['10000', '2500', '777']) {
      paid.push((await payOrder(ada, await order(shop, amount), amount)).body)
    }
    const back = (await payOrder(ada, await order(shop, '5000'), '5000')).body
    await together('/v1/ledger/reversals', { body: { payment: back.id, reason: 'A mistake' } })
    expect(await issueLater()).to.be.greaterThan(0)
    const { body } = await call(shop, 'GET', '/v1/fee_invoices')
    const sum = (part: 'fee' | 'tax') =>
      paid.reduce((all, one) => all + BigInt(one[part] ?? ''), 0n)
    const [invoice] = body.data
    expect(body.data).to.have.length(1)
    expect([invoice.month, invoice.net, invoice.tax]).to.deep.equal([
      ...[THIS_MONTH, sum('fee').toString(), sum('tax').toString()],
    ])
    expect(BigInt(invoice.total)).to.equal(sum('fee') + sum('tax'))
    const whats = invoice.lines.map(({ what, count }: { what: string; count: number }) => [
      what,
      count,
    ])
    expect(whats).to.deep.equal([
      ...[
        ['payments', 4],
        ['reversals', 1],
      ],
    ])
    expect((await call(shop, 'GET', `/v1/fee_invoices/${invoice.id}`)).body).to.deep.equal(invoice)
    const rival = await merchant()
    expectProblem(await call(rival, 'GET', `/v1/fee_invoices/${invoice.id}`), 404, 'not_found')
  })

  it('can be read as a PDF', async () => {
    const one = await stall()
    await one.move(['payment', 50_000n], ['fee', -1_234n], ['tax', -234n])
    await issueLater()
    const [invoice] = (await call(one.shop, 'GET', '/v1/fee_invoices')).body.data
    const { apiUrl } = await world()
    const headers = { authorization: `Bearer ${await tokenOf(one.shop)}` }
    const url = `${apiUrl}/v1/fee_invoices/${invoice.id}?format=pdf`
    const answer = await fetch(url, { headers })
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const { text } = await extractText(await getDocumentProxy(bytes), { mergePages: true })
    for (const part of [`Invoice ${invoice.number}`, 'EUR 14.68', '12.34', '2.34', THIS_MONTH]) {
      expect(text).to.contain(part)
    }
  })

  it('is issued once by however many workers, and numbers of a year have no gap', async () => {
    const stalls = await Promise.all(times(6, () => stall()))
    for (const one of stalls) await one.move(['payment', 5_000n], ['fee', -100n])
    await Promise.all(times(3, issueLater))
    await issueLater()
    const { owner } = await world()
    for (const { shop } of stalls) {
      const rows = await owner('fee_invoices').where({ merchant_id: uuidOf(shop.id) })
      expect(rows).to.have.length(1)
    }
    const year = NEXT.getUTCFullYear()
    const numbers: number[] = await owner('fee_invoices')
      .where({ year })
      .orderBy('number')
      .pluck('number')
    expect(numbers).to.deep.equal(numbers.map((_, index) => index + 1))
    const [row] = await owner('fee_invoices').limit(1)
    const gap = { ...row, id: newId(), month: '2020-01-01', number: numbers.length + 2 }
    const insert = owner('fee_invoices').insert({ ...gap, lines: JSON.stringify(gap.lines) })
    const constraint = await insert.catch((error: { constraint: string }) => error.constraint)
    expect(constraint).to.equal('fee_invoice_continues')
    const change = owner('fee_invoices').where({ id: row.id }).update({ total: 0 })
    expect(await change.catch((error: { constraint: string }) => error.constraint)).to.equal(
      'append_only',
    )
  })
})
