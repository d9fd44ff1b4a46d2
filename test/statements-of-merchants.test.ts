/** Merchants' statements, read back in every format and held against the account. */
import { writeFile } from 'node:fs/promises'
import { expect } from 'chai'
import { parse } from 'csv-parse/sync'
import { extractText, getDocumentProxy } from 'unpdf'
import { readCamt053 } from '../adapters/iso20022/camt053.ts'
import { monthAt, monthSpan } from '../services/statements/months.ts'
import { expectProblem, quiet, send, times } from './support/abuse.ts'
import { call, newSubject, tokenOf } from './support/api.ts'
import { payOrder } from './support/held.ts'
import { merchant, merchantBalance, person } from './support/people.ts'
import { refund } from './support/refunds.ts'
import { batchesOf, stall, type Stall } from './support/stall.ts'
import { world } from './support/world.ts'

const MONTH = new Date().toISOString().slice(0, 7)
/** What a merchant's schedules name, and from when. */
const ZONES = [
  ['2026-07-10', 'Asia/Tokyo'],
  ['2026-09-30', 'America/New_York'],
  ['2026-12-31', 'Pacific/Kiritimati'],
  ['2027-02-01', 'Europe/Berlin'],
] as const
const FORMATS = ['json', 'csv', 'camt053', 'pdf'] as const

interface Read {
  readonly opening: bigint
  readonly closing: bigint
  readonly nets: readonly bigint[]
}

/** The bytes; KEEP names a folder in which to look at them. */
async function download({ shop }: Stall, path: string): Promise<Buffer> {
  const { apiUrl } = await world()
  const headers = { authorization: `Bearer ${await tokenOf(shop)}` }
  const answer = await fetch(`${apiUrl}${path}`, { headers })
  const bytes = Buffer.from(await answer.arrayBuffer())
  expect(answer.status, bytes.toString()).to.equal(200)
  const name = /filename="(.+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1]
  expect(name).to.match(/^(?:set|mer)_.*\.(?:json|csv|xml|pdf)$/)
  const folder = process.env['KEEP']
  if (folder !== undefined) await writeFile(`${folder}/${name}`, bytes)
  return bytes
}

const READERS = {
  async json(bytes) {
    const { opening_balance, closing_balance, lines } = JSON.parse(bytes.toString())
    const nets = lines.map(({ net }: { net: string }) => BigInt(net))
    return { opening: BigInt(opening_balance), closing: BigInt(closing_balance), nets }
  },
  async csv(bytes) {
    const rows: Record<string, string>[] = parse(bytes, { columns: true })
    const [first, last] = [rows.at(0), rows.at(-1)]
    expect([first?.['line'], last?.['line']]).to.deep.equal(['opening', 'closing'])
    const lines = rows.slice(1, -1)
    for (const { gross, fee, tax, net } of lines) {
      expect(BigInt(gross ?? '') - BigInt(fee ?? '') - BigInt(tax ?? '')).to.equal(
        BigInt(net ?? ''),
      )
    }
    return {
      opening: BigInt(first?.['balance'] ?? ''),
      closing: BigInt(last?.['balance'] ?? ''),
      nets: lines.map(({ net }) => BigInt(net ?? '')),
    }
  },
  async camt053(bytes) {
    let [opening, closing] = [0n, 0n]
    const nets: bigint[] = []
    for await (const item of readCamt053(chunks(bytes))) {
      if (item.kind === 'line') nets.push(item.line.amount)
      else [opening, closing] = [item.statement.opening ?? 0n, item.statement.closing ?? 0n]
    }
    return { opening, closing, nets }
  },
  async pdf(bytes) {
    const { text } = await extractText(await getDocumentProxy(new Uint8Array(bytes)))
    const all = text.join(' ')
    const amount = (label: string) => {
      const found = new RegExp(`${label} (-?[0-9,]+\\.[0-9]{2})`).exec(all)?.[1]
      return BigInt((found ?? '').replaceAll(/[,.]/g, ''))
    }
    // Each line ends with its net, and begins with a day and a minute.
    const rows = all.split(/(?=\d\d\/\d\d\/\d{4} \d\d:\d\d [A-Z])/).slice(1)
    const nets = rows.map((row) => {
      const found = row.match(/-?[0-9,]+\.[0-9]{2}/g)?.at(-1) ?? ''
      return BigInt(found.replaceAll(/[,.]/g, ''))
    })
    const [opening, closing] = [
      '(?:Opening balance|Carried in)',
      '(?:Closing balance|Carried over)',
    ]
    return { opening: amount(opening), closing: amount(closing), nets }
  },
} as const satisfies Record<(typeof FORMATS)[number], (bytes: Buffer) => Promise<Read>>

