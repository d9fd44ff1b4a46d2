/** Several processes at the same books at once: what only one may do, and what must never jam. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import {
  answerOnce,
  claimOf,
  createTransfers,
  findAccounts,
  type Group,
  newId,
  newUnitId,
} from '../ledger/index.ts'
import {
  AT,
  count,
  openBooks,
  pending,
  resolution,
  single,
  times,
  unitOf,
} from './support/books.ts'
import { world } from './support/world.ts'

describe('two processes', () => {
  let books: Awaited<ReturnType<typeof openBooks>>
  /** Each has a pool of its own, as another process would. */
  let groups: readonly Group[]
  let bank: string
  before(async () => {
    books = await openBooks()
    groups = times(2, () => books.group({ groupSizeMax: 8 }))
    bank = await books.account('bank')
  })
  after(() => books.close())

  const submit = async (n: number, unit: ReturnType<typeof unitOf>) =>
    (await groups[n % groups.length]?.submit(unit))?.answer
  async function funded(amount: bigint): Promise<string> {
    const wallet = await books.account()
    expect(await submit(0, unitOf([single(bank, wallet, amount)]))).to.equal('ok')
    return wallet
  }
  const totals = async (id: string) => (await findAccounts(books.db, { id }))[0]
  async function held(amount: bigint) {
    const [ada, ben] = [await funded(100n), await books.account()]
    const unit = unitOf([pending(ada, ben, amount)])
    expect(await submit(0, unit)).to.equal('ok')
    return { ada, ben, hold: unit.id }
  }

  it('that complete and release one hold at once: one of them does', async () => {
    for (const _round of times(10, (n) => n)) {
      const { ada, hold } = await held(60n)
      const outcomes = await Promise.all(
        times(6, (n) => submit(n, unitOf([resolution(n % 3 === 0 ? 'void' : 'post', hold)]))),
      )
      expect(count(outcomes, 'ok')).to.equal(1)
      expect(count(outcomes, 'hold_resolved')).to.equal(5)
      expect((await totals(ada))?.lastEntry).to.equal(3n)
    }
  })

  it('keep nobody waiting who needs none of the accounts that are locked (abuse 46)', async () => {
    const [ada, ben] = [await funded(100n), await funded(100n)]
    const group = groups[0] ?? expect.fail()
    const [order, shop]: [string[], string] = [[], await books.account()]
    const pay = async (name: string, from: string) => {
      await group.submit(unitOf([single(from, shop, 1n)]))
      order.push(name)
    }
    let late: Promise<void> | undefined
    await books.db.transaction(async (trx) => {
      await trx('accounts').where({ id: ada }).forNoKeyUpdate().first()
      late = pay('ada', ada)
      await new Promise((on) => setTimeout(on, 10))
      const other = await books.account()
      await group.submit(unitOf([single(ben, other, 1n)]))
      order.push('ben')
    })
    await late
    expect(order).to.deep.equal(['ben', 'ada'])
  })

  it('that are asked the same at once: one of them does it, and both answer it', async () => {
    for (const _round of times(10, (n) => n)) {
      const [ada, ben] = [await funded(100n), await books.account()]
      const claim = claimOf('test', 'races', newId(), 'the same')
      const asked = () => ({ ...unitOf([single(ada, ben, 10n)]), claim })
      const outcomes = await Promise.all(times(4, (n) => submit(n, asked())))
      expect(count(outcomes, 'ok')).to.equal(4)
      expect((await totals(ben))?.lastEntry).to.equal(1n)
    }
  })

  it('that reverse one unit at once: one of them does', async () => {
    for (const _round of times(10, (n) => n)) {
      const [ada, ben] = [await funded(100n), await books.account()]
      const unit = unitOf([single(ada, ben, 10n)])
      await submit(0, unit)
      const reversal = { kind: 'reversal' as const, original: unit.id }
      const outcomes = await Promise.all(
        times(6, (n) => submit(n, unitOf([{ ...reversal, ...AT() }]))),
      )
      expect(count(outcomes, 'ok')).to.equal(1)
      expect(count(outcomes, 'already_reversed')).to.equal(5)
      expect((await totals(ben))?.posted).to.equal(0n)
    }
  })

  it('and a crowd that captures a hold in parts never take more than was held', async () => {
    const { ada, ben, hold } = await held(50n)
    const outcomes = await Promise.all(
      times(40, (n) => submit(n, unitOf([{ ...resolution('post', hold), amount: 3n }]))),
    )
    expect(count(outcomes, 'ok')).to.equal(16)
    expect(count(outcomes, 'amount_exceeds_hold')).to.equal(24)
    expect((await totals(ben))?.posted).to.equal(48n)
    expect((await totals(ada))?.available).to.equal(50n)
  })

  it('and a worker post to one hot account, and nobody deadlocks (abuse 47)', async () => {
    const { owner } = await world()
    const deadlocks = async () => {
      const found = await owner('pg_stat_database').where({
        datname: owner.raw('current_database()'),
      })
      return found[0].deadlocks
    }
    const before = await deadlocks()
    const hot = await books.account('merchant')
    const payers = await Promise.all(times(12, () => funded(1_000n)))
    const payer = (n: number) => payers[n % payers.length] as string
    const submitted = times(400, (n) => {
      const there = single(payer(n), hot, 5n)
      return submit(n, unitOf([there, single(hot, payer(n * 7 + 3), 1n)]))
    })
    const worked = times(3, async (worker) => {
      for (const n of times(40, (index) => index * 3 + worker)) {
        const transfers = [single(payer(n * 5), hot, 2n), single(payer(n + 1), payer(n + 2), 1n)]
        const unit = { id: newUnitId(), at: new Date(), transfers }
        await books.db.transaction((trx) => createTransfers(trx, unit))
      }
    })
    const outcomes = await Promise.all(submitted)
    await Promise.all(worked)
    expect(count(outcomes, 'ok')).to.equal(400)
    const account = await totals(hot)
    expect([account?.posted, account?.lastEntry]).to.deep.equal([1_600n + 240n, 920n])
    // A session says what it has counted once a second at most.
    await sleep(1_100)
    expect(await deadlocks()).to.equal(before)
  })

  it('are refused a reversal that cannot be, and nothing has changed', async () => {
    const { owner } = await world()
    const [ada, ben, cleo] = [await funded(100n), await books.account(), await books.account()]
    const unit = unitOf([single(ada, ben, 40n)])
    await submit(0, unit)
    await submit(0, unitOf([single(ben, cleo, 30n)]))
    const state = async () => ({
      accounts: await owner('accounts').whereIn('id', [ada, ben, cleo]).orderBy('id'),
      rows: await owner('transfers').count(),
    })
    const before = await state()
    const reversal = (original: string) => unitOf([{ kind: 'reversal', original, ...AT() }])
    expect(await submit(0, reversal(unit.id))).to.equal('insufficient_funds')
    expect(await submit(1, reversal(newUnitId()))).to.equal('original_not_found')
    expect(await state()).to.deep.equal(before)
  })

  it('try again after a lost race, five times, and after nothing else', async () => {
    /** How often it is done when Postgres says this of it. */
    const attempts = async (sqlState: string) => {
      let done = 0
      const claim = claimOf('test', 'races', newId(), sqlState)
      const failing = answerOnce(books.db, claim, async (trx) => {
        done += 1
        await trx.raw(`DO $$ BEGIN RAISE 'no' USING ERRCODE = '${sqlState}'; END $$`)
        return 'never'
      })
      expect(await failing.catch((error: unknown) => (error as { code: string }).code)).to.equal(
        sqlState,
      )
      return done
    }
    for (const lost of ['40001', '40P01']) expect(await attempts(lost), lost).to.equal(5)
    for (const other of ['22012', '23514', '55P03', '57014', 'XX000', '08006']) {
      expect(await attempts(other), other).to.equal(1)
    }
  })
})
