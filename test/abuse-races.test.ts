/** Many at once, on purpose: what may happen once happens once, and nobody gets an error for it. */
import { expect } from 'chai'
import {
  expectProblem,
  instructionOf,
  quiet,
  send,
  statusesOf,
  times,
  unchanged,
} from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newKey, newSubject } from './support/api.ts'
import {
  ended,
  linkedAccount,
  type Merchant,
  merchant,
  merchantBalance,
  OPERATOR,
  order,
  payment,
  type Person,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { world } from './support/world.ts'

const approval = { pin: PIN }
const payOrder = (who: Person, id: string, more: object = {}) =>
  call(who, 'POST', '/v1/payments', {
    body: { order: id, amount: '5000', currency: 'EUR', approval, ...more },
  })
/** Refusals by code, sorted: what those who came too late were told. */
const codesOf = (answers: readonly { readonly body: { code?: string } }[]) =>
  answers.flatMap(({ body }) => body.code ?? []).sort()

let second: SecondApi

describe('an order that many pay at once', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  it('is paid once, by one of them', async () => {
    const [shop, ...payers] = await Promise.all([merchant(), ...times(6, () => person(5_000n))])
    const id = await order(shop, '5000')
    const answers = await Promise.all(payers.map((who) => payOrder(who, id)))
    expect(statusesOf(answers)).to.deep.equal([201, 409, 409, 409, 409, 409])
    expect(new Set(codesOf(answers))).to.deep.equal(new Set(['order_already_paid']))
    const left = await Promise.all(payers.map(walletBalance))
    expect(left.filter((balance) => balance === 0n)).to.have.length(1)
    expect(await merchantBalance(shop)).to.equal(4_905n)
  })

  it('is paid once by one person who cannot wait', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(50_000n)])
    const id = await order(shop, '5000')
    const answers = await Promise.all(times(10, () => payOrder(ada, id)))
    expect(statusesOf(answers)).to.deep.equal([201, ...times(9, () => 409)])
    expect(await walletBalance(ada)).to.equal(45_000n)
    const { body } = await call(ada, 'GET', `/v1/orders/${id}`)
    expect(body.state).to.equal('paid')
  })

  it('is paid once from the wallet or from the bank, never from both', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(50_000n)])
    const [id, source] = [await order(shop, '5000'), await linkedAccount(ada)]
    const sources = times(8, (index) => (index % 2 === 0 ? { source } : {}))
    const answers = await Promise.all(sources.map((more) => payOrder(ada, id, more)))
    expect(answers.filter(({ status }) => status === 201 || status === 202)).to.have.length(1)
    expect(new Set(codesOf(answers))).to.deep.equal(new Set(['order_already_paid']))
    await quiet()
    expect(await merchantBalance(shop)).to.equal(4_905n)
  })
})

describe('a settlement asked for by many at once', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  const settle = (shop: Merchant) =>
    call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })

  it('is paid out once', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(50_000n)])
    await linkedAccount(shop)
    for (const id of [await order(shop, '5000'), await order(shop, '5000')]) await payOrder(ada, id)
    const answers = await Promise.all(times(8, () => settle(shop)))
    const accepted = answers.filter(({ status }) => status === 202)
    expect(accepted.map(({ body }) => body.net)).to.deep.equal(['9810'])
    for (const { status, text } of answers) expect([202, 402, 409, 422], text).to.include(status)
    const batch = await ended(shop, `/v1/settlements/${accepted[0]?.body.id}`)
    expect(batch.state).to.equal('settled')
    expect(await merchantBalance(shop)).to.equal(0n)
    expectProblem(await unchanged(() => settle(shop)), 422, 'nothing_to_settle')
  })

  it('covers a payment that comes meanwhile in this batch or the next, never in both', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(50_000n)])
    await linkedAccount(shop)
    const orders = await Promise.all(times(6, () => order(shop, '5000')))
    await payOrder(ada, orders[0] ?? '')
    await Promise.all([
      ...orders.slice(1).map((id) => payOrder(ada, id)),
      ...times(4, () => settle(shop)),
    ])
    await settle(shop)
    await quiet()
    const { body } = await call(shop, 'GET', '/v1/settlements?limit=100')
    const lines = await Promise.all(
      body.data.map(async ({ id }: { id: string }) => {
        const statement = await call(shop, 'GET', `/v1/settlements/${id}/statement`)
        return statement.body.data.map((line: { id: string }) => line.id)
      }),
    )
    expect(lines.flat()).to.have.length(6)
    expect(new Set(lines.flat()).size).to.equal(6)
    expect(await merchantBalance(shop)).to.equal(0n)
  })
})

