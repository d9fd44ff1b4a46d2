/** Signatures, and an adapter between us and banks of every kind: honest, faulty, hostile. */
import type { RequestListener } from 'node:http'
import { expect } from 'chai'
import { Webhook } from 'standardwebhooks'
import { BankError, type BankAdapter, type Headers } from '../adapters/adapter.ts'
import { openBanks, type BankConfig } from '../adapters/index.ts'
import { signedHeaders, verifySignature } from '../adapters/signature.ts'
import {
  adapterFor,
  codeOf,
  instruction,
  SECRET,
  startSite,
  statementOf,
} from './support/sandbox-bank.ts'

const NOW = new Date()
const BODY: Buffer = Buffer.from('{"amount":"1250","note":"zwölf fünfzig"}')
const OTHER_SECRET = `whsec_${Buffer.from('another secret, a newer one').toString('base64')}`
const later = (age_s: number) => new Date(NOW.getTime() + age_s * 1000)

describe('a signature', () => {
  const signed = signedHeaders(SECRET, 'evt_1', NOW, BODY)
  const verdict = (headers: Headers = signed, body = BODY, now = NOW, secrets = [SECRET]) => {
    try {
      return verifySignature(secrets, headers, body, now)
    } catch (error) {
      return error instanceof BankError ? error.code : error
    }
  }

  it('of ours is accepted by the standard library', () => {
    expect(new Webhook(SECRET).verify(BODY, signed)).to.deep.include({ amount: '1250' })
  })
  it('of the standard library is accepted by us', () => {
    const signature = new Webhook(SECRET).sign('evt_1', NOW, BODY)
    expect(verdict({ ...signed, 'webhook-signature': signature })).to.equal(undefined)
  })
  it('may be made with the bytes of the secret as well as with its text', () => {
    const bytes = Buffer.from(SECRET.slice('whsec_'.length), 'base64')
    expect(signedHeaders(bytes, 'evt_1', NOW, BODY)).to.deep.equal(signed)
  })
  it('may be one of several, or by one of several secrets, while a secret is replaced', () => {
    const both = `v1,AAAA v2,BBBB ${signed['webhook-signature']}`
    expect(verdict({ ...signed, 'webhook-signature': both })).to.equal(undefined)
    expect(verdict(signed, BODY, NOW, [OTHER_SECRET, SECRET])).to.equal(undefined)
  })
  it('is good for 300 seconds, either way', () => {
    for (const age_s of [-300, 300]) expect(verdict(signed, BODY, later(age_s))).to.equal(undefined)
    for (const age_s of [-301, 301])
      expect(verdict(signed, BODY, later(age_s))).to.equal('callback_expired')
  })
  it('by a secret that is not one is a fault of ours, not of the message', () => {
    for (const secret of ['', 'whsec_', 'whsec_!', 'plain', Buffer.alloc(0)])
      expect(() => signedHeaders(secret, 'evt_1', NOW, BODY)).to.throw(/^a webhook secret/)
  })

  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': v1 } = signed
  const forgeries: Record<string, readonly [Headers, Buffer?, Date?, string[]?]> = {
    'over another body': [signed, Buffer.from('{"amount":"9250"}')],
    'over the same JSON, written differently': [signed, Buffer.concat([BODY, Buffer.from(' ')])],
    'under another id': [{ ...signed, 'webhook-id': 'evt_2' }],
    'with another time': [{ ...signed, 'webhook-timestamp': String(Number(timestamp) + 1) }],
    'with a time that is no number': [{ ...signed, 'webhook-timestamp': `${timestamp}.0` }],
    'by another secret': [signed, BODY, NOW, [OTHER_SECRET]],
    'by another secret, and too old': [signed, BODY, later(301), [OTHER_SECRET]],
    'by no secret': [signed, BODY, NOW, []],
    'of another version': [{ ...signed, 'webhook-signature': v1.replace('v1', 'v2') }],
    'cut short': [{ ...signed, 'webhook-signature': v1.slice(0, -1) }],
    'that is empty': [{ ...signed, 'webhook-signature': '' }],
    'without an id': [{ 'webhook-timestamp': timestamp, 'webhook-signature': v1 }],
    'without a time': [{ 'webhook-id': id, 'webhook-signature': v1 }],
    'that is missing': [{ 'webhook-id': id, 'webhook-timestamp': timestamp }],
    'sent twice': [{ ...signed, 'webhook-signature': [v1, v1] }],
  }
  for (const [what, message] of Object.entries(forgeries))
    it(`${what} is refused`, () => expect(verdict(...message)).to.equal('bad_signature'))
})

