/** Accounts frozen, closed, described and found, in the books. */
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
import {
  openBooks,
  pending,
  refusalOf,
  resolution,
  single,
  times,
  unitOf,
} from './support/books.ts'

type Books = Awaited<ReturnType<typeof openBooks>>

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
    const watch = { isDone: false }
    const busy = Promise.all(
      times(4, async () => {
        for (const _round of times(15, (n) => n)) {
          const unit = unitOf([pending(ada, ben, 7n)])
          await group.submit(unit)
          await outcome(resolution('void', unit.id))
        }
      }),
    ).then(() => (watch.isDone = true))
    let looks = 0
    for (; !watch.isDone || looks === 0; looks += 1) {
      const found = await findAccountWithHolds(books.db, { id: ada })
      const { posted, available } = found?.account ?? { posted: 0n, available: 0n }
      const held = found?.holds.reduce((sum, { remaining }) => sum + remaining, 0n)
      expect(posted - available).to.equal(held)
    }
    await busy
    expect(looks).to.be.greaterThan(3)
  })
})
