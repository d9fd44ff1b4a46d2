/** Balances at moments, by each of the three times, against a plain model; and what they cost. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import {
  balanceAt,
  closePeriod,
  type Entry,
  findEntries,
  type Group,
  type Moment,
  type NewTransfer,
  openStatement,
  type Span,
} from '../ledger/index.ts'
import { openBooks, pending, refusalOf, single, times, unitOf } from './support/books.ts'
import { world } from './support/world.ts'

type Books = Awaited<ReturnType<typeof openBooks>>

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** What the model knows of an entry: when it counts by each time, and what it does. */
interface Row {
  readonly recorded: number
  readonly effective: number
  readonly booked: number
  readonly change: bigint
}

describe('the balance at a moment', () => {
  let books: Books
  let group: Group
  let bank: string
  before(async () => {
    books = await openBooks()
    group = books.group()
    bank = await books.account('bank')
  })
  after(() => books.close())

  /** A wallet that was opened long ago, so that there is a past to put things into. */
  async function oldWallet(): Promise<string> {
    const { owner } = await world()
    const id = await books.account()
    const openedAt = new Date(Date.now() - 10 * DAY_MS)
    await owner('accounts').where({ id }).update({ opened_at: openedAt })
    return id
  }
  const post = async (...transfers: NewTransfer[]) => {
    const { answer } = await group.submit(unitOf(transfers))
    expect(answer).to.equal('ok')
  }
  const credit = (wallet: string, amount: bigint, effectiveAt?: Date) =>
    post({ ...single(bank, wallet, amount), ...(effectiveAt && { effectiveAt }) })
  const at = (id: string, moment: Moment) => balanceAt(books.db, id, moment)
  const lately = (ms: number) => new Date(Date.now() - ms)

  /** As the model would have them: read from the table itself, row by row. */
  async function rowsOf(id: string): Promise<Row[]> {
    const { owner } = await world()
    const { rows } = await owner.raw(
      `SELECT *, credit_account_id = ? AS is_credit FROM transfers
        WHERE ? IN (debit_account_id, credit_account_id)`,
      [id, id],
    )
    return rows.map((row: Record<string, unknown>) => {
      const { recorded_at, effective_at, booked_at, kind, amount, is_credit } = row
      const recorded = Number(recorded_at)
      const effective = effective_at === null ? recorded : Number(effective_at)
      const booked = booked_at === null ? effective : Number(booked_at)
      const sign = ['pending', 'void'].includes(String(kind)) ? 0n : is_credit ? 1n : -1n
      return { recorded, effective, booked, change: sign * BigInt(String(amount)) }
    })
  }
  const modelled = (rows: readonly Row[], { recordedAt, effectiveAt, bookedAt }: Moment) =>
    rows
      .filter((row) => recordedAt === undefined || row.recorded <= Number(recordedAt))
      .filter((row) => effectiveAt === undefined || row.effective <= Number(effectiveAt))
      .filter((row) => bookedAt === undefined || row.booked <= Number(bookedAt))
      .reduce((sum, { change }) => sum + change, 0n)

  it('is what a plain sum says, for random histories, at random moments', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
    const wallet = await oldWallet()
    await credit(wallet, 1_000_000n)
    const started = Date.now()
    const other = await oldWallet()
    for (const step of fc.sample(STEP, { numRuns: 120, seed })) {
      const late = step.back === null ? {} : { effectiveAt: lately(step.back) }
      const [from, to] = step.isIn ? [bank, wallet] : [wallet, other]
      const make = step.isPending ? pending : single
      await post({ ...make(from, to, step.amount), ...late })
      if (step.closes && step.isIn) {
        const through = lately(2 * DAY_MS - (Date.now() - started) * 1_000)
        await books.db.transaction((trx) => closePeriod(trx, wallet, through, new Date()))
      }
      await pause(step.pause)
    }
    await pause(5)
    const ended = Date.now()
    for (const id of [wallet, other]) {
      const rows = await rowsOf(id)
      const moments = [...rows.flatMap((row) => [row.recorded, row.effective, row.booked])]
      for (const asked of fc.sample(momentsNear(moments, started, ended - 1), { seed })) {
        const text = `SEED=${seed} ${JSON.stringify(asked)}`
        expect(await at(id, asked), text).to.equal(modelled(rows, asked))
      }
      for (const span of fc.sample(spansNear(moments, started, ended - 1), { seed, numRuns: 60 })) {
        await expectStatement(id, rows, span)
      }
    }
  }).timeout(60_000)

  /** The statement of the span is what the model has in it, and adds up. */
  async function expectStatement(id: string, rows: readonly Row[], span: Required<Span>) {
    const { by = 'recorded', from, to } = span
    const text = JSON.stringify(span)
    const counted = rows.map((row) => ({ at: row[by], change: row.change }))
    const before = (moment: number) =>
      counted.filter((row) => row.at < moment).reduce((sum, { change }) => sum + change, 0n)
    const [first, last] = [Number(from), Number(to)]
    const { opening, closing, entries } = await openStatement(books.db, id, span)
    expect([opening, closing], text).to.deep.equal([before(first), before(last)])
    const listed: Entry[] = []
    for await (const batch of entries) listed.push(...batch)
    expect(listed.at(-1)?.balance ?? opening, text).to.equal(closing)
    const within = counted.filter((row) => row.at >= first && row.at < last)
    expect(listed, text).to.have.length(within.length)
    const page = await findEntries(books.db, id, { ...span, limit: 1_000 })
    const numbers = (all: readonly Entry[]) => all.map(({ entry }) => entry)
    expect(numbers(page), text).to.deep.equal(numbers(listed).toReversed())
  }

  it('tells what was believed from what was so', async () => {
    const wallet = await oldWallet()
    await credit(wallet, 100n)
    await pause(5)
    const believed = lately(0)
    await pause(5)
    await credit(wallet, 50n, lately(3 * DAY_MS))
    const then = lately(2 * DAY_MS)
    expect(await at(wallet, { recordedAt: believed })).to.equal(100n)
    expect(await at(wallet, { effectiveAt: then })).to.equal(50n)
    expect(await at(wallet, { effectiveAt: then, recordedAt: believed })).to.equal(0n)
    expect(await at(wallet, { effectiveAt: lately(4 * DAY_MS) })).to.equal(0n)
    expect(await at(wallet, {})).to.equal(150n)
  })

  it('is refused where it cannot be known', async () => {
    const wallet = await books.account()
    await credit(wallet, 100n)
    const [future, past] = [new Date(Date.now() + 60_000), lately(60_000)]
    const now = lately(0)
    for (const moment of [
      ...[{ recordedAt: future }, { effectiveAt: future }, { bookedAt: future }],
      ...[{ recordedAt: past }, { effectiveAt: past }, { bookedAt: past }],
      ...[
        { recordedAt: now, effectiveAt: past },
        { recordedAt: future, effectiveAt: now },
      ],
      { effectiveAt: now, bookedAt: now },
    ]) {
      expect(await refusalOf(at(wallet, moment))).to.equal('moment_not_answerable')
    }
    const nobody = '00000000-0000-7000-8000-000000000000'
    expect(await refusalOf(at(nobody, {}))).to.equal('account_not_found')
  })

  it('and a span of entries are found by index, in an account with thousands', async () => {
    const { owner } = await world()
    const wallet = await oldWallet()
    await credit(wallet, 1_000_000n)
    const [middle] = await thousandsOf(wallet)
    await owner.raw('ANALYZE transfers')
    const [then, day] = [middle as Date, lately(DAY_MS)]
    const questions: Readonly<Record<string, () => Promise<unknown>>> = {
      recorded: () => at(wallet, { recordedAt: then }),
      effective: () => at(wallet, { effectiveAt: then }),
      'effective, long ago': () => at(wallet, { effectiveAt: day, recordedAt: then }),
      booked: () => at(wallet, { bookedAt: then }),
      page: () => findEntries(books.db, wallet, { from: day, to: then, limit: 20 }),
      'page by effective time': () =>
        findEntries(books.db, wallet, {
          by: 'effective',
          from: lately(3_000),
          to: then,
          limit: 20,
        }),
      'first batch': async () => {
        const { entries } = await openStatement(books.db, wallet, { by: 'booked', to: then })
        for await (const _batch of entries) return
      },
    }
    for (const [name, ask] of Object.entries(questions)) {
      const { nodes, buffers } = await costOf(books, ask)
      expect(nodes, name).not.to.match(/Seq Scan on transfers/)
      // An entry that is found by its number is found by nothing else.
      expect(nodes, name).not.to.match(/Filter: \(\w+_entry = /)
      const most = name === 'first batch' ? 1_000 : 300
      expect(buffers, `${name}: pages looked at, of thousands`).to.be.lessThan(most)
    }
  }).timeout(60_000)

  /** 6,000 entries, every fiftieth late; answers the moment in the middle. */
  async function thousandsOf(wallet: string): Promise<Date[]> {
    const other = await oldWallet()
    const moments: Date[] = []
    for (const half of [0, 1]) {
      await Promise.all(
        times(3_000, (n) => {
          const late = n % 50 === 0 ? { effectiveAt: lately(DAY_MS + n) } : {}
          return post({ ...single(wallet, other, 1n), ...late })
        }),
      )
      await pause(10)
      moments.push(lately(half))
      await pause(10)
    }
    return moments
  }
})

