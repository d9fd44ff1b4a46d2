/** The books on real Postgres: groups, crowds, claims, and what the database itself refuses. */
import { expect } from 'chai'
import {
  audit,
  balanceAt,
  claimOf,
  createTransfers,
  findAccounts,
  findEntries,
  type Group,
  newId,
  newUnitId,
  type NewTransfer,
} from '../ledger/index.ts'
import { count, openBooks, pending, resolution, single, times, unitOf } from './support/books.ts'
import { world } from './support/world.ts'

describe('the books', () => {
  let books: Awaited<ReturnType<typeof openBooks>>
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
  async function balances(id: string) {
    const [account] = await findAccounts(books.db, { id })
    return [account?.posted, account?.available]
  }

  it('cannot be overdrawn by a crowd', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const outcomes = await Promise.all(times(50, () => outcome(single(ada, ben, 10n))))
    expect(count(outcomes, 'ok')).to.equal(10)
    expect(count(outcomes, 'insufficient_funds')).to.equal(40)
    expect(await balances(ada)).to.deep.equal([0n, 0n])
  })

  it('stay right when several processes post to one hot account', async () => {
    const hot = await books.account('merchant')
    const payers = await Promise.all(times(20, () => funded(1_000n)))
    const groups = times(3, () => books.group({ groupSizeMax: 8 }))
    const payments = times(600, (index) => {
      const unit = unitOf([single(payers[index % 20] as string, hot, 7n)])
      return groups[index % 3]?.submit(unit)
    })
    const back = times(100, (index) =>
      groups[index % 3]?.submit(unitOf([single(hot, payers[index % 20] as string, 1n)])),
    )
    await Promise.all([...payments, ...back])
    const [row] = await findAccounts(books.db, { id: hot })
    expect(row?.lastEntry).to.be.satisfy((last: bigint) => last > 599n)
    expect((await audit(books.db)).violations).to.deep.equal([])
  })

  it('hold money, and give it up once: to the payee or back', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const unit = unitOf([pending(ada, ben, 60n)])
    expect((await group.submit(unit)).answer).to.equal('ok')
    expect(await balances(ada)).to.deep.equal([100n, 40n])
    expect(await outcome(single(ada, ben, 41n))).to.equal('insufficient_funds')
    const outcomes = await Promise.all(
      times(10, (index) => outcome(resolution(index % 2 === 0 ? 'post' : 'void', unit.id))),
    )
    expect(count(outcomes, 'ok')).to.equal(1)
    expect(count(outcomes, 'hold_resolved')).to.equal(9)
    const [posted, available] = await balances(ada)
    expect([40n, 100n]).to.include(posted)
    expect(available).to.equal(posted)
  })

  it('answer a claim once, and the same ever after, also within one group', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const claim = claimOf('ada', 'pay', newId(), 'ten to ben')
    const submit = () => group.submit(unitOf([single(ada, ben, 10n)], { claim }))
    const answers = await Promise.all(times(20, submit))
    expect(answers.filter((answer) => !answer.replayed)).to.have.length(1)
    expect((await submit()).replayed).to.equal(true)
    expect(await balances(ben)).to.deep.equal([10n, 10n])
    expect((await group.recall(claim))?.answer).to.equal('ok')
  })

  it('answer a claim once when two processes race for it', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const groups = times(4, () => books.group())
    for (const _round of times(10, (index) => index)) {
      const claim = claimOf('ada', 'pay', newId(), 'one to ben')
      const answers = await Promise.all(
        groups.map((one) => one.submit(unitOf([single(ada, ben, 1n)], { claim }))),
      )
      expect(answers.filter((answer) => !answer.replayed)).to.have.length(1)
    }
    expect(await balances(ben)).to.deep.equal([10n, 10n])
  })

  it('refuse a claim for something else, and keep the answer of a refusal', async () => {
    const [ada, ben] = [await books.account(), await books.account()]
    const key = newId()
    const claim = claimOf('ada', 'pay', key, 'ten')
    const unit = () => unitOf([single(ada, ben, 10n)], { claim })
    expect((await group.submit(unit())).answer).to.equal('insufficient_funds')
    const bank = await books.account('bank')
    expect(await outcome(single(bank, ada, 100n))).to.equal('ok')
    expect(await group.submit(unit())).to.deep.equal({
      answer: 'insufficient_funds',
      replayed: true,
    })
    const other = unitOf([], { claim: claimOf('ada', 'pay', key, 'eleven') })
    expect(await refusalOf(group.submit(other))).to.equal('idempotency_key_reused')
  })

  it('let only the offender see its error when a companion row breaks a constraint', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const person_id = newId()
    const { owner } = await world()
    await owner('people').insert({ id: person_id, issuer: 'x', subject: person_id })
    const alias = `a${person_id.slice(-8)}`
    const unit = () => ({
      ...unitOf([single(ada, ben, 1n)]),
      conclude: (verdict: { accepted: boolean; code?: string }) => ({
        answer: verdict.accepted ? 'ok' : (verdict.code ?? ''),
        ...(verdict.accepted && { rows: { aliases: [{ alias, person_id }] } }),
      }),
    })
    const outcomes = await Promise.all([
      ...times(3, () => group.submit(unit()).then(({ answer }) => answer, refusalCode)),
      ...times(5, () => outcome(single(ada, ben, 1n))),
    ])
    expect(count(outcomes, 'ok')).to.equal(6)
    expect(count(outcomes, 'alias_taken')).to.equal(2)
    expect(await balances(ben)).to.deep.equal([6n, 6n])
  })

  it('turn callers away when too many wait, rather than remember them all', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const small = books.group({ queueLengthMax: 5 })
    const outcomes = await Promise.all(
      times(20, () => small.submit(unitOf([single(ada, ben, 1n)])).then(() => 'ok', refusalCode)),
    )
    expect(count(outcomes, 'ok')).to.equal(5)
    expect(count(outcomes, 'ledger_saturated')).to.equal(15)
  })

  it('move money in the caller’s transaction, and not at all when that rolls back', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const unit = { id: newUnitId(), at: new Date(), transfers: [single(ada, ben, 30n)] }
    const failing = books.db.transaction(async (trx) => {
      await createTransfers(trx, unit)
      throw new Error('changed our mind')
    })
    expect(await failing.catch((error: Error) => error.message)).to.equal('changed our mind')
    expect(await balances(ada)).to.deep.equal([100n, 100n])
    await books.db.transaction(async (trx) => {
      const tooMuch = { ...unit, id: newUnitId(), transfers: [single(ada, ben, 101n)] }
      expect(await refusalOf(createTransfers(trx, tooMuch))).to.equal('insufficient_funds')
      await createTransfers(trx, unit)
    })
    expect(await balances(ada)).to.deep.equal([70n, 70n])
  })

  it('tell an account’s story, newest first, and its balance at any moment', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const before = new Date()
    await new Promise((resolve) => setTimeout(resolve, 5))
    for (const amount of [10n, 20n, 30n]) await outcome(single(ada, ben, amount))
    const entries = await findEntries(books.db, ada, { limit: 2 })
    const told = entries.map(({ entry, side, amount, balance }) => [entry, side, amount, balance])
    expect(told).to.deep.equal([
      [4n, 'debit', 30n, 40n],
      [3n, 'debit', 20n, 70n],
    ])
    const older = await findEntries(books.db, ada, { limit: 9, beyond: 3n })
    expect(older.map(({ entry }) => entry)).to.deep.equal([2n, 1n])
    expect(await balanceAt(books.db, ada, { recordedAt: before })).to.equal(100n)
    expect(await balanceAt(books.db, ada, {})).to.equal(40n)
  })
})

const refusalCode = (error: { code?: string }) => error.code
const refusalOf = (work: Promise<unknown>) => work.then(() => 'accepted', refusalCode)
