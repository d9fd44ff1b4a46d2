/** Ways to pay an order from outside the chat, each read back by somebody else's reader. */
import { data as published } from 'currency-codes'
import { expect } from 'chai'
import fc from 'fast-check'
import { CURRENCIES, newId } from '../ledger/index.ts'
import { numberOf } from '../services/orders/currency_numbers.ts'
import { crcOf, emvcoPayload } from '../services/orders/emvco.ts'
import { qrPng, qrSvg } from '../services/orders/pictures.ts'
import { publicId } from '../services/ids.ts'
import { expectProblem } from './support/abuse.ts'
import { call, tokenOf, type Who } from './support/api.ts'
import { crcByDivision, readChecked, readTags } from './support/emvco-reader.ts'
import { onboarded, orderOf } from './support/onboarding.ts'
import { merchant, type Merchant, order } from './support/people.ts'
import { readQr, readQrPng } from './support/qr.ts'
import { world } from './support/world.ts'

const qr = (who: Who, id: string, query: string) => call(who, 'GET', `/v1/orders/${id}/qr?${query}`)

/** As bytes, which `call` would make into text. */
async function pngOf(who: Who, id: string, kind: string): Promise<Buffer> {
  const { apiUrl } = await world()
  const response = await fetch(`${apiUrl}/v1/orders/${id}/qr?format=png&kind=${kind}`, {
    headers: { authorization: `Bearer ${await tokenOf(who)}` },
  })
  expect(response.headers.get('content-type')).to.equal('image/png')
  return Buffer.from(await response.arrayBuffer())
}

const PRESENTED = {
  ...{ account: [['00', 'app.florin']] as const, reusable: false, category: '5814' },
  ...{ currency: 'EUR', amount: 860n, country: 'DE', name: 'Shop', city: 'Berlin' },
  ...{ postalCode: null, reference: 'T-1' },
}
const emvco = (more: Partial<typeof PRESENTED> | object) =>
  readChecked(emvcoPayload({ ...PRESENTED, ...more }))

describe('a QR code of an order', () => {
  let shop: Merchant
  before(async () => {
    shop = await onboarded({ name: 'Zażółć Crème & Söhne Großhandel AG' })
  })

  it('says the same in every format, whoever reads it', async () => {
    const { id } = await orderOf(shop, { amount: '860', currency: 'EUR' })
    for (const kind of ['link', 'emvco']) {
      const text = await qr(shop, id, `format=text&kind=${kind}`)
      expect(text.headers.get('content-type')).to.contain('text/plain')
      const svg = await qr(shop, id, `kind=${kind}`)
      expect(svg.headers.get('content-type')).to.contain('image/svg+xml')
      expect(readQr(svg.text)).to.equal(text.text)
      expect(readQrPng(await pngOf(shop, id, kind))).to.equal(text.text)
    }
    expect((await qr(shop, id, 'format=text')).text).to.equal(`florin://orders/${id}`)
  })

  it('can be read whatever it says', () => {
    const text = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 200 })
    const property = fc.property(text, (said) => {
      expect(readQr(qrSvg(said))).to.equal(said)
      expect(readQrPng(qrPng(said))).to.equal(said)
    })
    fc.assert(property, { numRuns: Math.min(500, Number(process.env['RUNS'] ?? 20)) })
  }).timeout(60_000)

  it('as EMVCo has it says who is paid, how much, and for which order', async () => {
    const asked = { amount: '860', currency: 'EUR', reference: 'Tisch 7 – Bar' }
    const { id } = await orderOf(shop, asked)
    const payload = (await qr(shop, id, 'format=text&kind=emvco')).text
    const tags = readChecked(payload)
    expect([...tags.keys()]).to.deep.equal([
      ...['00', '01', '26', '52', '53', '54', '58', '59', '60', '61', '62', '63'],
    ])
    expect(Object.fromEntries(tags)).to.deep.include({
      ...{ '00': '01', '01': '12', 52: '5814', 53: '978', 54: '8.60', 58: 'DE' },
      ...{ 59: 'Zazolc Creme & Sohne Gros', 60: 'Berlin', 61: '10117' },
    })
    const account = readTags(tags.get('26') ?? '')
    expect(Object.fromEntries(account)).to.deep.equal({ '00': 'app.florin', '01': id })
    expect(readTags(tags.get('62') ?? '').get('05')).to.equal('Tisch 7  Bar')
  })

  it('as EMVCo has it is static and without an amount where anybody may pay anything', async () => {
    const { id } = await orderOf(shop, { currency: 'EUR', usage: 'reusable' })
    const tags = readChecked((await qr(shop, id, 'format=text&kind=emvco')).text)
    expect([tags.get('01'), tags.get('54')]).to.deep.equal(['11', undefined])
  })

  it('is refused where the merchant has not said enough, or has no such address', async () => {
    const id = await order(await merchant(), '100')
    const bare = await orderOf(shop, { amount: '100', currency: 'EUR' })
    expect((await call(shop, 'GET', `/v1/orders/${bare.id}/qr?kind=nothing`)).status).to.equal(400)
    expectProblem(await qr(shop, id, 'kind=link'), 404, 'not_found')
    const refused = { emvco: id, upi: bare.id, pix: bare.id }
    for (const [kind, one] of Object.entries(refused)) {
      const who = { sub: 'chat', scope: 'chat' }
      expectProblem(await qr(who, one, `kind=${kind}`), 422, 'payment_way_not_available')
    }
  })
})