const STEP = fc.record({
  amount: fc.bigInt(1n, 1_000n),
  isIn: fc.boolean(),
  isPending: fc.constantFrom(false, false, false, true),
  /** How long before it is recorded it happened. */
  back: fc.oneof(fc.constant(null), fc.nat(50), fc.nat(9 * DAY_MS)),
  pause: fc.nat(4),
  closes: fc.constantFrom(...times(15, (n) => n === 0)),
})

/** Questions at and around what happened, and anywhere between. */
function momentsNear(moments: readonly number[], from: number, to: number): fc.Arbitrary<Moment> {
  const earliest = from - 9 * DAY_MS
  const near = fc
    .tuple(fc.constantFrom(...moments), fc.integer({ min: -1, max: 1 }))
    .map(([moment, by]) => Math.min(Math.max(moment + by, earliest), to))
  const moment = fc
    .oneof(near, fc.integer({ min: from, max: to }), fc.integer({ min: earliest, max: to }))
    .map((ms) => new Date(ms))
  const known = fc.record({ recordedAt: moment }, { requiredKeys: [] })
  return fc.oneof(
    known,
    fc.tuple(known, fc.record({ effectiveAt: moment })).map(([a, b]) => ({ ...a, ...b })),
    fc.tuple(known, fc.record({ bookedAt: moment })).map(([a, b]) => ({ ...a, ...b })),
  )
}

