/** Fee invoices: what the books say was paid, numbered without a gap. */
import { expect } from 'chai'
import { extractText, getDocumentProxy } from 'unpdf'
import { newId } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import { issueInvoices, lastMonth } from '../services/invoices/invoices.ts'
import { kindOf, openTally, taxesOf } from '../services/invoices/lines.ts'
import { modelInvoices } from './model/invoices.ts'
import { expectProblem, times } from './support/abuse.ts'
import { call, tokenOf } from './support/api.ts'
import { merchantAccountOf } from '../services/books/chart.ts'
import { dispute, disputeTerms } from './support/disputes.ts'
import { ended, linkedAccount, merchant, type Merchant, order, person } from './support/people.ts'
import { refund } from './support/refunds.ts'
import { payOrder } from './support/held.ts'
import { together } from './support/proposals.ts'
import { stall } from './support/stall.ts'
import { world } from './support/world.ts'

const NOW = new Date()
/** In the middle of next month. */
const NEXT = new Date(Date.UTC(NOW.getUTCFullYear(), NOW.getUTCMonth() + 1, 15))

const ISSUER = {
  ...{ name: 'Florin Payments Ltd', tax_id: 'IE1234567T' },
  address: ['1 Quay Street', 'Dublin 1', 'Ireland'],
}

/** What the books say that the shop has paid to our accounts of fees and tax. */
async function takenFrom({ id }: Merchant): Promise<bigint> {
  const { worker, owner } = await world()
  const account = await merchantAccountOf(worker, uuidOf(id), 'EUR')
  const { rows } = await owner.raw(
    `SELECT sum(CASE WHEN t.debit_account_id = :account THEN amount ELSE -amount END)::text AS taken
       FROM transfers t
       JOIN accounts a ON a.id IN (t.debit_account_id, t.credit_account_id)
                      AND a.type IN ('fees', 'tax')
      WHERE :account IN (t.debit_account_id, t.credit_account_id)`,
    { account },
  )
  return BigInt(rows[0].taken)
}

/** As a worker would in the middle of next month, whatever was issued before. */
async function issueLater() {
  const { owner } = await world()
  await owner('fee_invoice_months').delete()
  return issueAt(NEXT)
}

