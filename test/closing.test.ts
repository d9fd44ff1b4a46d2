/** An account to which something may still have to come back is not closed. */
import { expect } from 'chai'
import { merchantAccountOf } from '../services/books/chart.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, quiet, until } from './support/abuse.ts'
import { call } from './support/api.ts'
import { decided, givenUp, waiting } from './support/desk.ts'
import { decide, dispute } from './support/disputes.ts'
import {
  linkedAccount,
  merchant,
  type Merchant,
  merchantBalance,
  OPERATOR,
  payment,
  person,
  walletBalance,
} from './support/people.ts'
import { paid, refund, sale } from './support/refunds.ts'
import { FREE, releaseIn, reserveRule, rolling } from './support/reserves.ts'
import { world } from './support/world.ts'

/** Pays out all that the shop may have. */
async function payOut(shop: Merchant, bank: string) {
  await linkedAccount(shop, bank)
  const made = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
  expect(made.status, made.text).to.equal(202)
  return made.body
}

const accountOf = async ({ id }: Merchant) =>
  merchantAccountOf((await world()).worker, uuidOf(id), 'EUR')

async function close(shop: Merchant) {
  const path = `/v1/ledger/accounts/${publicId('acc', await accountOf(shop))}/close`
  return call(OPERATOR, 'POST', path, { body: { reason: 'It has left' } })
}

async function expectOwed(shop: Merchant): Promise<void> {
  expect(await merchantBalance(shop)).to.equal(0n)
  expectProblem(await close(shop), 409, 'account_not_empty')
}

describe('an account of a merchant that leaves', () => {
  before(quiet)

  it('waits for what is kept back from it', async () => {
    const [ada, shop] = await Promise.all([person(10_000n), merchant(FREE)])
    await reserveRule(shop, rolling('10', 30))
    await paid(ada, shop, '10000')
    expect((await payOut(shop, 'north')).payout).to.equal('9000')
    await quiet()
    await expectOwed(shop)
    await releaseIn(31)
    expect(await merchantBalance(shop)).to.equal(1_000n)
  })

  it('waits for the decision about a dispute', async () => {
    const { payer, shop, id } = await sale('6000', FREE)
    const opened = await dispute(payer, id)
    expect(opened.status, opened.text).to.equal(201)
    await expectOwed(shop)
    expect((await decide(opened.body.id, 'won')).status).to.equal(200)
    expect(await merchantBalance(shop)).to.equal(6_000n)
    expect((await refund(shop, id)).status).to.equal(201)
    expect((await close(shop)).body.state).to.equal('closed')
  })

  it('waits for a payout that its bank may reject', async () => {
    const { shop } = await sale('6090', FREE)
    // By its last digits the bank takes it, and says no more.
    const { id: batch } = await payOut(shop, 'east')
    await expectOwed(shop)
    const { id } = await givenUp(uuidOf(batch))
    await expectOwed(shop)
    expect((await decided(publicId('ins', id), 'rejected')).status).to.equal(200)
    await until(async () => (await merchantBalance(shop)) === 6_090n)
  })

  it('is not closed by who waited for a dispute that was being opened', async () => {
    const { owner } = await world()
    const { payer, shop, id } = await sale('6000', FREE)
    const account = await accountOf(shop)
    const waiters = async () => {
      const { rows } = await owner.raw(`SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()`)
      return rows[0].n
    }
    const asked = await owner.transaction(async (trx) => {
      await trx('accounts').where({ id: account }).forUpdate().first()
      const opened = dispute(payer, id)
      await until(async () => (await waiters()) === 1)
      const closed = close(shop)
      await until(async () => (await waiters()) === 2)
      return { opened, closed }
    })
    expect((await asked.opened).status).to.equal(201)
    expectProblem(await asked.closed, 409, 'account_not_empty')
  })
})

describe('a wallet', () => {
  it('is not closed before a bank has said what became of a withdrawal', async () => {
    const { ada, id } = await waiting()
    const ben = await person()
    const amount = `${await walletBalance(ada)}`
    const given = await call(ada, 'POST', '/v1/payments', { body: payment(ben, amount) })
    expect(given.status, given.text).to.equal(201)
    const wallet = (await call(ada, 'GET', '/v1/accounts')).body.data[0].id
    const path = `/v1/ledger/accounts/${wallet}/close`
    const closed = await call(OPERATOR, 'POST', path, { body: { reason: 'A test' } })
    expectProblem(closed, 409, 'account_not_empty')
    expect((await decided(id, 'rejected')).status).to.equal(200)
    await until(async () => (await walletBalance(ada)) === 1_090n)
  })
})
