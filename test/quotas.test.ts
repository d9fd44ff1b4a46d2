/** What units use up, in the ledger: against an independent model, and by a crowd. */
import { expect } from 'chai'
import fc from 'fast-check'
import {
  type AccountId,
  type Calendar,
  createTransfers,
  findQuotas,
  type Group,
  newId,
  returnUses,
  type Use,
} from '../ledger/index.ts'
import { type ModelUse, openLimits } from './model/limits.ts'
import { count, openBooks, single, times, unitOf } from './support/books.ts'

const calendarOf = ([day, week, month]: ModelUse['at']): Calendar => ({ day, week, month })

const ceilingOf = ([amount, most]: readonly [bigint | null, bigint | null]) => ({
  ...(amount !== null && { amount }),
  ...(most !== null && { count: most }),
})

const useOf = ({ quota, amount, at, most }: ModelUse): Use => {
  const [once, day, week, month] = most.map(ceilingOf)
  const ceilings = { once: once!, day: day!, week: week!, month: month! }
  return { quota, amount, at: calendarOf(at), ceilings, code: 'limit_exceeded' }
}

const simple = (quota: string, amount: bigint, most: bigint, code: Use['code']): Use => ({
  ...{ quota, amount, code, ceilings: { day: { amount: most } } },
  at: { day: 1n, week: 1n, month: 1n },
})

/** A wish names its quota by number, and its day counted from the first one. */
const ceiling = fc.tuple(
  fc.option(fc.bigInt({ min: 0n, max: 200n }), { nil: null, freq: 2 }),
  fc.option(fc.bigInt({ min: 0n, max: 9n }), { nil: null, freq: 2 }),
)
const wish = fc.record({
  quota: fc.nat({ max: 2 }),
  amount: fc.bigInt({ min: 0n, max: 25n }),
  day: fc.bigInt({ min: 1n, max: 40n }),
  most: fc.tuple(ceiling, ceiling, ceiling, ceiling),
})
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ uses: fc.array(wish, { minLength: 1, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ giveBack: fc.nat(), isAll: fc.boolean() }) },
)

const at = (day: bigint): ModelUse['at'] => [day, day / 7n, day / 30n]