describe('an EMVCo payload', () => {
  it('ends with the published checksum, and with that of long division', () => {
    expect(crcOf('123456789')).to.equal('29B1')
    expect(crcByDivision('123456789')).to.equal('29B1')
    const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 300 })
    fc.assert(fc.property(ascii, (text) => crcOf(text) === crcByDivision(text)))
  })

  it('writes every amount in the decimals of its currency', () => {
    const cases = { JPY: '1234567', EUR: '12345.67', KWD: '1234.567', CLF: '123.4567' }
    for (const [currency, text] of Object.entries(cases)) {
      expect(emvco({ currency, amount: 1_234_567n }).get('54'), currency).to.equal(text)
    }
    expect(() => emvco({ amount: 999_999_999_999_999n })).to.throw(/too large/)
    expect(() => emvco({ name: '喫茶店' })).to.throw(/Latin/)
  })

  it('can be read whatever people call themselves', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    const property = fc.property(name, name, (reference, city) => {
      const tags = emvco({ reference, city: `B${city}`, name: `A${reference}` })
      expect(tags.get('59')?.length).to.be.within(1, 25)
      expect(tags.get('60')?.length).to.be.within(1, 15)
      expect(readTags(tags.get('62') ?? '').get('05')?.length ?? 0).to.be.at.most(25)
    })
    fc.assert(property)
  })

  it('knows a number for every currency, the one that is published', () => {
    const known = new Map(published.map(({ code, number }) => [code, number]))
    let compared = 0
    for (const { code } of CURRENCIES) {
      expect(numberOf(code), code).to.match(/^[0-9]{3}$/)
      if (!known.has(code)) continue
      expect(numberOf(code), code).to.equal(known.get(code))
      compared += 1
    }
    expect(compared).to.be.greaterThan(150)
    expect(new Set(CURRENCIES.map(({ code }) => numberOf(code))).size).to.equal(CURRENCIES.length)
  })
})

describe('a link into another app', () => {
  it('is UPI’s in India, with the order as its reference', async () => {
    const shop = await onboarded({ name: 'Chai & Co', currency: 'INR' })
    const asked = { amount: '21050', currency: 'INR', reference: 'Bill 7/8' }
    const { id } = await orderOf(shop, asked)
    const { text } = await qr(shop, id, 'format=text&kind=upi')
    expect(text).to.match(/^upi:\/\/pay\?pa=cafe\.central@okbank&/)
    expect(Object.fromEntries(new URL(text).searchParams)).to.deep.equal({
      ...{ pa: 'cafe.central@okbank', pn: 'Chai & Co', mc: '5814', tr: id, tn: 'Bill 7/8' },
      ...{ am: '210.50', cu: 'INR' },
    })
    expect(readQrPng(await pngOf(shop, id, 'upi'))).to.equal(text)
    const open = await orderOf(shop, { currency: 'INR', usage: 'reusable' })
    const link = (await qr(shop, open.id, 'format=text&kind=upi')).text
    expect(new URL(link).searchParams.get('am')).to.equal(null)
  })

  it('is Pix’s in Brazil, which is EMVCo’s with another network in it', async () => {
    const profile = { pix_key: 'loja@exemplo.br', pix_key_type: 'EMAIL', city: 'São Paulo' }
    const shop = await onboarded({ name: 'Padaria Pão', currency: 'BRL', profile })
    const { id } = await orderOf(shop, { amount: '1999', currency: 'BRL' })
    const tags = readChecked((await qr(shop, id, 'format=text&kind=pix')).text)
    expect(Object.fromEntries(readTags(tags.get('26') ?? ''))).to.deep.equal({
      ...{ '00': 'br.gov.bcb.pix', '01': 'loja@exemplo.br' },
    })
    expect(Object.fromEntries(tags)).to.deep.include({
      ...{ 52: '0000', 53: '986', 54: '19.99', 58: 'BR', 59: 'Padaria Pao', 60: 'Sao Paulo' },
    })
    const label = readTags(tags.get('62') ?? '').get('05') ?? ''
    expect(label).to.match(/^[A-Za-z0-9]{25}$/)
    expect(publicId('ord', newId()).slice(4, 5)).to.equal('0')
    expect(id).to.equal(`ord_0${label}`)
  })
})
