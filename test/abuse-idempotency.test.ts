/** One key, one request, one answer: whatever is repeated, changed, mistyped or raced. */
import { expect } from 'chai'
import {
  expectProblem,
  instructionOf,
  overSocket,
  once,
  quiet,
  send,
  statusesOf,
  times,
  unchanged,
} from './support/abuse.ts'
import { call, newKey, newSubject, tokenOf } from './support/api.ts'
import {
  linkedAccount,
  merchant,
  OPERATOR,
  payment,
  type Person,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'

let ada: Person
let ben: Person

const setTheStage = once(async () => {
  ;[ada, ben] = await Promise.all([person(1_000_000n), person()])
  await call(ada, 'POST', '/v1/payments', { body: payment(ben, '1') })
  await quiet()
})

const pay = (who: Person, key: string | null, body: object) =>
  call(who, 'POST', '/v1/payments', { key, body })
const wrongPin = { approval: { pin: '999999' } }
const isReplay = (answer: { headers: Headers }) => answer.headers.get('idempotent-replayed')

const LONG = 'x'.repeat(16)

describe('an Idempotency-Key', () => {
  before(setTheStage)

  const BAD_KEYS = [
    ...['', 'x', LONG.slice(1), LONG.repeat(5), `${LONG} ${LONG}`, `${LONG},${LONG}`],
    ...[`${LONG}é`, `${LONG}/`, `${LONG};`, `${LONG}%00`, `${LONG}.`, `'${LONG}'`],
    ...[`"${LONG.slice(1)}"`, `""${LONG}""`],
  ]
  /** Quoted it may be, as the IETF draft has it; half a quote is neither one nor the other. */
  const HALF_QUOTED = [`"${LONG}`, `${LONG}"`]

  for (const [what, keys] of [
    ['sixteen to sixty-four plain characters', BAD_KEYS],
    ['between two quotes or none', HALF_QUOTED],
  ] as const) {
    it(`is ${what}`, async () => {
      await unchanged(async () => {
        for (const key of keys) {
          const bytes = JSON.stringify(payment(ben, '100'))
          const headers = { 'idempotency-key': key }
          const answer = await send(ada, 'POST', '/v1/payments', { bytes, headers })
          expect(answer.status, `${key}: ${answer.text}`).to.equal(400)
          expectProblem(answer, 400, 'idempotency_key_missing')
        }
      })
    })
  }

  it('may not be left out where money moves', async () => {
    const ownMoney = { bank_account: `bac_${'0'.repeat(26)}`, amount: '100', currency: 'EUR' }
    const shop = await merchant()
    const calls = [
      [ada, '/v1/payments', payment(ben, '100')],
      [ada, '/v1/top_ups', ownMoney],
      [ada, '/v1/withdrawals', ownMoney],
      [shop, '/v1/settlements', { currency: 'EUR' }],
    ] as const
    await unchanged(async () => {
      for (const [who, path, body] of calls) {
        const answer = await call(who, 'POST', path, { key: null, body })
        expectProblem(answer, 400, 'idempotency_key_missing')
      }
    })
  })

  for (const [fault, keys] of [
    ['another', [newKey(), newKey()]],
    [
      'the same',
      Array.from(
        { length: 2 },
        (
          (key) => () =>
            key
        )(newKey()),
      ),
    ],
  ] as const) {
    it(`is given once: ${fault} beside it is refused`, async () => {
      const body = JSON.stringify(payment(ben, '100'))
      const head = [
        ...['POST /v1/payments HTTP/1.1', 'Host: x', 'Connection: close'],
        ...[`Authorization: Bearer ${await tokenOf(ada)}`, 'Content-Type: application/json'],
        ...keys.map((key) => `Idempotency-Key: ${key}`),
        ...[`Content-Length: ${body.length}`, '', ''],
      ]
      const answer = await unchanged(() => overSocket(head.join('\r\n') + body))
      expect(answer).to.match(/^HTTP\/1\.1 400 /)
      expect(answer).to.contain('"code":"idempotency_key_missing"')
    })
  }

  it('belongs to one request: with any other body it is refused (abuse 24)', async () => {
    const [key, body] = [newKey(), payment(ben, '100', { note: 'A' })]
    const first = await pay(ada, key, body)
    const others = [
      { ...body, amount: '101' },
      { ...body, currency: 'USD' },
      { ...body, note: 'B' },
      { ...body, note: undefined },
      { ...body, payee: ada.alias },
      { ...body, order: `ord_${'0'.repeat(26)}` },
    ]
    await unchanged(async () => {
      for (const other of others) {
        expectProblem(await pay(ada, key, other), 422, 'idempotency_key_reused')
      }
    })
    expect((await pay(ada, key, body)).text).to.equal(first.text)
  })

  it('knows its request in any order and with any space', async () => {
    const [key, body] = [newKey(), payment(ben, '100', { note: 'A' })]
    const first = await pay(ada, key, body)
    const turned = Object.fromEntries(Object.entries(body).reverse())
    const spaced = JSON.stringify(turned, null, 4)
    const again = await call(ada, 'POST', '/v1/payments', { key, body: spaced })
    expect([again.status, again.text, isReplay(again)]).to.deep.equal([201, first.text, 'true'])
  })

  it('belongs to one person: another’s is another request (abuse 35)', async () => {
    const [key, eve, had] = [newKey(), await person(100n), await walletBalance(ada)]
    const mine = await pay(ada, key, payment(ben, '100'))
    const theirs = await pay(eve, key, payment(ben, '100'))
    expect([theirs.status, isReplay(theirs)]).to.deep.equal([201, null])
    expect(theirs.body.id).not.to.equal(mine.body.id)
    expect(theirs.body.payer.alias).to.equal(eve.sub)
    expect([had - (await walletBalance(ada)), await walletBalance(eve)]).to.deep.equal([100n, 0n])
  })

  it('belongs to one route: the same key elsewhere is another request', async () => {
    const [key, account] = [newKey(), await linkedAccount(ada)]
    const body = { bank_account: account, amount: '100', currency: 'EUR', approval: { pin: PIN } }
    const [paid, toppedUp, withdrawn] = [
      await pay(ada, key, payment(ben, '100')),
      await call(ada, 'POST', '/v1/top_ups', { key, body }),
      await call(ada, 'POST', '/v1/withdrawals', { key, body }),
    ]
    expect(statusesOf([paid, toppedUp, withdrawn])).to.deep.equal([201, 202, 202])
    expect(new Set([paid, toppedUp, withdrawn].map((one) => one.body.id)).size).to.equal(3)
    await quiet()
  })
})

describe('a repetition', () => {
  before(setTheStage)

  it('gets the first answer byte for byte, and moves nothing', async () => {
    const [key, body] = [newKey(), payment(ben, '100')]
    const first = await pay(ada, key, body)
    expect([first.status, isReplay(first)]).to.deep.equal([201, null])
    await unchanged(async () => {
      for (const again of [await pay(ada, key, body), await pay(ada, key, body)]) {
        expect([again.status, again.text]).to.deep.equal([first.status, first.text])
        expect(isReplay(again)).to.equal('true')
        expect(again.headers.get('content-type')).to.equal(first.headers.get('content-type'))
      }
    })
  })

  it('of a refusal is refused for ever, although the money has come (abuse 61)', async () => {
    const [key, poor] = [newKey(), await person()]
    await call(ada, 'POST', '/v1/payments', { body: payment(poor, '1') })
    const refused = await pay(poor, key, payment(ben, '5000'))
    expectProblem(refused, 402, 'insufficient_funds')
    await pay(ada, newKey(), payment(poor, '5000'))
    const again = await unchanged(() => pay(poor, key, payment(ben, '5000')))
    expectProblem(again, 402, 'insufficient_funds')
    expect([again.text, isReplay(again)]).to.deep.equal([refused.text, 'true'])
    expect((await pay(poor, newKey(), payment(ben, '5000'))).status).to.equal(201)
  })

  it('needs no PIN, because it does nothing: it is answered, and nothing is counted', async () => {
    const [key, body] = [newKey(), payment(ben, '5000')]
    const first = await pay(ada, key, body)
    await unchanged(async () => {
      for (const more of [wrongPin, { approval: undefined }]) {
        const again = await pay(ada, key, { ...body, ...more })
        expect([again.text, isReplay(again)]).to.deep.equal([first.text, 'true'])
      }
    })
  })

  it('of what was asked of a bank does not ask the bank again', async () => {
    const [key, account] = [newKey(), await linkedAccount(ada)]
    const body = { bank_account: account, amount: '700', currency: 'EUR', approval: { pin: PIN } }
    const answers = await Promise.all(
      times(20, () => call(ada, 'POST', '/v1/top_ups', { key, body })),
    )
    expect(new Set(answers.map(({ text }) => text)).size).to.equal(1)
    await quiet()
    expect((await instructionOf(answers[0]?.body.id)).submissions).to.equal(1)
  })

  const WITHOUT_MONEY = {
    '/v1/orders': () => ({ reference: newSubject('r'), description: 'A', ...HUNDRED }),
    '/v1/bank_accounts': () => ({ bank: 'south', number: 'T-0996', holder: 'Customer 996' }),
    '/v1/merchants': () => {
      const fees = { percent: '1', fixed: '0', currency: 'EUR' }
      return { name: 'A', alias: newSubject('m'), subject: newSubject('m'), fees }
    },
  }
  const HUNDRED = { amount: '100', currency: 'EUR' }
  for (const [path, bodyOf] of Object.entries(WITHOUT_MONEY)) {
    it(`is recognised where no money moves: ${path}`, async () => {
      const [key, body] = [newKey(), bodyOf()]
      const who = path === '/v1/merchants' ? OPERATOR : await merchant()
      const first = await call(who, 'POST', path, { key, body })
      expect(first.status, first.text).to.equal(201)
      const again = await unchanged(() => call(who, 'POST', path, { key, body }))
      expect([again.status, again.text, isReplay(again)]).to.deep.equal([201, first.text, 'true'])
      const anew = await unchanged(() => call(who, 'POST', path, { key: null, body }), {
        except: ['accounts'],
      })
      expect(anew.status, anew.text).to.equal(409)
    })
  }
})

describe('what is not final', () => {
  before(setTheStage)

  it('may be corrected under its key: a wrong PIN, none, a wrong shape (abuse 62)', async () => {
    const [key, body] = [newKey(), payment(ben, '5000')]
    await unchanged(async () => {
      expectProblem(await pay(ada, key, { ...body, ...wrongPin }), 401, 'approval_refused')
      const { approval: _none, ...bare } = body
      expectProblem(await pay(ada, key, bare), 403, 'approval_required')
      expectProblem(await pay(ada, key, { ...body, amount: '-1' }), 400, 'invalid_request')
    })
    const paid = await pay(ada, key, body)
    expect([paid.status, isReplay(paid)]).to.deep.equal([201, null])
  })

  it('does not spoil the right request that is sent at the same moment', async () => {
    const [key, body] = [newKey(), payment(ben, '5000')]
    const before = await walletBalance(ada)
    const [wrong, right] = await Promise.all([
      pay(ada, key, { ...body, ...wrongPin }),
      pay(ada, key, body),
    ])
    expect(wrong.status, wrong.text).to.be.oneOf([201, 401])
    expect(right.status, right.text).to.equal(201)
    expect(await walletBalance(ada)).to.equal(before - 5_000n)
  })
})