function spansNear(
  moments: readonly number[],
  from: number,
  to: number,
): fc.Arbitrary<Required<Span>> {
  const moment = fc.oneof(
    fc.constantFrom(...moments).map((ms) => Math.min(Math.max(ms, from - 9 * DAY_MS), to)),
    fc.integer({ min: from - 9 * DAY_MS, max: to }),
  )
  const by = fc.constantFrom('recorded' as const, 'effective' as const, 'booked' as const)
  return fc
    .tuple(by, moment, moment)
    .filter(([, one, other]) => one !== other)
    .map(([by, one, other]) => {
      const [first, last] = [Math.min(one, other), Math.max(one, other)]
      return { by, from: new Date(first), to: new Date(last) }
    })
}

/** What Postgres does for all statements of the question: its plans, and pages it touches. */
async function costOf({ db }: Books, ask: () => Promise<unknown>) {
  const asked: { sql: string; bindings: readonly unknown[] }[] = []
  const listen = (query: { sql: string; bindings: readonly unknown[] }) => asked.push(query)
  db.on('query', listen)
  await ask()
  db.removeListener('query', listen)
  const selects = asked.filter(({ sql }) => /^\s*(select|\()/i.test(sql))
  expect(selects.length).to.be.greaterThan(0)
  let [nodes, buffers] = ['', 0]
  for (const { sql, bindings } of selects) {
    const text = `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) ${sql}`
    const { rows } = await db.raw(text.replaceAll(/\$\d+/g, '?'), bindings as never)
    const plan = rows.map((row: { 'QUERY PLAN': string }) => row['QUERY PLAN']).join('\n')
    const [, hit = '0', , read = '0'] = /Buffers: shared hit=(\d+)( read=(\d+))?/.exec(plan) ?? []
    nodes += `${plan}\n`
    buffers += Number(hit) + Number(read)
  }
  return { nodes, buffers }
}
