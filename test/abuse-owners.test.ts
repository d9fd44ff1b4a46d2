/** What is somebody else’s: it is not there, cannot be used, and cannot be told from nothing. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { detailsOf, findBankAccount } from '../services/banking/bank_accounts.ts'
import { type Kind, publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, once, quiet, unchanged } from './support/abuse.ts'
import { call, newSubject, type Who } from './support/api.ts'
import { agree, postRate, quoted } from './support/exchange.ts'
import {
  ended,
  linkedAccount,
  type Merchant,
  merchant,
  OPERATOR,
  order,
  payment,
  type Person,
  person,
  PIN,
} from './support/people.ts'
import { world } from './support/world.ts'

let ada: Person
let ben: Person
let eve: Person
let shop: Merchant
let rival: Merchant
/** What there is of Ada’s and of the shop’s, by kind. */
let theirs: Record<'pay' | 'acc' | 'bac' | 'set' | 'ord' | 'fxq' | 'exc' | 'mer', string>
let shopAccount: string

const setTheStage = once(async () => {
  ;[ada, ben, eve] = await Promise.all([person(100_000n), person(), person(100_000n)])
  ;[shop, rival] = await Promise.all([merchant(), merchant()])
  const bac = await linkedAccount(ada)
  shopAccount = await linkedAccount(shop)
  const ord = await order(shop, '5000')
  const approval = { pin: PIN }
  const body = { order: ord, amount: '5000', currency: 'EUR', approval }
  const pay = await call(ada, 'POST', '/v1/payments', { body })
  await call(eve, 'POST', '/v1/payments', { body: payment(ben, '1') })
  const set = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
  expect(set.status, set.text).to.equal(202)
  await ended(shop, `/v1/settlements/${set.body.id}`)
  const accounts = await call(ada, 'GET', '/v1/accounts')
  const [acc] = accounts.body.data
  await postRate('EUR', 'KES', '150')
  const [fxq, used] = await Promise.all([1, 2].map(() => quoted(ada, 'EUR', 'KES', '1000')))
  const exc = await agree(ada, used.id)
  const [quote, made] = [fxq.id, exc.body.id]
  const [payment_, mer] = [pay.body.id, shop.id]
  theirs = { pay: payment_, acc: acc.id, bac, set: set.body.id, ord, fxq: quote, exc: made, mer }
  await quiet()
})

const unknown = (kind: Kind) => publicId(kind, newId())
const pathOf = (path: string, id: string) =>
  path.replace(':id', id).replace(':now', new Date().toISOString())

