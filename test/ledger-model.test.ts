/**
 * The books on real Postgres against the independent model: the stories of test/decide.test.ts,
 * many at once, through group commit. UNITS says how many units, SEED repeats a run.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { type AccountId, type Group } from '../ledger/index.ts'
import { type Model, openModel } from './model/books.ts'
import { CAST, type OrderWish, type Step, story, type UnitWish } from './model/stories.ts'
import { openTeller } from './model/teller.ts'
import type { ModelRow } from './model/words.ts'
import { openBooks, unitOf } from './support/books.ts'
import { world } from './support/world.ts'

type Books = Awaited<ReturnType<typeof openBooks>>

/** How many stories are told at once: their units share a group. */
const STORIES_AT_ONCE = 40
/** A story begins so long ago, so that none of what it says is of the future. */
const AGO_MS = 50_000

async function openCast(books: Books): Promise<AccountId[]> {
  const { owner } = await world()
  return Promise.all(
    CAST.map(async ({ type, currency, floor }) => {
      const id = await books.account(type, currency)
      await owner('accounts')
        .where({ id })
        .update({ floor: floor?.toString() ?? null })
      return id
    }),
  )
}

async function openStory(books: Books, group: Group, now: number) {
  const ids = await openCast(books)
  const model = openModel(new Map(ids.map((id, place) => [id, CAST[place] as (typeof CAST)[0]])))
  const teller = openTeller(ids, now - AGO_MS)

  /** All of them in one turn, so that they are decided in this order. */
  async function units(wanted: readonly UnitWish[], onVerdict: (code: string) => void) {
    const told = wanted.map((one) => teller.tell(one, model))
    const answers = told.map(({ unit }) => group.submit(unitOf(unit.transfers, unit)))
    const codes = (await Promise.all(answers)).map(({ answer }) => answer)
    const expected = told.map((one) => model.submit(one.model))
    const said = expected.map((one) => (typeof one === 'string' ? one : 'ok'))
    expect(codes).to.deep.equal(said)
    for (const [index, code] of codes.entries()) {
      if (code !== 'ok') teller.refused(told[index]?.unit.id ?? '')
      onVerdict(code)
    }
  }

  return {
    agree: () => agree(ids, model),
    async play(step: Step, onVerdict: (code: string) => void): Promise<void> {
      if ('pass' in step) teller.pass(step.pass)
      else if ('what' in step) await order(step, { books, ids, model, now: teller.now() })
      else await units(step, onVerdict)
    },
  }
}

/** Restricts an account on both sides; what the books would refuse is left out. */
async function order(
  { account: place, what }: OrderWish,
  {
    books,
    ids,
    model,
    now,
  }: { books: Books; ids: readonly AccountId[]; model: Model; now: number },
): Promise<void> {
  const id = ids[place] ?? ''
  const account = books.db('accounts').where({ id })
  if (what.kind === 'freeze') {
    model.order(id, what)
    await account.update({ debits_frozen: what.debits, credits_frozen: what.credits })
    return
  }
  if (what.kind === 'close') {
    const { debitsPosted, creditsPosted, debitsPending, creditsPending } = model.totals(id)
    if (debitsPosted !== creditsPosted || debitsPending + creditsPending > 0n) return
    model.order(id, what)
    await account.update({ closed_at: books.db.fn.now() })
    return
  }
  const through = Math.min(now - what.ago, Date.now() - 1_000)
  if (through <= model.closedThrough(id)) return
  model.order(id, { kind: what.kind, through })
  const closed_through = new Date(through)
  const balance = model.bookedBy(id, through).toString()
  await books.db('closed_periods').insert({ account_id: id, closed_through, balance })
  await account.update({ closed_through })
}