describe('quotas', () => {
  let books: Awaited<ReturnType<typeof openBooks>>
  let group: Group
  let from: AccountId
  let to: AccountId

  before(async () => {
    books = await openBooks()
    group = books.group()
    from = await books.account('suspense')
    to = await books.account()
  })
  after(() => books.close())

  const newQuota = () => newId()

  it('are used up as the model says, whatever is asked and given back', async () => {
    const seed = Number(process.env['SEED'] ?? Math.floor(performance.now() * 1000))
    const verdicts: boolean[] = []
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const quotas = times(3, newQuota)
        const model = openLimits()
        const done: ModelUse[] = []
        for (const one of steps) {
          if ('giveBack' in one) {
            const use = done.splice(one.giveBack % Math.max(done.length, 1), 1)[0]
            if (use === undefined) continue
            const part = one.isAll ? use.amount : use.amount / 2n
            const returned = { quota: use.quota, amount: part, at: calendarOf(use.at) }
            await books.db.transaction((trx) =>
              returnUses(trx, [{ ...returned, count: one.isAll ? 1n : 0n }]),
            )
            model.giveBack(use.quota, part, one.isAll ? 1n : 0n, use.at)
            continue
          }
          const uses = one.uses.map(({ quota, amount, day, most }) => ({
            ...{ quota: quotas[quota]!, amount, most, at: at(day) },
          }))
          const unit = unitOf([single(from, to, 1n)], { uses: uses.map(useOf) })
          const { answer } = await group.submit(unit)
          const isAccepted = model.use(uses)
          expect(answer).to.equal(isAccepted ? 'ok' : 'limit_exceeded')
          verdicts.push(isAccepted)
          // What was counted under an earlier clock is not given back by its own periods.
          if (isAccepted) done.push(...uses.filter((use) => isNewest(model, use)))
        }
        const found = await findQuotas(books.db, quotas)
        for (const id of quotas) {
          const quota = found.get(id)
          for (const [period, name] of (['day', 'week', 'month'] as const).entries()) {
            const { number, ...sums } = model.usedUp(id, period)
            const used = quota?.[name] ?? { period: 0n, amount: 0n, count: 0n }
            expect(used).to.deep.equal({ period: number, ...sums })
          }
        }
      }),
      { seed, numRuns: Number(process.env['RUNS'] ?? 200) > 1_000 ? 1_000 : 60 },
    )
    process.stdout.write(
      `      SEED=${seed}, ${verdicts.length} units: ${count(verdicts, true)} accepted\n`,
    )
    expect(count(verdicts, true)).to.be.within(1, verdicts.length - 1)
  })

  const isNewest = (model: ReturnType<typeof openLimits>, { quota, at: periods }: ModelUse) =>
    periods.every((number, period) => model.usedUp(quota, period).number === number)

  it('let a crowd of two groups use up no more than there is', async () => {
    const [quota, other] = [newQuota(), books.group()]
    const unit = () =>
      unitOf([single(from, to, 10n)], { uses: [simple(quota, 10n, 105n, 'limit_exceeded')] })
    const outcomes = await Promise.all(
      times(60, (index) => (index % 2 === 0 ? group : other).submit(unit())),
    )
    const answers = outcomes.map(({ answer }) => answer)
    expect(count(answers, 'ok')).to.equal(10)
    expect(count(answers, 'limit_exceeded')).to.equal(50)
    expect((await findQuotas(books.db, [quota])).get(quota)?.day.amount).to.equal(100n)
  })

  it('are not used up by a unit that is refused, before or behind it in the group', async () => {
    const [quota, poor] = [newQuota(), await books.account()]
    const uses = [simple(quota, 60n, 100n, 'limit_exceeded')]
    const submit = (debit: AccountId) => group.submit(unitOf([single(debit, to, 60n)], { uses }))
    const outcomes = await Promise.all([submit(poor), submit(from), submit(poor), submit(from)])
    expect(outcomes.map(({ answer }) => answer)).to.deep.equal([
      ...['insufficient_funds', 'ok', 'limit_exceeded', 'limit_exceeded'],
    ])
  })

  it('are not used up by a unit that breaks a constraint of its own rows', async () => {
    const [quota, person] = [newQuota(), newId()]
    await books.db('people').insert({ id: person, issuer: 'x', subject: person })
    const row = { alias: `q${person.slice(-12)}`, person_id: person, merchant_id: null }
    const unit = () =>
      unitOf([single(from, to, 10n)], {
        uses: [simple(quota, 10n, 100n, 'limit_exceeded')],
        conclude: (verdict) => ({
          answer: verdict.accepted ? 'ok' : verdict.code,
          ...(verdict.accepted && { rows: { aliases: [row] } }),
        }),
      })
    const outcomes = await Promise.all([group.submit(unit()), group.submit(unit())])
    expect(outcomes.map(({ answer }) => answer).sort()).to.deep.equal(['alias_taken', 'ok'])
    expect((await findQuotas(books.db, [quota])).get(quota)?.day.amount).to.equal(10n)
  })

  it('never take back more than was used, and so never keep a payment from ending', async () => {
    const quota = newQuota()
    const uses = [simple(quota, 10n, 100n, 'limit_exceeded')]
    await group.submit(unitOf([single(from, to, 10n)], { uses }))
    // As if made in another time zone, where it was another day.
    const [{ at }] = uses as [Use]
    const returned = { quota, amount: 60n, count: 1n, at } as const
    await books.db.transaction((trx) => returnUses(trx, [returned, returned]))
    const { amount, count: times_ } = (await findQuotas(books.db, [quota])).get(quota)?.day ?? {}
    expect([amount, times_]).to.deep.equal([0n, 0n])
  })

  it('may be used in a transaction of one’s own, and are left alone when that fails', async () => {
    const quota = newQuota()
    const uses = [simple(quota, 60n, 100n, 'limit_exceeded')]
    const work = () =>
      books.db.transaction((trx) => {
        const { conclude: _none, ...unit } = unitOf([single(from, to, 60n)], { uses })
        return createTransfers(trx, unit)
      })
    await work()
    const refused = await work().catch((error: { code?: string }) => error.code)
    expect(refused).to.equal('limit_exceeded')
    expect((await findQuotas(books.db, [quota])).get(quota)?.day.amount).to.equal(60n)
  })

  it('may refuse without keeping the answer: the claim is free for who comes again', async () => {
    const quota = newQuota()
    const claim = { id: newId(), fingerprint: Buffer.alloc(16, 1) }
    const error = new Error('an approval, please')
    const unit = (uses: readonly Use[]) =>
      unitOf([single(from, to, 10n)], {
        ...{ claim, uses },
        conclude: (verdict) => (verdict.accepted ? { answer: 'ok' } : error),
      })
    const uses = [simple(quota, 10n, 5n, 'allowance_exceeded')]
    const first = await group.submit(unit(uses)).catch((thrown: unknown) => thrown)
    expect(first).to.equal(error)
    expect(await group.submit(unit([]))).to.deep.equal({ answer: 'ok', replayed: false })
    expect(await group.submit(unit(uses))).to.deep.equal({ answer: 'ok', replayed: true })
  })
})
