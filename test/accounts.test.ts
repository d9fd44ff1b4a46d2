/** Accounts frozen, closed, described and found: in the books, by operators, and as payers see it. */
import { expect } from 'chai'
import {
  closeAccount,
  findAccounts,
  findAccountWithHolds,
  freezeAccount,
  type Group,
  type NewTransfer,
  setMetadata,
} from '../ledger/index.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { call } from './support/api.ts'
import { openBooks, pending, resolution, single, times, unitOf } from './support/books.ts'
import { merchant, OPERATOR, order, payment, type Person, person, PIN } from './support/people.ts'
import { world } from './support/world.ts'

type Books = Awaited<ReturnType<typeof openBooks>>

const refusalOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  )

describe('an account', () => {
  let books: Books
  let group: Group
  before(async () => {
    books = await openBooks()
    group = books.group()
  })
  after(() => books.close())

  const outcome = async (...transfers: NewTransfer[]) =>
    (await group.submit(unitOf(transfers))).answer
  async function funded(amount: bigint): Promise<string> {
    const [bank, wallet] = [await books.account('bank'), await books.account()]
    expect(await outcome(single(bank, wallet, amount))).to.equal('ok')
    return wallet
  }
  const freeze = (id: string, debits: boolean, credits: boolean) =>
    books.db.transaction((trx) => freezeAccount(trx, id, { debits, credits }))
  const close = (id: string) => books.db.transaction((trx) => closeAccount(trx, id, new Date()))

  it('that is frozen keeps the promises it made, and makes no new ones', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const held = times(2, () => unitOf([pending(ada, ben, 10n)]))
    for (const unit of held) expect((await group.submit(unit)).answer).to.equal('ok')
    const frozen = await freeze(ada, true, false)
    expect([frozen.debitsFrozen, frozen.creditsFrozen]).to.deep.equal([true, false])
    expect(await outcome(single(ada, ben, 1n))).to.equal('account_frozen')
    expect(await outcome(pending(ada, ben, 1n))).to.equal('account_frozen')
    expect(await outcome(single(ben, ada, 0n + 1n))).to.equal('insufficient_funds')
    expect(await outcome(resolution('post', held[0]?.id ?? ''))).to.equal('ok')
    expect(await outcome(resolution('void', held[1]?.id ?? ''))).to.equal('ok')
    expect(await outcome(single(ben, ada, 5n))).to.equal('ok')
    await freeze(ada, false, true)
    expect(await outcome(single(ben, ada, 5n))).to.equal('account_frozen')
    expect(await outcome(single(ada, ben, 5n))).to.equal('ok')
    await freeze(ada, false, false)
    expect(await outcome(single(ben, ada, 5n))).to.equal('ok')
  })

  it('is frozen between two payments of a crowd, never within one', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const crowd = times(40, () => outcome(single(ada, ben, 1n)))
    const [, ...outcomes] = await Promise.all([freeze(ada, true, false), ...crowd])
    const paid = outcomes.filter((one) => one === 'ok').length
    expect(outcomes.filter((one) => one === 'account_frozen')).to.have.length(40 - paid)
    const [account] = await findAccounts(books.db, { id: ada })
    expect(account?.posted).to.equal(100n - BigInt(paid))
  })

  it('is closed empty, and for ever', async () => {
    const [ada, ben] = [await funded(10n), await books.account()]
    expect(await refusalOf(close(ada))).to.equal('account_not_empty')
    const hold = unitOf([pending(ada, ben, 10n)])
    await group.submit(hold)
    expect(await refusalOf(close(ada))).to.equal('account_not_empty')
    expect(await refusalOf(close(ben))).to.equal('account_not_empty')
    expect(await outcome(resolution('post', hold.id))).to.equal('ok')
    expect((await close(ada)).closedAt).to.be.instanceOf(Date)
    expect(await outcome(single(ben, ada, 1n))).to.equal('account_closed')
    expect(await refusalOf(close(ada))).to.equal('account_closed')
    expect(await refusalOf(freeze(ada, true, true))).to.equal('account_closed')
    expect(await refusalOf(close('00000000-0000-7000-8000-000000000000'))).to.equal(
      'account_not_found',
    )
  })

  it('is closed or paid, when both are wanted at once', async () => {
    for (const _round of times(10, (n) => n)) {
      const [ada, ben] = [await books.account(), await funded(1n)]
      const [closed, paid] = await Promise.all([
        refusalOf(close(ada)),
        outcome(single(ben, ada, 1n)),
      ])
      expect([
        ['done', 'account_closed'],
        ['account_not_empty', 'ok'],
      ]).to.deep.include([closed, paid])
    }
  })

  it('is found by what it is, how it stands and what is remembered of it', async () => {
    const [ada, ben, tom] = [await funded(100n), await funded(50n), await funded(10n)]
    const mark = { mark: ada.slice(-12), tier: 'gold' }
    for (const id of [ada, ben, tom]) {
      const metadata = id === tom ? { ...mark, tier: 'tin' } : mark
      await books.db.transaction((trx) => setMetadata(trx, id, metadata))
    }
    await outcome(pending(ada, ben, 70n))
    await freeze(ben, true, false)
    const metadata = { mark: mark.mark }
    const found = async (filter: Parameters<typeof findAccounts>[1]) =>
      (await findAccounts(books.db, { metadata, ...filter })).map(({ id }) => id)
    expect(await found({})).to.deep.equal([ada, ben, tom])
    expect(await found({ metadata: mark })).to.deep.equal([ada, ben])
    expect(await found({ state: 'frozen' })).to.deep.equal([ben])
    expect(await found({ state: 'open' })).to.deep.equal([ada, tom])
    expect(await found({ state: 'closed' })).to.deep.equal([])
    expect(await found({ postedAbove: 50n })).to.deep.equal([ada])
    expect(await found({ postedBelow: 51n })).to.deep.equal([ben, tom])
    expect(await found({ availableBelow: 50n, availableAbove: 10n })).to.deep.equal([ada])
    expect(await found({ type: 'merchant' })).to.deep.equal([])
    expect(await found({ currency: 'USD' })).to.deep.equal([])
    const first = await findAccounts(books.db, { metadata }, { limit: 2 })
    const rest = await findAccounts(books.db, { metadata }, { limit: 2, after: first[1]?.id })
    expect([...first, ...rest].map(({ id }) => id)).to.deep.equal([ada, ben, tom])
  })

  it('is shown with what is left of its holds, as of one moment', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const shown = async (id: string) => {
      const found = await findAccountWithHolds(books.db, { id })
      return found?.holds.map(({ hold, side, remaining }) => [hold, side, remaining])
    }
    const units = times(3, (n) => unitOf([pending(ada, ben, 10n * BigInt(n + 1))]))
    for (const unit of units) await group.submit(unit)
    const [first, second, third] = units.map(({ id }) => id) as [string, string, string]
    await outcome({ ...resolution('post', second), amount: 5n })
    await outcome(resolution('void', third))
    for (const [id, side] of [
      [ada, 'debit'],
      [ben, 'credit'],
    ] as const) {
      expect(await shown(id)).to.deep.equal([
        [second, side, 15n],
        [first, side, 10n],
      ])
    }
  })

  it('never shows a balance and holds that do not belong together', async () => {
    const [ada, ben] = [await funded(1_000n), await books.account()]
    let isDone = false
    const busy = Promise.all(
      times(4, async () => {
        for (const _round of times(15, (n) => n)) {
          const unit = unitOf([pending(ada, ben, 7n)])
          await group.submit(unit)
          await outcome(resolution('void', unit.id))
        }
      }),
    ).then(() => (isDone = true))
    let looks = 0
    for (; !isDone || looks === 0; looks += 1) {
      const found = await findAccountWithHolds(books.db, { id: ada })
      const { posted, available } = found?.account ?? { posted: 0n, available: 0n }
      const held = found?.holds.reduce((sum, { remaining }) => sum + remaining, 0n)
      expect(posted - available).to.equal(held)
    }
    await busy
    expect(looks).to.be.greaterThan(3)
  })
})

describe('an operator', () => {
  const accountOf = async (who: Person) => (await call(who, 'GET', '/v1/accounts')).body.data[0]
  const act = (id: string, what: string, body: object, who = OPERATOR) =>
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
    expectProblem(pay, 423, 'account_frozen')
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
    expectProblem(await pay(), 423, 'account_frozen')
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
    const done = await call(OPERATOR, 'POST', '/v1/ledger/bulk', { body: { mode: 'each', units } })
    expect(done.body.results?.[0].state, done.text).to.equal('accepted')
    return done.body.results[0]
  }
})
