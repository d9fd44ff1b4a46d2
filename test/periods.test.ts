/** Closed periods: what is in one stays, and what is late is booked after it. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { balanceAt, closePeriod, type Group, type NewTransfer } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import { expectProblem } from './support/abuse.ts'
import { call } from './support/api.ts'
import {
  openBooks,
  pending,
  refusalOf,
  resolution,
  single,
  times,
  unitOf,
} from './support/books.ts'
import { OPERATOR, payment, person } from './support/people.ts'
import { world } from './support/world.ts'

type Books = Awaited<ReturnType<typeof openBooks>>

const DAY_MS = 86_400_000
const ago = (ms: number) => new Date(Date.now() - ms)

describe('a period', () => {
  let books: Books
  let group: Group
  let bank: string
  before(async () => {
    books = await openBooks()
    group = books.group()
    bank = await books.account('bank')
  })
  after(() => books.close())

  const outcome = async (...transfers: NewTransfer[]) =>
    (await group.submit(unitOf(transfers))).answer
  async function oldWallet(): Promise<string> {
    const { owner } = await world()
    const id = await books.account()
    await owner('accounts')
      .where({ id })
      .update({ opened_at: ago(100 * DAY_MS) })
    return id
  }
  const close = (id: string, through: Date) =>
    books.db.transaction((trx) => closePeriod(trx, id, through, new Date()))
  const credit = (wallet: string, amount: bigint, effectiveAt?: Date) =>
    outcome({ ...single(bank, wallet, amount), ...(effectiveAt && { effectiveAt }) })
  const lastRow = async (wallet: string) => {
    const { owner } = await world()
    return owner('entries').where({ account_id: wallet }).orderBy('entry', 'desc').first()
  }

  it('keeps its balance, whatever becomes known of it later', async () => {
    const wallet = await oldWallet()
    expect(await credit(wallet, 100n, ago(30 * DAY_MS))).to.equal('ok')
    expect(await credit(wallet, 10n)).to.equal('ok')
    const through = ago(20 * DAY_MS)
    expect((await close(wallet, through)).balance).to.equal(100n)
    const happened = ago(25 * DAY_MS)
    expect(await credit(wallet, 5n, happened)).to.equal('ok')
    const late = await lastRow(wallet)
    expect(late.effective_at).to.deep.equal(happened)
    expect(late.booked_at).to.deep.equal(new Date(through.getTime() + 1))
    const at = (moment: object) => balanceAt(books.db, wallet, moment)
    expect(await at({ bookedAt: through })).to.equal(100n)
    expect(await at({ effectiveAt: through })).to.equal(105n)
    expect(await at({ bookedAt: new Date(through.getTime() + 1) })).to.equal(105n)
    expect((await close(wallet, ago(10 * DAY_MS))).balance).to.equal(105n)
  })

  it('is late on either side: the later of both accounts decides', async () => {
    const [ada, ben] = [await oldWallet(), await oldWallet()]
    await credit(ada, 100n, ago(50 * DAY_MS))
    const [early, later] = [ago(30 * DAY_MS), ago(20 * DAY_MS)]
    await close(ada, early)
    await close(ben, later)
    const paid = { ...single(ada, ben, 1n), effectiveAt: ago(40 * DAY_MS) }
    expect(await outcome(paid)).to.equal('ok')
    const expected = new Date(later.getTime() + 1)
    expect((await lastRow(ada)).booked_at).to.deep.equal(expected)
    expect((await lastRow(ben)).booked_at).to.deep.equal(expected)
    const between = { ...single(ada, ben, 1n), effectiveAt: ago(10 * DAY_MS) }
    await outcome(between)
    expect((await lastRow(ada)).booked_at).to.deep.equal(between.effectiveAt)
  })

  it('is closed after the one before, when it is over, of an account that was open', async () => {
    const wallet = await oldWallet()
    const through = ago(10 * DAY_MS)
    await close(wallet, through)
    expect(await refusalOf(close(wallet, through))).to.equal('period_closed')
    expect(await refusalOf(close(wallet, ago(11 * DAY_MS)))).to.equal('period_closed')
    expect(await refusalOf(close(wallet, ago(-DAY_MS)))).to.equal('moment_not_answerable')
    expect(await refusalOf(close(wallet, ago(-50)))).to.equal('moment_not_answerable')
    const young = await books.account()
    expect(await refusalOf(close(young, ago(DAY_MS)))).to.equal('moment_not_answerable')
  })

  it('does not lose a hold: it is booked when it is posted', async () => {
    const [wallet, other] = [await oldWallet(), await oldWallet()]
    await credit(wallet, 100n, ago(30 * DAY_MS))
    const unit = unitOf([{ ...pending(wallet, other, 40n), effectiveAt: ago(30 * DAY_MS) }])
    await group.submit(unit)
    expect((await close(wallet, ago(20 * DAY_MS))).balance).to.equal(100n)
    expect(await outcome(resolution('post', unit.id))).to.equal('ok')
    expect(await balanceAt(books.db, wallet, { bookedAt: ago(20 * DAY_MS) })).to.equal(100n)
    expect(await balanceAt(books.db, wallet, {})).to.equal(60n)
  })

  it('that is closed while a crowd pays has every payment in it, or after it', async () => {
    const wallet = await oldWallet()
    const closes: { through: Date; balance: bigint }[] = []
    const crowd = times(8, async () => {
      for (const n of times(20, (each) => each)) {
        const isLate = n % 3 === 0
        expect(await credit(wallet, 1n, isLate ? ago(20) : undefined)).to.equal('ok')
      }
    })
    const closing = (async () => {
      for (const _round of times(15, (n) => n)) {
        await pause(8)
        closes.push(await close(wallet, ago(2)))
      }
    })()
    await Promise.all([...crowd, closing])
    for (const { through, balance } of closes) {
      expect(await balanceAt(books.db, wallet, { bookedAt: through })).to.equal(balance)
    }
    expect(await balanceAt(books.db, wallet, {})).to.equal(160n)
    expect(closes.at(-1)?.balance).to.be.satisfy((balance: bigint) => balance > 0n)
  })

  it('is closed by an operator, once, with an event', async () => {
    const { owner } = await world()
    const [ada, ben] = [await person(10_000n), await person()]
    const { body } = await call(ada, 'GET', '/v1/accounts')
    const { id } = body.data[0]
    await pause(10)
    const through = ago(3).toISOString()
    const path = `/v1/ledger/accounts/${id}/periods`
    const asked = { body: { through, reason: 'month end' } }
    const closed = await call(OPERATOR, 'POST', path, asked)
    expect(closed.status, closed.text).to.equal(201)
    expect(closed.body.balance).to.deep.equal({ amount: '10000', currency: 'EUR' })
    expect(closed.body.through).to.equal(through)
    const event = await owner('events').where({ object_id: id }).first()
    expect(event.type).to.equal('account.period_closed')
    expect(event.data.reason).to.equal('month end')
    expectProblem(await call(OPERATOR, 'POST', path, asked), 409, 'period_closed')
    const future = { body: { through: ago(-DAY_MS).toISOString(), reason: 'hurry' } }
    expectProblem(await call(OPERATOR, 'POST', path, future), 422, 'moment_not_answerable')
    const paid = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    expect(paid.status, paid.text).to.equal(201)
    const at = await call(ada, 'GET', `/v1/accounts/${id}?booked_at=${through}`)
    expect(at.body.posted_at.amount).to.equal('10000')
    const row = await owner('closed_periods').where({ account_id: uuidOf(id) })
    expect(row).to.have.length(1)
  })
})