describe('a thing of somebody else', () => {
  before(setTheStage)

  const READS = [
    ['pay', '/v1/payments/:id', () => [ben, eve, rival]],
    ['acc', '/v1/accounts/:id', () => [ben, eve, shop, rival]],
    ['acc', '/v1/accounts/:id?at=:now', () => [eve, rival]],
    ['acc', '/v1/accounts/:id/entries', () => [ben, eve, shop, rival]],
    ['acc', '/v1/accounts/:id/statement', () => [ben, eve, shop, rival]],
    ['set', '/v1/settlements/:id', () => [rival]],
    ['set', '/v1/settlements/:id/statement', () => [rival]],
    ['ord', '/v1/orders/:id', () => [rival]],
    ['ord', '/v1/orders/:id/payments', () => [rival]],
    ['mer', '/v1/merchants/:id/refund_limit', () => [rival]],
    ['mer', '/v1/merchants/:id/dispute_terms', () => [rival]],
    ['fxq', '/v1/fx_quotes/:id', () => [ben, eve]],
    ['exc', '/v1/exchanges/:id', () => [ben, eve]],
  ] as const
  for (const [kind, path, whose] of READS) {
    it(`is answered as what does not exist is: ${path} (abuse 34)`, async () => {
      await unchanged(async () => {
        for (const who of whose()) {
          const nothing = await call(who, 'GET', pathOf(path, unknown(kind)))
          const answer = await call(who, 'GET', pathOf(path, theirs[kind]))
          expectProblem(answer, 404, 'not_found')
          expect(answer.text).to.equal(nothing.text)
        }
      })
    })
  }

  it('is seen by its owner, so that the refusals above mean something', async () => {
    for (const [kind, path] of READS) {
      const who = kind === 'set' || kind === 'ord' || kind === 'mer' ? shop : ada
      const { status, text } = await call(who, 'GET', pathOf(path, theirs[kind]))
      expect(status, text).to.equal(200)
    }
  })

  it('is in nobody else’s list (abuse 34)', async () => {
    const lists = ['/v1/payments', '/v1/accounts', '/v1/bank_accounts', '/v1/settlements']
    for (const who of [eve, rival] as Who[]) {
      for (const path of [...lists, '/v1/events', '/v1/exchanges']) {
        const { status, text } = await call(who, 'GET', path)
        expect(status === 200 || status === 403, text).to.equal(true)
        for (const id of Object.values(theirs)) expect(text).not.to.contain(id)
      }
    }
  })

  it('cannot be unlinked by another', async () => {
    await unchanged(async () => {
      for (const who of [eve, rival, shop] as Who[]) {
        const path = `/v1/bank_accounts/${theirs.bac}`
        const nothing = await call(who, 'DELETE', `/v1/bank_accounts/${unknown('bac')}`)
        const answer = await call(who, 'DELETE', path)
        expectProblem(answer, 404, 'not_found')
        expect(answer.text).to.equal(nothing.text)
      }
    })
  })

  it('cannot pay, be paid from, or be paid to (abuse 54)', async () => {
    const money = { amount: '5000', currency: 'EUR' }
    const own = (id: string) => ({ ...money, bank_account: id, approval: { pin: PIN } })
    const uses = [
      [eve, '/v1/payments', (id: string) => payment(ben, '5000', { source: id })],
      [eve, '/v1/top_ups', own],
      [eve, '/v1/withdrawals', own],
      [rival, '/v1/settlements', (id: string) => ({ currency: 'EUR', bank_account: id })],
    ] as const
    await unchanged(async () => {
      for (const [who, path, bodyOf] of uses) {
        const nothing = await call(who, 'POST', path, { body: bodyOf(unknown('bac')) })
        for (const id of [theirs.bac, shopAccount]) {
          const answer = await call(who, 'POST', path, { body: bodyOf(id) })
          expectProblem(answer, 422, 'bank_account_not_found')
          expect(answer.text).to.equal(nothing.text)
        }
      }
    })
  })

  it('costs no attempt at the PIN, and tells nobody whether the PIN was right', async () => {
    const { owner } = await world()
    const body = payment(ben, '5000', { source: theirs.bac, approval: { pin: '999999' } })
    expectProblem(await call(eve, 'POST', '/v1/payments', { body }), 422, 'bank_account_not_found')
    const { failed } = await owner('pins').where({ person_id: eve.id }).first('failed')
    expect(failed).to.equal(0)
  })

  it('shows no more of a bank account than its end, not even in an event (abuse 37)', async () => {
    const { api } = await world()
    const account = await findBankAccount(api.db, uuidOf(theirs.bac))
    const number = detailsOf(api, account)?.number ?? ''
    expect(number).to.match(/^T-\d{4}$/)
    const paths = ['/v1/bank_accounts', '/v1/payments', '/v1/accounts']
    const texts = await Promise.all(paths.map(async (path) => (await call(ada, 'GET', path)).text))
    const events = await call(OPERATOR, 'GET', '/v1/events?limit=100')
    for (const text of [...texts, events.text]) expect(text).not.to.contain(number)
  })
})