async function issueAt(now: Date) {
  const { worker } = await world()
  const config = { ...worker.config, INVOICE_ISSUER: ISSUER }
  return issueInvoices({ ...worker, config, now: () => now })
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
      ...{ code, side, other, amount, count: 2, reference: newId() },
    })
    const tally = openTally({ fees, tax })
    const at = (taxPercent: string, ...sums: ReturnType<typeof sum>[]) =>
      tally.add(sums.map((one) => ({ ...one, taxPercent })))
    at('19', sum('fee', 'debit', fees, 500n), sum('tax', 'debit', tax, 95n))
    at('7', sum('fee', 'debit', fees, 100n), sum('tax', 'debit', tax, 7n))
    at('19', sum('fee_returned', 'credit', fees, 100n), sum('tax_returned', 'credit', tax, 19n))
    at('19', sum('reversal', 'credit', fees, 30n), sum('reversal', 'credit', tax, 6n))
    at('19', sum('fee', 'debit', fees, 1n))
    at('0', sum('dispute_fee', 'debit', fees, 1_500n))
    const lines = tally.lines()
    expect(lines).to.deep.equal([
      { what: 'payments', taxPercent: '7', count: 2, net: 100n, tax: 7n },
      { what: 'payments', taxPercent: '19', count: 4, net: 501n, tax: 95n },
      { what: 'disputes', taxPercent: '0', count: 2, net: 1_500n, tax: 0n },
      { what: 'refunds', taxPercent: '19', count: 2, net: -100n, tax: -19n },
      { what: 'reversals', taxPercent: '19', count: 2, net: -30n, tax: -6n },
    ])
    const kinds = lines.map(kindOf)
    expect(kinds.filter((kind) => kind === 'credit_note')).to.have.length(2)
    expect(taxesOf(lines)).to.deep.equal([
      { taxPercent: '0', net: 1_500n, tax: 0n },
      { taxPercent: '7', net: 100n, tax: 7n },
      { taxPercent: '19', net: 371n, tax: 70n },
    ])
  })

  it('says what the month’s payments said, and a credit note what was given back', async () => {
    const [ada, shop] = [
      await person(100_000n),
      await merchant({ tax_percent: '20', refund_fees: 'give_back' }),
    ]
    const buy = async (amount: string) =>
      (await payOrder(ada, await order(shop, amount), amount)).body
    const paid = [await buy('10000'), await buy('2500'), await buy('777'), await buy('5000')]
    await together('/v1/ledger/reversals', { body: { payment: paid[3].id, reason: 'A mistake' } })
    const back = (await refund(shop, paid[0].id, { amount: '3333' })).body
    const dearer = { components: [{ kind: 'percent', percent: '3' }], tax_percent: '7' }
    const path = `/v1/merchants/${shop.id}/fee_schedules`
    const made = await together(path, { body: { currency: 'EUR', ...dearer } })
    expect(made.status, made.text).to.equal(201)
    const later = [await buy('9999')]
    await disputeTerms(shop, '1500', 10)
    const contested = await dispute(ada, paid[1].id)
    expect(contested.status, contested.text).to.equal(201)
    expect(await issueLater()).to.be.greaterThan(1)

    const { body } = await call(shop, 'GET', '/v1/fee_invoices')
    const expected = modelInvoices([
      ...paid.map((one) => ['payments', '20', one.fee, one.tax] as const),
      ...later.map((one) => ['payments', '7', one.fee, one.tax] as const),
      ['disputes', '0', '1500', '0'],
      ['refunds', '20', `-${back.fee_returned}`, `-${back.tax_returned}`],
      ['reversals', '20', `-${paid[3].fee}`, `-${paid[3].tax}`],
    ])
    const [note, invoice] = body.data
    expect(body.data).to.have.length(2)
    for (const one of body.data) {
      const { kind, month, lines, taxes, net, tax, total } = one
      expect(month).to.equal(THIS_MONTH)
      expect({ kind, lines, taxes, net, tax, total }).to.deep.equal(expected[kind])
      expect((await call(shop, 'GET', `/v1/fee_invoices/${one.id}`)).body).to.deep.equal(one)
    }
    expect(BigInt(invoice.total) + BigInt(note.total)).to.equal(await takenFrom(shop))
    const { id, number } = invoice
    expect([invoice.corrects, note.corrects]).to.deep.equal([[], [{ id, number }]])
    const rival = await merchant()
    expectProblem(await call(rival, 'GET', `/v1/fee_invoices/${invoice.id}`), 404, 'not_found')
  })

  it('says between whom it is, and goes on saying it', async () => {
    const { owner } = await world()
    const one = await stall()
    const profile = { legal_name: 'Sol y Sombra S.L.', tax_id: 'ESB12345678', country: 'ES' }
    const address = { street: 'Calle Mayor 1', postal_code: '28013', city: 'Madrid' }
    const own = () => owner('merchants').where({ id: uuidOf(one.shop.id) })
    await own().update({ ...profile, ...address })
    await one.move(['payment', 50_000n], ['fee', -1_234n])
    await issueLater()
    await own().update({ legal_name: 'Another' })
    const [{ issuer, recipient }] = (await call(one.shop, 'GET', '/v1/fee_invoices')).body.data
    expect(issuer).to.deep.equal(ISSUER)
    expect(recipient).to.deep.equal({
      ...{ name: 'Sol y Sombra S.L.', tax_id: 'ESB12345678' },
      address: ['Calle Mayor 1', '28013 Madrid', 'ES'],
    })
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
    const said = [
      `Invoice ${invoice.number}`,
      'EUR 14.68',
      '12.34',
      '2.34',
      THIS_MONTH,
      ISSUER.name,
    ]
    for (const part of said) {
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
    const insert = owner('fee_invoices').insert({
      ...gap,
      lines: JSON.stringify(gap.lines),
      corrects: '[]',
    })
    const constraint = await insert.catch((error: { constraint: string }) => error.constraint)
    expect(constraint).to.equal('fee_invoice_continues')
    const change = owner('fee_invoices').where({ id: row.id }).update({ total: 0 })
    expect(await change.catch((error: { constraint: string }) => error.constraint)).to.equal(
      'append_only',
    )
  })

  // The last one: from here on the books are a month ahead.
  it('names what it corrects, of whichever months', async () => {
    const ada = await person(100_000n)
    const shop = await merchant({ tax_percent: '20', refund_fees: 'give_back' })
    const buy = async () => (await payOrder(ada, await order(shop, '5000'), '5000')).body
    const paid = [await buy(), await buy()]
    // The money of this one came later than what was held for it.
    const other = await merchant({ tax_percent: '20', refund_fees: 'give_back' })
    const source = await linkedAccount(ada)
    const byBank = await payOrder(ada, await order(other, '5000'), '5000', { source })
    expect((await ended(ada, `/v1/payments/${byBank.body.id}`)).state).to.equal('completed')
    await issueLater()
    const { owner } = await world()
    await owner.raw(
      `ALTER TABLE transfers ALTER recorded_at SET DEFAULT '${NEXT.toISOString()}'::timestamptz`,
    )
    paid.push(await buy(), await buy())
    const later = new Date(Date.UTC(NEXT.getUTCFullYear(), NEXT.getUTCMonth() + 1, 15))
    await refund(shop, paid[1].id, { amount: '700' })
    await refund(shop, paid[2].id, { amount: '5000' })
    await refund(other, byBank.body.id, { amount: '700' })
    await issueAt(later)
    const [note, second, first] = (await call(shop, 'GET', '/v1/fee_invoices')).body.data
    expect([first.kind, second.kind, note.kind]).to.deep.equal([
      'invoice',
      'invoice',
      'credit_note',
    ])
    const named = [first, second].map(({ id, number }) => ({ id, number }))
    expect(note.corrects).to.deep.equal(named)
    expect([first.corrects, second.corrects]).to.deep.equal([[], []])
    const [back, charged] = (await call(other, 'GET', '/v1/fee_invoices')).body.data
    expect(back.corrects).to.deep.equal([{ id: charged.id, number: charged.number }])
  })
})
