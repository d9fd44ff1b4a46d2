/**
 * Callbacks that no honest bank would send: none of them is believed, and most are not even read.
 */
import { expect } from 'chai'
import { expectProblem, instructionOf, quiet, unchanged } from './support/abuse.ts'
import {
  deliver,
  dispositionsOf,
  type Letter,
  openTopUp,
  report,
  resolutionsOf,
} from './support/abuse-callbacks.ts'
import { ended } from './support/people.ts'
import { BANK_SECRET } from './support/world.ts'

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000)
const OTHER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`

describe('a callback', () => {
  before(quiet)
  after(quiet)

  const UNSIGNED: Readonly<Record<string, [() => Letter, string]>> = {
    'without a signature': [
      () => ({ headers: { 'webhook-signature': undefined } }),
      'bad_signature',
    ],
    'without an id': [() => ({ headers: { 'webhook-id': undefined } }), 'bad_signature'],
    'without a time': [() => ({ headers: { 'webhook-timestamp': undefined } }), 'bad_signature'],
    'of another secret': [() => ({ secret: OTHER_SECRET }), 'bad_signature'],
    'of the secret’s text': [
      () => ({ secret: `whsec_${Buffer.from(BANK_SECRET).toString('base64')}` }),
      'bad_signature',
    ],
    'whose id was changed': [() => ({ headers: { 'webhook-id': 'another' } }), 'bad_signature'],
    'whose time was changed': [
      () => ({ headers: { 'webhook-timestamp': String(Math.floor(Date.now() / 1000) + 1) } }),
      'bad_signature',
    ],
    'whose time is no time': [() => ({ headers: { 'webhook-timestamp': 'now' } }), 'bad_signature'],
    'of another version': [
      () => ({ headers: { 'webhook-signature': 'v2,AAAA' } }),
      'bad_signature',
    ],
    'whose signature is only begun': [
      () => ({ headers: { 'webhook-signature': 'v1,' } }),
      'bad_signature',
    ],
    'signed five minutes ago': [() => ({ at: ago(302) }), 'callback_expired'],
    'signed an hour ago': [() => ({ at: ago(3_600) }), 'callback_expired'],
    'signed five minutes from now': [() => ({ at: ago(-302) }), 'callback_expired'],
    'signed in the year 1970': [() => ({ at: new Date(0) }), 'callback_expired'],
  }
  for (const [fault, [letter, code]] of Object.entries(UNSIGNED)) {
    it(`${fault} is not read (abuse 15, 73)`, async () => {
      const text = report({ reference: 'ABC', amount: '100' })
      expectProblem(await unchanged(() => deliver(text, letter())), 401, code)
    })
  }

  it('that was changed or written anew after it was signed is not read (abuse 25)', async () => {
    const text = report({ reference: 'ABC', amount: '100' })
    const changed = [
      text.replace('"100"', '"101"'),
      text.replace('settled', 'rejected'),
      JSON.stringify(JSON.parse(text), null, 1),
      `${text} `,
      text.slice(0, -1),
      '',
    ]
    await unchanged(async () => {
      for (const sent of changed) expectProblem(await deliver(text, { sent }), 401, 'bad_signature')
    })
  })

  it('of a bank we do not have is for nobody', async () => {
    const text = report({ reference: 'ABC', amount: '100' })
    await unchanged(async () => {
      for (const bank of ['west', 'North', '__proto__', 'constructor', '%00', 'north%20']) {
        expectProblem(await deliver(text, { bank }), 404, 'not_found')
      }
    })
  })

  it('may be as large as documented and no larger', async () => {
    const text = report({ reference: 'ABC', amount: '100' })
    const answer = await unchanged(() => deliver(text.padEnd(65_537)))
    expectProblem(answer, 413, 'body_too_large')
  })

  it('is not unpacked', async () => {
    const text = report({ reference: 'ABC', amount: '100' })
    const headers = { 'content-encoding': 'gzip' }
    const answer = await unchanged(() => deliver(text, { headers }))
    expectProblem(answer, 415, 'content_type_not_supported')
  })

  it('about another bank’s instruction is refused, however well signed (abuse 16)', async () => {
    const one = await openTopUp()
    const answer = await unchanged(() => deliver(report(one), { bank: 'north' }))
    expectProblem(answer, 403, 'cross_bank_callback')
    expect((await instructionOf(one.payment)).state).to.be.oneOf(['sent', 'unknown'])
    expect(await resolutionsOf(one)).to.deep.equal([])
    expect((await deliver(report(one))).status).to.equal(200)
    await ended(one.who, `/v1/payments/${one.payment}`)
    expect(await resolutionsOf(one)).to.deep.equal(['post'])
  })

  it('about what we know nothing of is kept, and moves nothing', async () => {
    const orphan = { reference: 'NOBODYKNOWSTHIS', amount: '100' }
    const [text, other] = [report(orphan), report(orphan, { outcome: 'returned' })]
    await unchanged(
      async () => {
        for (const one of [text, text, other]) expect((await deliver(one)).status).to.equal(200)
        await new Promise((resolve) => setTimeout(resolve, 500))
      },
      { except: ['callbacks'] },
    )
    expect(await dispositionsOf(orphan)).to.deep.equal(['orphan', 'orphan'])
  })
})

describe('a callback that is signed and makes no sense', () => {
  before(quiet)
  after(quiet)

  const one = { reference: 'ABC', amount: '100' }
  const TEXTS = [
    ...['', 'x', 'null', '[]', '5', '"settled"', '{}', '{"a":1', `${report(one)}{}`, '\ufeff{}'],
    ...['<html><body>Welcome to your bank!</body></html>', `[${report(one)}]`],
    report(one).replace('{', '{"amount":"1",'),
    report(one).replace('{', '{"x":{"a":1,"a":2},'),
    report(one).replace('{', `{"x":${'['.repeat(20)}${']'.repeat(20)},`),
  ]
  const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
    event_id: [undefined, null, '', 5, 'a b', 'x'.repeat(65), 'a\u0000'],
    reference: [undefined, null, '', 5, 'abc', 'A B', 'A'.repeat(36), 'A\u0000', "A' OR 1=1"],
    outcome: [undefined, null, '', 5, 'paid', 'SETTLED', 'accepted', ['settled']],
    amount: [undefined, null, '', 100, '0', '-1', '01', '1.5', '1e3', '1'.repeat(16), ['100']],
    currency: [undefined, null, '', 'eur', 'XXQ', 'EURO', 978],
    occurred_at: [undefined, null, '', 5, 'now', '2026-13-01T00:00:00Z', '2026-01-01'],
    reason: [5, null, '', 'a\nb', 'a\u0000', 'x'.repeat(141)],
  }

  it('is refused, whatever is wrong with it', async () => {
    await unchanged(async () => {
      for (const text of TEXTS) {
        const answer = await deliver(text)
        expect(answer.status, `${text}: ${answer.text}`).to.equal(400)
        expectProblem(answer, 400, 'bad_callback')
      }
    })
  })

  for (const [field, values] of Object.entries(FIELDS)) {
    it(`is refused for its ${field}`, async () => {
      await unchanged(async () => {
        for (const value of values) {
          const text = report(one, { outcome: 'rejected', [field]: value })
          const answer = await deliver(text)
          expect(answer.status, `${text}: ${answer.text}`).to.equal(400)
          expectProblem(answer, 400, 'bad_callback')
        }
      })
    })
  }
})