describe('the banks', () => {
  const north: BankConfig = {
    name: 'north',
    protocol: 'sandbox',
    url: 'http://127.0.0.1:9',
    secret: SECRET,
    currencies: ['EUR'],
  }
  it('are known by their names', () => {
    expect([...openBanks([north, { ...north, name: 'south' }]).keys()]).to.eql(['north', 'south'])
  })
  it('do not open with a configuration that cannot be meant', () => {
    const faults = [{ currencies: ['EURO'] }, { url: 'nowhere' }, { secret: 'plain' }]
    for (const fault of faults) expect(() => openBanks([{ ...north, ...fault }])).to.throw()
    expect(() => openBanks([north, north])).to.throw('two banks')
  })
})

describe('an adapter', () => {
  const order = instruction(1250n)
  const { reference } = order
  const report = {
    event_id: 'evt_1',
    reference,
    amount: '1250',
    currency: 'EUR',
    occurred_at: '2026-01-01T12:00:00.000Z',
  }
  const refusal = { ...report, state: 'rejected', reason: 'AM03' }
  const settled = { ...report, state: 'settled' }

  const submitting = (adapter: BankAdapter) => adapter.submit(order)
  const enquiring = (adapter: BankAdapter) => adapter.enquire(reference)

  it('takes a refusal by the bank for final, with its reason', async () => {
    const found = await answeredWith(422, refusal, submitting)
    expect(found).to.deep.nested.include({
      state: 'final',
      'report.outcome': 'rejected',
      'report.reason': 'AM03',
    })
  })
  it('ignores what a bank adds to its answers', async () => {
    const found = await answeredWith(202, { reference, state: 'accepted', eta: 3 }, submitting)
    expect(found).to.eql({ state: 'accepted' })
  })

  const accepted = { reference, state: 'accepted' }
  const doubled = `{"reference":"${reference}","state":"accepted","state":"accepted"}`
  const padding = { ...accepted, padding: 'x'.repeat(64 * 1024) }
  type Case = readonly [status: number, body: object | string | Buffer]
  const submits: Record<string, Case> = {
    'a known reference: neither success nor failure': [409, { error: 'duplicate_reference' }],
    'too many requests': [429, {}],
    'a server error': [503, accepted],
    'another success than the one agreed on': [200, accepted],
    'nothing at all': [204, ''],
    'a page of HTML': [202, '<html></html>'],
    'JSON that is cut': [202, '{"reference":"REF1"'],
    'text that is not UTF-8': [202, Buffer.from(JSON.stringify({ ...accepted, ÿ: 1 }), 'latin1')],
    'an array': [202, [accepted]],
    'another reference': [202, { ...accepted, reference: 'REF0' }],
    'another state': [202, { ...accepted, state: 'settled' }],
    'a key written twice': [202, doubled],
    'more than 64 KB': [202, padding],
    'a refusal without a reason': [422, { ...refusal, reason: undefined }],
    'a refusal of another reference': [422, { ...refusal, reference: 'REF0' }],
    'a refusal with an amount that is a number': [422, { ...refusal, amount: 1250 }],
    'a refusal in JSON of another shape': [422, { detail: 'invalid' }],
  }
  for (const [what, [status, body]] of Object.entries(submits))
    it(`does not know the outcome of a submit answered with ${what}`, async () => {
      const found = await answeredWith(status, body, submitting)
      expect(found).to.equal('bank_outcome_unknown')
    })

  it('does not follow a bank that sends it elsewhere', async () => {
    const other = await startSite((_request, response) =>
      response.writeHead(202).end(JSON.stringify(accepted)),
    )
    const found = await answeredWith(307, '', submitting, { location: other.url })
    expect(found).to.equal('bank_outcome_unknown')
    await other.stop()
  })

  const enquiries: Record<string, Case> = {
    'a stray 404': [404, { error: 'not_found' }],
    'the state of another': [200, { ...settled, reference: 'REF0' }],
    'an unknown state': [200, { ...settled, state: 'done' }],
    'a negative amount': [200, { ...settled, amount: '-1250' }],
    'an unknown currency': [200, { ...settled, currency: 'EUX' }],
    'a day that does not exist': [200, { ...settled, occurred_at: '2026-13-01T00:00:00Z' }],
    'an outcome without its event': [200, { ...settled, event_id: undefined }],
  }
  for (const [what, [status, body]] of Object.entries(enquiries))
    it(`does not know what an enquiry answered with ${what} means`, async () => {
      const found = await answeredWith(status, body, enquiring)
      expect(found).to.equal('bank_outcome_unknown')
    })

  it('knows that nothing arrived where nobody listens', async () => {
    const { url, stop } = await startSite(() => undefined)
    await stop()
    for (const bank of [url, 'http://nowhere.invalid'])
      expect(await codeOf(adapterFor(bank).submit(order))).to.equal('bank_unreachable')
    expect(await codeOf(statementOf(adapterFor(url)))).to.equal('bank_unreachable')
  })
  it('does not know what a bank did that hangs up, falls silent, or never ends', async () => {
    const sites: RequestListener[] = [
      (request) => request.socket.destroy(),
      () => undefined,
      (_request, response) => response.write('{'),
      (_request, response) => setInterval(() => response.write(' '), 20).unref(),
    ]
    for (const listener of sites) {
      const site = await startSite(listener)
      const adapter = adapterFor(site.url, { timeout_ms: 200 })
      const checking = () => adapter.checkName(order.account)
      const asks = [submitting, enquiring, statementOf, checking]
      const codes = await Promise.all(asks.map((ask) => codeOf(ask(adapter))))
      expect(new Set(codes)).to.eql(new Set(['bank_outcome_unknown']))
      await site.stop()
    }
  })

  const line = { line: 1, reference, currency: 'EUR', amount: '-5', booked_at: report.occurred_at }
  const statements: Record<string, string> = {
    'without its end': JSON.stringify(line),
    'with a line that is missing': `${JSON.stringify({ ...line, line: 2 })}\n`,
    'with a line of nothing': `${JSON.stringify({ ...line, amount: '0' })}\n`,
    'with an empty line': `${JSON.stringify(line)}\n\n`,
    'with a line without an end': 'x'.repeat(70_000),
  }
  for (const [what, text] of Object.entries(statements))
    it(`does not accept a statement ${what}`, async () => {
      expect(await answeredWith(200, text, statementOf)).to.equal('bank_outcome_unknown')
    })
  it('reads a statement line by line, and only as far as it is asked to', async () => {
    const found = await answeredWith(
      200,
      `${JSON.stringify(line)}\nnonsense\n`,
      async (adapter) => {
        for await (const first of adapter.fetchStatement()) return first
        return undefined
      },
    )
    expect(found).to.deep.include({ line: 1, amount: -5n })
  })

  it('reads a callback by either secret while one is replaced', () => {
    const secrets = { secret: OTHER_SECRET, previousSecret: SECRET }
    const body = Buffer.from(JSON.stringify({ ...report, outcome: 'settled' }))
    for (const secret of Object.values(secrets)) {
      const headers = signedHeaders(secret, 'evt_1', NOW, body)
      const found = adapterFor('http://bank', {}, secrets).readCallback(headers, body, NOW)
      expect(found).to.deep.include({ outcome: 'settled', money: order.money })
    }
  })
  it('refuses a callback that is signed and makes no sense', () => {
    const senseless = [{}, { ...report, outcome: 'accepted' }, { ...report, amount: '01' }, null]
    const long = { ...report, outcome: 'settled', padding: 'x'.repeat(64 * 1024) }
    for (const content of [...senseless, long]) {
      const body = Buffer.from(JSON.stringify(content))
      const headers = signedHeaders(SECRET, 'evt_1', NOW, body)
      const read = () => adapterFor('http://bank').readCallback(headers, body, NOW)
      expect(read).to.throw(BankError).with.property('code', 'bad_callback')
    }
  })
})

/** What the adapter makes of a bank that answers everything with exactly this. */
async function answeredWith(
  status: number,
  body: object | string | Buffer,
  ask: (adapter: BankAdapter) => Promise<unknown>,
  headers: Record<string, string> = {},
) {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const site = await startSite((_request, response) =>
    response.writeHead(status, headers).end(text),
  )
  const found = await codeOf(ask(adapterFor(site.url)))
  await site.stop()
  return found
}
