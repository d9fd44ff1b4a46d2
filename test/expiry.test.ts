/** Holds that run out, whoever made them; and one claim's work in a transaction of its own. */
import { expect } from 'chai'
import type { Knex } from 'knex'
import {
  answerOnce,
  claimOf,
  createTransfers,
  findAccounts,
  isUnavailable,
  newId,
  newUnitId,
} from '../ledger/index.ts'
import { quiet } from './support/abuse.ts'
import { newKey, call } from './support/api.ts'
import { openBooks, pending, single, times, unitOf } from './support/books.ts'
import { authorize, balances, expireAll, manualOrder, payOrder } from './support/held.ts'
import { ended, linkedAccount, merchant, person } from './support/people.ts'
import { world } from './support/world.ts'

describe('a hold that runs out', () => {
  let books: Awaited<ReturnType<typeof openBooks>>
  before(async () => {
    books = await openBooks()
  })
  after(() => books.close())

  it('is released, though no payment made it', async () => {
    const [bank, ada, ben] = [await books.account('bank'), ...(await accounts(2))]
    const group = books.group()
    const hold = { ...pending(ada, ben, 600n), expiresAt: new Date(Date.now() + 1_000) }
    await group.submit(unitOf([single(bank, ada, 1_000n), hold]))
    expect(await available(ada)).to.equal(400n)
    await expireAll()
    expect(await available(ada)).to.equal(400n)
    await expireAll(2)
    expect(await available(ada)).to.equal(1_000n)
  })
  const accounts = async (count: number) =>
    (await Promise.all(times(count, () => books.account()))) as [string, string]
  const available = async (id: string) => (await findAccounts(books.db, { id }))[0]?.available

  it('is released in its turn, though one before it cannot be', async () => {
    const { owner } = await world()
    const [ada, shop] = await Promise.all([person(6_000n), merchant()])
    const broken = { hold_id: newUnitId(), reference: newId(), expires_at: new Date(0) }
    await owner('hold_expiries').insert(broken)
    await authorize(ada, shop, '6000', { capture_within_s: 1 })
    await expireAll(2)
    expect(await balances(ada)).to.deep.equal({ posted: '6000', available: '6000' })
    const { hold_id } = broken
    const { expires_at } = await owner('hold_expiries').where({ hold_id }).first()
    expect(expires_at.getTime()).to.be.greaterThan(Date.now() + 50_000)
    await owner('hold_expiries').where({ hold_id }).delete()
  })

  it('leaves in the wallet what a bank paid for it', async () => {
    const [ada, shop] = await Promise.all([person(), merchant()])
    const id = await manualOrder(shop, '6000', { capture_within_s: 60 })
    const asked = await payOrder(ada, id, '6000', { source: await linkedAccount(ada) })
    await ended(ada, `/v1/payments/${asked.body.id}`)
    expect(await balances(ada)).to.deep.equal({ posted: '6000', available: '0' })
    await expireAll(120)
    const { body } = await call(ada, 'GET', `/v1/payments/${asked.body.id}`)
    expect(body.state).to.equal('expired')
    expect(await balances(ada)).to.deep.equal({ posted: '6000', available: '6000' })
    expect((await call(shop, 'GET', `/v1/orders/${id}`)).body.state).to.equal('open')
    await quiet()
  })
})

describe('work that is answered once', () => {
  let books: Awaited<ReturnType<typeof openBooks>>
  before(async () => {
    books = await openBooks()
  })
  after(() => books.close())

  const claim = () => claimOf('test', 'once', newKey(), 'this')
  async function stage() {
    const [bank, ada] = await Promise.all([books.account('bank'), books.account()])
    const move = (trx: Knex.Transaction) =>
      createTransfers(trx, {
        ...{ id: newUnitId(), at: new Date(), transfers: [single(bank, ada, 10n)] },
      })
    const posted = async () => (await findAccounts(books.db, { id: ada }))[0]?.posted
    return { move, posted }
  }

  it('is done by one of many, and all get its answer', async () => {
    const { move, posted } = await stage()
    const asked = claim()
    const outcomes = await Promise.all(
      times(12, (index) =>
        answerOnce(books.db, asked, async (trx) => {
          await move(trx)
          return `by ${index}`
        }),
      ),
    )
    expect(new Set(outcomes.map(({ answer }) => answer)).size).to.equal(1)
    expect(outcomes.filter(({ replayed }) => !replayed)).to.have.length(1)
    expect(await posted()).to.equal(10n)
    const other = claimOf('test', 'once', newKey(), 'that')
    const work = () => answerOnce(books.db, { ...other, id: asked.id }, async () => 'never')
    expect(await work().catch((error: { code: string }) => error.code)).to.equal(
      'idempotency_key_reused',
    )
  })

  it('leaves nothing when it throws or its connection dies, and may be done again', async () => {
    const { move, posted } = await stage()
    const { owner } = await world()
    const asked = claim()
    const thrown = await answerOnce(books.db, asked, async (trx) => {
      await move(trx)
      throw new Error('on purpose')
    }).catch((error: Error) => error.message)
    expect(thrown).to.equal('on purpose')
    const died = await answerOnce(books.db, asked, async (trx) => {
      await move(trx)
      const { rows } = await trx.raw('SELECT pg_backend_pid() AS pid')
      await owner.raw('SELECT pg_terminate_backend(?)', [rows[0].pid])
      return 'dead'
    }).catch(isUnavailable)
    expect(died).to.equal(true)
    expect(await posted()).to.equal(0n)
    const { answer } = await answerOnce(books.db, asked, async (trx) => {
      await move(trx)
      return 'done'
    })
    expect([answer, await posted()]).to.deep.equal(['done', 10n])
  })
})