describe('an order', () => {
  before(setTheStage)

  const pay = (who: Person, body: object) =>
    call(who, 'POST', '/v1/payments', { body: { approval: { pin: PIN }, ...body } })
  const of5000 = { amount: '5000', currency: 'EUR' }

  it('is paid as it was written: to its merchant, that amount, that currency', async () => {
    const id = await order(shop, '5000')
    await unchanged(async () => {
      for (const wrong of [
        { order: id, ...of5000, payee: `@${rival.sub}` },
        { order: id, ...of5000, payee: rival.id },
        { order: id, ...of5000, payee: ben.alias },
        { order: id, ...of5000, payee: '@nobody.of.that.name' },
        { order: id, amount: '4999', currency: 'EUR' },
        { order: id, amount: '1', currency: 'EUR' },
        { order: id, amount: '5000', currency: 'USD' },
        { order: id, amount: '5000', currency: 'JPY' },
      ]) {
        expectProblem(await pay(eve, wrong), 422, 'order_mismatch')
      }
      expectProblem(await pay(eve, { order: unknown('ord'), ...of5000 }), 404, 'not_found')
      const bare = await pay(eve, { payee: shop.id, ...of5000 })
      expectProblem(bare, 422, 'order_required')
      expectProblem(await pay(eve, { payee: `@${shop.sub}`, ...of5000 }), 422, 'order_required')
    })
  })

  it('has the price of the merchant’s schedule, whatever the payer says (abuse 29)', async () => {
    const id = await order(shop, '5000')
    await unchanged(async () => {
      for (const more of [{ fee: '0' }, { fee_schedule: unknown('fee') }, { net: '5000' }]) {
        const answer = await pay(eve, { order: id, ...of5000, ...more })
        expectProblem(answer, 400, 'invalid_request')
      }
    })
  })

  it('whose fee would be more than it is cannot be written (abuse 29)', async () => {
    const dear = await merchant({ percent: '50', fixed: '100', tax_percent: '100' })
    const body = { reference: newSubject('r'), description: 'A', amount: '150', currency: 'EUR' }
    await unchanged(async () => {
      expectProblem(await call(dear, 'POST', '/v1/orders', { body }), 422, 'fee_exceeds_amount')
      const dollars = { ...body, amount: '5000', currency: 'USD' }
      const answer = await call(dear, 'POST', '/v1/orders', { body: dollars })
      expectProblem(answer, 422, 'fee_schedule_not_found')
    })
  })
})

describe('a payee', () => {
  before(setTheStage)

  afterEach(quiet)

  it('is somebody else, and somebody (abuse 30)', async () => {
    const same = payment(eve, '5000')
    const byId = payment(eve, '5000', { payee: publicId('per', eve.id) })
    const work = async () => {
      expectProblem(await call(eve, 'POST', '/v1/payments', { body: same }), 422, 'same_account')
      expectProblem(await call(eve, 'POST', '/v1/payments', { body: byId }), 422, 'same_account')
    }
    await unchanged(work, { except: ['claims'] })
    const nobody = [`per_${'z'.repeat(26)}`, unknown('per'), unknown('mer'), '@nobody.at.all']
    await unchanged(async () => {
      for (const payee of nobody) {
        const body = payment(ben, '5000', { payee })
        expectProblem(await call(eve, 'POST', '/v1/payments', { body }), 422, 'payee_not_found')
      }
      for (const payee of [
        '',
        '@',
        'ben',
        `@${'x'.repeat(33)}`,
        '@Ben',
        ' @ben',
        5,
        null,
        ['@ben'],
      ]) {
        const body = payment(ben, '5000', { payee })
        expectProblem(await call(eve, 'POST', '/v1/payments', { body }), 400, 'invalid_request')
      }
    })
  })

  it('is somebody else, paid from a bank account too', async () => {
    const source = await linkedAccount(eve)
    const body = payment(eve, '5000', { source })
    const work = async () =>
      expectProblem(await call(eve, 'POST', '/v1/payments', { body }), 422, 'same_account')
    await unchanged(work, { except: ['claims'] })
  })

  it('is paid from a bank account in a currency that the bank handles (abuse 20)', async () => {
    const source = await linkedAccount(eve)
    const body = payment(ben, '5000', { source, currency: 'CHF' })
    const work = async () =>
      expectProblem(
        await call(eve, 'POST', '/v1/payments', { body }),
        422,
        'currency_not_supported',
      )
    await unchanged(work)
  })

  it('gets no accounts by payments that are refused', async () => {
    const work = async () => {
      for (const currency of ['USD', 'JPY', 'CHF', 'BHD']) {
        const body = payment(ben, '5000', { currency })
        const answer = await call(eve, 'POST', '/v1/payments', { body })
        expectProblem(answer, 402, 'insufficient_funds')
      }
    }
    await unchanged(work, { except: ['claims'] })
    const { body } = await call(ben, 'GET', '/v1/accounts')
    expect(body.data.map((one: { currency: string }) => one.currency)).to.deep.equal(['EUR'])
  })

  it('keeps the alias, whoever comes later under a name that looks the same', async () => {
    const twin = { sub: ben.sub.toUpperCase(), scope: 'person' }
    await call(twin, 'GET', '/v1/accounts')
    const paid = await call(eve, 'POST', '/v1/payments', { body: payment(ben, '500') })
    expect(paid.body.payee.id).to.equal(publicId('per', ben.id))
    const { owner } = await world()
    const alias = await owner('aliases').where({ alias: ben.sub }).first()
    expect(alias.person_id).to.equal(ben.id)
  })
})