describe('money that leaves twice at once', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  it('leaves once: withdrawals of the whole wallet', async () => {
    const ada = await person(9_000n)
    const account = await linkedAccount(ada)
    const body = { bank_account: account, amount: '9000', currency: 'EUR', approval }
    const answers = await Promise.all(
      times(8, () => call(ada, 'POST', '/v1/withdrawals', { body })),
    )
    expect(statusesOf(answers)).to.deep.equal([202, ...times(7, () => 402)])
    await quiet()
    expect(await walletBalance(ada)).to.equal(0n)
  })

  it('leaves once: a payment against a withdrawal, in two processes', async () => {
    const [ada, ben] = [await person(9_000n), await person()]
    const account = await linkedAccount(ada)
    const own = { bank_account: account, amount: '9000', currency: 'EUR', approval }
    const answers = await Promise.all(
      times(6, (index) => {
        const bytes = JSON.stringify(index % 2 === 0 ? own : payment(ben, '9000'))
        const path = index % 2 === 0 ? '/v1/withdrawals' : '/v1/payments'
        return send(ada, 'POST', path, { bytes, ...(index > 2 && { apiUrl: second.apiUrl }) })
      }),
    )
    expect(answers.filter(({ status }) => status < 300)).to.have.length(1)
    expect(answers.filter(({ status }) => status === 402)).to.have.length(5)
    await quiet()
    expect(await walletBalance(ada)).to.equal(0n)
  })

  it('cannot be spent while it is only promised: a top-up that the bank has not paid', async () => {
    const [ada, ben] = [await person(), await person()]
    const account = await linkedAccount(ada)
    const top = { bank_account: account, amount: '5091', currency: 'EUR', approval }
    const asked = await call(ada, 'POST', '/v1/top_ups', { body: top })
    const tries = await Promise.all(
      times(5, () => call(ada, 'POST', '/v1/payments', { body: payment(ben, '5091') })),
    )
    expect(statusesOf(tries)).to.deep.equal(times(5, () => 402))
    const done = await ended(ada, `/v1/payments/${asked.body.id}`)
    expect([done.state, done.failure]).to.deep.equal(['failed', 'AC04'])
    expect((await instructionOf(asked.body.id)).state).to.equal('rejected')
    expect(await walletBalance(ada)).to.equal(0n)
  })
})

describe('names and numbers claimed at once', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  it('are given once: first requests of one new person', async () => {
    const who = { sub: newSubject(), scope: 'person' }
    const answers = await Promise.all([
      ...times(6, () => send(who, 'GET', '/v1/accounts')),
      ...times(6, () => send(who, 'GET', '/v1/accounts', { apiUrl: second.apiUrl })),
    ])
    expect(new Set(statusesOf(answers))).to.deep.equal(new Set([200]))
    const { owner } = await world()
    expect(await owner('people').where({ subject: who.sub })).to.have.length(1)
  })

  it('are given once: a merchant’s alias and subject', async () => {
    const fees = { percent: '1', fixed: '0', currency: 'EUR' }
    const names = { alias: newSubject('m'), subject: newSubject('m') }
    const body = { name: 'Shop', ...names, fees }
    const answers = await Promise.all(
      times(6, () => call(OPERATOR, 'POST', '/v1/merchants', { body })),
    )
    expect(statusesOf(answers)).to.deep.equal([201, 409, 409, 409, 409, 409])
  })

  it('are given once: an order’s reference, and a bank account', async () => {
    const [shop, ada] = await Promise.all([merchant(), person()])
    const reference = newSubject('r')
    const body = { reference, description: 'A', amount: '5000', currency: 'EUR' }
    const orders = await Promise.all(times(6, () => call(shop, 'POST', '/v1/orders', { body })))
    expect(statusesOf(orders)).to.deep.equal([201, 409, 409, 409, 409, 409])
    const link = { bank: 'north', number: 'T-0995', holder: 'Customer 995' }
    const links = await Promise.all(
      times(6, () => call(ada, 'POST', '/v1/bank_accounts', { body: link })),
    )
    expect(statusesOf(links)).to.deep.equal([201, 409, 409, 409, 409, 409])
    const wrong = { ...link, number: 'T-0111' }
    const answer = await unchanged(() => call(ada, 'POST', '/v1/bank_accounts', { body: wrong }))
    expectProblem(answer, 422, 'name_mismatch')
  })

  it('are given once: deleting one bank account', async () => {
    const ada = await person()
    const path = `/v1/bank_accounts/${await linkedAccount(ada)}`
    const answers = await Promise.all(times(6, () => call(ada, 'DELETE', path)))
    expect(statusesOf(answers)).to.deep.equal([204, 404, 404, 404, 404, 404])
  })
})

describe('two processes', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  it('do one request once', async () => {
    const [ada, ben] = await Promise.all([person(50_000n), person()])
    const [key, body] = [newKey(), JSON.stringify(payment(ben, '5000'))]
    const answers = await Promise.all(
      times(20, (index) =>
        send(ada, 'POST', '/v1/payments', {
          ...{ bytes: body, headers: { 'idempotency-key': key } },
          ...(index % 2 === 0 && { apiUrl: second.apiUrl }),
        }),
      ),
    )
    expect(new Set(statusesOf(answers)), answers[0]?.text).to.deep.equal(new Set([201]))
    expect(new Set(answers.map(({ text }) => text)).size).to.equal(1)
    expect(await walletBalance(ada)).to.equal(45_000n)
  })

  it('do one of two different requests with one key, and refuse the other', async () => {
    const [ada, ben] = await Promise.all([person(100_000n), person()])
    const keys = times(10, newKey)
    const answers = await Promise.all(
      keys.flatMap((key) =>
        ['5000', '5001'].map((amount, index) =>
          send(ada, 'POST', '/v1/payments', {
            bytes: JSON.stringify(payment(ben, amount)),
            headers: { 'idempotency-key': key },
            ...(index === 0 && { apiUrl: second.apiUrl }),
          }),
        ),
      ),
    )
    expect(statusesOf(answers)).to.deep.equal([...times(10, () => 201), ...times(10, () => 422)])
    const paid = 100_000n - (await walletBalance(ada))
    expect(paid >= 50_000n && paid <= 50_010n, `${paid}`).to.equal(true)
  })
})