async function* chunks(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000)
}

const sumOf = (all: readonly bigint[]) => all.reduce((sum, one) => sum + one, 0n)

/** Trades, is settled twice, and once the payout fails. */
async function busyStall(): Promise<Stall> {
  const one = await stall()
  const { owner } = await world()
  const name = 'Café Ünter den Linden, кафе, चाय की दुकान'
  await owner('merchants').where({ subject: one.shop.sub }).update({ name })
  const settled = async () => {
    const made = await call(one.shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    expect(made.status, made.text).to.equal(202)
    await quiet()
  }
  for (let sale = 0; sale < 40; sale += 1) {
    await one.move(['payment', 12_345n + 991n * BigInt(sale)], ['fee', -231n], ['tax', -44n])
  }
  await one.move(['refund', -2_500n], ['fee_returned', 20n], ['tax_returned', 4n])
  await one.move(['reserve', -1_000n])
  // The bank goes by the last two digits: it rejects the first payout, and pays the second.
  const ending = (digits: bigint) => digits + 200n - (one.model.next(0n, 1n).payout % 100n)
  await one.move(['adjustment', ending(91n)])
  const rejected = one.model.next(0n, 1n)
  await settled()
  one.model.made(rejected)
  one.model.add('payout_rejected', rejected.payout)
  await one.move(['payment', 100_000n], ['fee', -1_400n])
  await one.move(['dispute', -5_000n])
  await one.move(['adjustment', ending(0n)])
  await settled()
  await one.move(['payment', 777n])
  return one
}

describe('a merchant’s statement', () => {
  let one: Stall
  before(async () => {
    await quiet()
    one = await busyStall()
  })

  for (const format of FORMATS) {
    it(`of a month closes to the account’s balance, as ${format}`, async () => {
      const path = `/v1/merchants/${one.shop.id}/statements/${MONTH}?currency=EUR&format=${format}`
      const { opening, closing, nets } = await READERS[format](await download(one, path))
      expect(opening).to.equal(0n)
      expect(closing).to.equal(await merchantBalance(one.shop))
      expect(sumOf(nets)).to.equal(closing)
      // Two payouts left, and one came back.
      expect(nets.length).to.equal(50)
    })

    it(`of a batch leads from what it carries in to what it leaves, as ${format}`, async () => {
      const batches = await batchesOf(one)
      expect(batches).to.have.length(2)
      for (const { id, carried_in, carried_out, payout, lines } of batches) {
        const path = `/v1/settlements/${id}/statement?format=${format}`
        const { opening, closing, nets } = await READERS[format](await download(one, path))
        expect([opening, closing]).to.deep.equal([BigInt(carried_in), BigInt(carried_out)])
        expect(nets.at(-1)).to.equal(-BigInt(payout))
        const expected = lines.map(({ net }: { net: string }) => BigInt(net))
        expect(nets.slice(0, -1)).to.deep.equal(expected)
      }
    })
  }

  it('is a PDF on A4 with the merchant’s name in any script and numbered pages', async () => {
    const path = `/v1/merchants/${one.shop.id}/statements/${MONTH}?currency=EUR&format=pdf`
    const document = await getDocumentProxy(new Uint8Array(await download(one, path)))
    const { text, totalPages } = await extractText(document)
    const { view } = await document.getPage(1)
    expect(view.map(Math.round)).to.deep.equal([0, 0, 595, 842])
    expect(totalPages).to.equal(2)
    text.forEach((page, index) => expect(page).to.contain(`Page ${index + 1} of ${totalPages}`))
    expect(text[0]).to.match(/Café Ünter den Linden, кафе/)
  })

  it('names each line by the merchant’s own reference, in every format', async () => {
    const [ada, shop] = [await person(100_000n), await merchant()]
    const references = [`R&D "${newSubject('r')}"`, newSubject('r').padEnd(60, '-long')]
    for (const reference of references) {
      const asked = { reference, description: 'A thing', amount: '2000', currency: 'EUR' }
      const made = await call(shop, 'POST', '/v1/orders', { body: asked })
      const paid = await payOrder(ada, made.body.id, '2000')
      expect((await refund(shop, paid.body.id, { amount: '500' })).status).to.equal(201)
    }
    const path = (format: string) =>
      `/v1/merchants/${shop.id}/statements/${MONTH}?currency=EUR&format=${format}`
    const get = (format: string) => download({ shop } as Stall, path(format))
    const [first, second] = references
    const expected = [first, first, second, second]
    const json = JSON.parse((await get('json')).toString())
    const said = json.lines.map((line: { order_reference: string }) => line.order_reference)
    expect(said).to.deep.equal(expected)
    const rows: Record<string, string>[] = parse(await get('csv'), { columns: true })
    expect(rows.slice(1, -1).map((row) => row['order_reference'])).to.deep.equal(expected)
    expect(rows.slice(1, -1).every((row) => /^(?:pay|rfd)_/.test(row['reference'] ?? ''))).to.equal(
      true,
    )
    const xml = (await get('camt053')).toString()
    const found = [...xml.matchAll(/<(?:Ref|AddtlRmtInf)>(.*?)<\/(?:Ref|AddtlRmtInf)>/g)]
    const unescaped = found.map(([, text = '']) =>
      text.replaceAll('&amp;', '&').replaceAll('&quot;', '"'),
    )
    expect(unescaped).to.deep.equal(expected)
    expect([...xml.matchAll(/<Ref>(.*?)<\/Ref>/g)]).to.have.length(2)
    const pdf = await getDocumentProxy(new Uint8Array(await get('pdf')))
    const { text } = await extractText(pdf, { mergePages: true })
    expect(text.split(first!).length - 1).to.equal(2)
    expect(text.split(second!.slice(0, 20)).length - 1).to.equal(2)
  })

  it('begins and ends where the merchant’s month does', () => {
    const { from, to } = monthSpan('2026-12', () => 'America/Sao_Paulo')
    expect([from, to].map((one) => one.toISOString())).to.deep.equal([
      ...['2026-12-01T03:00:00.000Z', '2027-01-01T03:00:00.000Z'],
    ])
    const berlin = monthSpan('2026-03', () => 'Europe/Berlin')
    expect(berlin.from.toISOString()).to.equal('2026-02-28T23:00:00.000Z')
    expect(berlin.to.toISOString()).to.equal('2026-03-31T22:00:00.000Z')
  })

  it('ends where the next begins, whatever clocks a later schedule names', () => {
    const clocks = (at: Date) => ZONES.findLast(([from]) => from <= at.toISOString())?.[1] ?? 'UTC'
    const months = times(14, (index) =>
      new Date(Date.UTC(2026, 5 + index, 1)).toISOString().slice(0, 7),
    )
    for (const [index, month] of months.entries()) {
      const { from, to } = monthSpan(month, clocks)
      expect(+to).to.be.greaterThan(+from)
      expect(monthAt(from, clocks)).to.equal(month)
      expect(monthAt(new Date(+to - 1), clocks)).to.equal(month)
      const next = months[index + 1]
      if (next !== undefined) expect(monthSpan(next, clocks).from).to.deep.equal(to)
    }
  })

  it('is nobody else’s, and of a month before there was anything it is empty', async () => {
    const rival = await merchant()
    const path = `/v1/merchants/${one.shop.id}/statements`
    expectProblem(await send(rival, 'GET', `${path}/${MONTH}?currency=EUR`), 404, 'not_found')
    const empty = await call(one.shop, 'GET', `${path}/2020-01?currency=EUR`)
    expect(empty.body).to.deep.include({ opening_balance: '0', closing_balance: '0', lines: [] })
    const owner = { owner: one.shop.id }
    const count = async () => (await (await world()).owner('accounts').where(owner)).length
    const before = await count()
    const other = await call(one.shop, 'GET', `${path}/${MONTH}?currency=USD`)
    expect(other.body).to.deep.include({ opening_balance: '0', closing_balance: '0', lines: [] })
    expect(await count(), 'reading opens no account').to.equal(before)
    const unknown = await send(one.shop, 'GET', `${path}/${MONTH}?currency=XYZ`)
    expectProblem(unknown, 422, 'currency_unknown')
    expectProblem(await send(one.shop, 'GET', `${path}/2026-13?currency=EUR`), 404, 'not_found')
  })
})