/** Every row and every total, at the end. */
async function agree(ids: readonly AccountId[], model: Model): Promise<void> {
  const { owner } = await world()
  const rows = await owner('transfers').whereIn('debit_account_id', [...ids])
  const byId = new Map(rows.map((row) => [row.id, inModelWords(row)]))
  const modelled = model.rows()
  expect(byId.size).to.equal(modelled.length)
  for (const row of modelled) expect({ ...byId.get(row.id), unit: row.unit }).to.deep.equal(row)
  for (const row of await owner('accounts').whereIn('id', [...ids])) {
    expect({
      ...{ debitsPosted: row.debits_posted, creditsPosted: row.credits_posted },
      ...{ debitsPending: row.debits_pending, creditsPending: row.credits_pending },
      lastEntry: row.last_entry,
    }).to.deep.equal(model.totals(row.id))
  }
}

/** The columns of `transfers` that the model knows too, each beside its name there. */
const COLUMNS = {
  ...{ id: 'id', kind: 'kind', amount: 'amount', currency: 'currency', code: 'code' },
  ...{ debit: 'debit_account_id', credit: 'credit_account_id', reference: 'reference' },
  ...{ pendingId: 'pending_id', resolution: 'resolution', reversesId: 'reverses_id' },
  evidence: 'evidence',
  ...{ debitEntry: 'debit_entry', creditEntry: 'credit_entry' },
  ...{ debitBalance: 'debit_balance', creditBalance: 'credit_balance' },
  ...{ effectiveAt: 'effective_at', bookedAt: 'booked_at', expiresAt: 'expires_at' },
} as const satisfies Record<keyof Omit<ModelRow, 'unit'>, string>

const inModelWords = (row: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(COLUMNS).map(([name, column]) => {
      const value = row[column]
      if (Buffer.isBuffer(value)) return [name, value.toString('hex')]
      return [name, value instanceof Date ? value.getTime() : value]
    }),
  )

describe('the books on Postgres', () => {
  let books: Books
  let group: Group
  before(async () => {
    books = await openBooks()
    group = books.group()
  })
  after(() => books.close())

  it('agree with the model, whatever is wanted and however the units are grouped', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
    const units = Number(process.env['UNITS'] ?? 800)
    const seen = new Map<string, number>()
    const onVerdict = (code: string) => void seen.set(code, (seen.get(code) ?? 0) + 1)
    const told = () => [...seen.values()].reduce((sum, count) => sum + count, 0)
    for (let round = 0; told() < units; round++) {
      const numRuns = Math.min(STORIES_AT_ONCE, Math.ceil(units / 30))
      const stories = fc.sample(story(25), { numRuns, seed: seed + round })
      await playAll(stories, (now) => openStory(books, group, now), onVerdict).catch(
        (error: Error) => {
          throw new Error(`SEED=${seed + round}: ${error.message}`, { cause: error })
        },
      )
    }
    const counts = [...seen].sort(([, a], [, b]) => b - a).map((one) => one.join(' '))
    process.stdout.write(`      SEED=${seed}, ${told()} units: ${counts.join(', ')}\n`)
    expect([...seen.keys()]).to.include.members(['ok', 'insufficient_funds', 'hold_resolved'])
  }).timeout(600_000)
})

/** Step by step, all of them at once. */
async function playAll(
  stories: readonly (readonly Step[])[],
  open: (now: number) => ReturnType<typeof openStory>,
  onVerdict: (code: string) => void,
): Promise<void> {
  const opened = await Promise.all(stories.map(() => open(Date.now())))
  const longest = Math.max(...stories.map((steps) => steps.length))
  for (let at = 0; at < longest; at++) {
    const steps = stories.map((steps) => steps[at])
    // What is ordered comes first: a unit in the same turn must not meet it half done.
    const isOrder = (step: Step | undefined) => step !== undefined && !Array.isArray(step)
    const play = (wants: boolean) =>
      opened.map(async (one, n) => {
        const step = steps[n]
        if (step !== undefined && isOrder(step) === wants) await one.play(step, onVerdict)
      })
    await Promise.all(play(true))
    await Promise.all(play(false))
  }
  await Promise.all(opened.map((one) => one.agree()))
}
