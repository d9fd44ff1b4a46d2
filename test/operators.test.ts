/** What operators do to accounts, and how payers see it. */
import { expect } from 'chai'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, times, unchanged } from './support/abuse.ts'
import { call, type Who } from './support/api.ts'
import { merchant, OPERATOR, order, payment, type Person, person, PIN } from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

describe('an operator', () => {
  const accountOf = async (who: Person) => (await call(who, 'GET', '/v1/accounts')).body.data[0]
  const act = (id: string, what: string, body: object, who: Who = OPERATOR) =>
    call(who, what === 'metadata' ? 'PUT' : 'POST', `/v1/ledger/accounts/${id}/${what}`, { body })
  const lastEvent = async (object: string) => {
    const { owner } = await world()
    return owner('events').where({ object_id: object }).orderBy('id', 'desc').first()
  }

  it('freezes a wallet: it cannot pay, can be paid, and its hold can be voided', async () => {
    const [ada, ben] = [await person(10_000n), await person(10_000n)]
    const { id } = await accountOf(ada)
    const { body: benWallet } = await call(ben, 'GET', '/v1/accounts')
    const hold = {
      ...{ kind: 'pending', debit: id, credit: benWallet.data[0].id, amount: '500' },
      ...{ currency: 'EUR', code: 'test' },
    }
    const held = await bulk([hold])
    const frozen = await act(id, 'freeze', { debits: true, credits: false, reason: 'court order' })
    expect(frozen.status, frozen.text).to.equal(200)
    expect(frozen.body.state).to.equal('frozen')
    expect(frozen.body.frozen).to.deep.equal({ debits: true, credits: false })
    const event = await lastEvent(id)
    expect(event.type).to.equal('account.frozen')
    expect(event.data).to.deep.equal({
      ...{ account: frozen.body, operator: OPERATOR.sub, reason: 'court order' },
    })
    const pay = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    expectProblem(pay, 409, 'account_frozen')
    const back = await call(ben, 'POST', '/v1/payments', { body: payment(ada, '100') })
    expect(back.status, back.text).to.equal(201)
    await bulk([{ kind: 'void', hold: held.unit, code: 'test' }])
    const thawed = await act(id, 'freeze', { debits: false, credits: false, reason: 'lifted' })
    expect(thawed.body.state).to.equal('open')
    expect((await lastEvent(id)).type).to.equal('account.unfrozen')
    const paid = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    expect(paid.status, paid.text).to.equal(201)
  })

  it('freezes a merchant: nobody can pay its orders', async () => {
    const [ada, shop] = [await person(10_000n), await merchant()]
    const pay = async () => {
      const asked = { order: await order(shop, '1000'), amount: '1000', currency: 'EUR' }
      const body = { ...asked, approval: { pin: PIN } }
      return call(ada, 'POST', '/v1/payments', { body })
    }
    expect((await pay()).status).to.equal(201)
    const { body } = await call(shop, 'GET', '/v1/accounts')
    await act(body.data[0].id, 'freeze', { debits: false, credits: true, reason: 'fraud' })
    expectProblem(await pay(), 409, 'account_frozen')
  })

  it('closes an empty account, and whoever pays it is told', async () => {
    const [ada, ben] = [await person(100n), await person(100n)]
    const { id } = await accountOf(ben)
    expectProblem(await act(id, 'close', { reason: 'left' }), 409, 'account_not_empty')
    await call(ben, 'POST', '/v1/payments', { body: payment(ada, '100') })
    const closed = await act(id, 'close', { reason: 'left' })
    expect(closed.body.state, closed.text).to.equal('closed')
    expect((await lastEvent(id)).type).to.equal('account.closed')
    expect((await accountOf(ben)).state).to.equal('closed')
    const pay = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '1') })
    expectProblem(pay, 409, 'account_closed')
    expectProblem(await act(id, 'close', { reason: 'again' }), 409, 'account_closed')
  })

  it('remembers something beside an account, and finds it by that', async () => {
    const ada = await person(1_234n)
    const { id } = await accountOf(ada)
    const metadata = { branch: ada.sub }
    const put = await act(id, 'metadata', { metadata, reason: 'moved' })
    expect(put.status, put.text).to.equal(200)
    const filter = encodeURIComponent(JSON.stringify(metadata))
    const query = `metadata=${filter}&type=wallet&state=open&posted_above=1233&available_below=1235`
    const found = await call(OPERATOR, 'GET', `/v1/ledger/accounts?${query}`)
    expect(found.body, found.text).to.deep.equal({ data: [put.body], next_cursor: null })
    const one = await call(OPERATOR, 'GET', `/v1/ledger/accounts/${id}`)
    expect(one.body).to.deep.equal(put.body)
    const none = await call(OPERATOR, 'GET', `/v1/ledger/accounts?${query}&currency=USD`)
    expect(none.body.data).to.deep.equal([])
  })

  it('pages through accounts, each once', async () => {
    const { id } = await accountOf(await person(1n))
    const cursor = publicId('acc', '00000000-0000-7000-8000-000000000000')
    const first = await call(OPERATOR, 'GET', `/v1/ledger/accounts?limit=2&cursor=${cursor}`)
    expect(first.body.data).to.have.length(2)
    const next = first.body.next_cursor
    const second = await call(OPERATOR, 'GET', `/v1/ledger/accounts?limit=2&cursor=${next}`)
    expect(uuidOf(second.body.data[0].id) > uuidOf(next)).to.equal(true)
    expect(id).to.match(/^acc_/)
  })

  it('alone may do it, and says it well', async () => {
    const ada = await person(100n)
    const { id } = await accountOf(ada)
    const reason = 'x'
    const good = [
      ['freeze', { debits: true, credits: true, reason }],
      ['close', { reason }],
      ['metadata', { metadata: {}, reason }],
      ['periods', { through: new Date(Date.now() - 1_000).toISOString(), reason }],
    ] as const
    const bad = [
      ['freeze', { debits: 'yes', credits: true, reason }],
      ['freeze', { debits: true, reason }],
      ['freeze', { debits: true, credits: true }],
      ['close', { reason, really: true }],
      ['metadata', { metadata: { Key: 'x' }, reason }],
      ['metadata', { metadata: { key: 5 }, reason }],
      ['metadata', { metadata: { key: 'a\u0000' }, reason }],
      ['metadata', { metadata: Object.fromEntries(times(21, (n) => [`k${n}`, ''])), reason }],
      ['periods', { through: 'yesterday', reason }],
    ] as const
    const nobody = publicId('acc', '00000000-0000-7000-8000-000000000000')
    await unchanged(async () => {
      for (const [what, body] of good) {
        for (const who of [ada, { sub: 'chat', scope: 'chat' }]) {
          expectProblem(await act(id, what, body, who), 403, 'forbidden')
        }
        expect((await act(nobody, what, body)).status, what).to.equal(404)
        expectProblem(await act('acc_x', what, body), 404, 'not_found')
      }
      for (const [what, body] of bad) {
        expectProblem(await act(id, what, body), 400, 'invalid_request')
      }
      for (const query of ['metadata=x', 'metadata=[]', 'state=odd', 'posted_above=1.5', 'x=1']) {
        const answer = await call(OPERATOR, 'GET', `/v1/ledger/accounts?${query}`)
        expectProblem(answer, 400, 'invalid_request')
      }
      expectProblem(await call(ada, 'GET', '/v1/ledger/accounts'), 403, 'forbidden')
    })
  })

  async function bulk(transfers: readonly object[]) {
    const key = `unit-${crypto.randomUUID()}`
    const units = [{ key, transfers, reason: 'test' }]
    const done = await together('/v1/ledger/bulk', { body: { mode: 'each', units } })
    expect(done.body.results?.[0].state, done.text).to.equal('accepted')
    return done.body.results[0]
  }
})
