/** Random instructions, books and statements: SQL and pencil come to the same. */
import { expect } from 'chai'
import fc from 'fast-check'
import { newId } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import {
  emptyBook,
  type ModelBook,
  type ModelInstruction,
  type ModelLine,
  type ModelMovement,
  reconcileByHand,
  unexplainedByHand,
} from './model/reconciliation.ts'
import {
  bankOfItsOwn,
  type CsvLine,
  type OwnBank,
  reconcileFile,
} from './support/reconciliation.ts'
import { world } from './support/world.ts'

const DAY_MS = 86_400_000
const LATE_DAYS = 3

const amount = fc.bigInt({ min: 1n, max: 4n }).chain((size) => fc.constantFrom(size, -size))
const day = fc.integer({ min: 0, max: 8 })

/** What happens before a statement: in the books, or not. */
const happening = fc.record({
  what: fc.constantFrom('settled', 'settled', 'settled', 'returned', 'came', 'manual', 'nothing'),
  amount,
  day,
  unknown: fc.boolean(),
})

/** A line of a statement: about the nth happening, as it was or changed. */
const told = fc.record({
  of: fc.nat({ max: 9 }),
  how: fc.constantFrom('as it was', 'as it was', 'as it was', 'twice', 'other amount', 'undone'),
  amount,
  later: fc.constantFrom(0, 0, 1, 3, 4),
  as: fc.constantFrom('ours', 'ours', 'ours', 'the bank’s', 'nobody’s'),
})

const rounds = fc.array(
  fc.record({
    happenings: fc.array(happening, { maxLength: 6 }),
    lines: fc.array(told, { minLength: 1, maxLength: 10 }),
    retold: fc.boolean(),
  }),
  { minLength: 1, maxLength: 3 },
)

interface Fact {
  readonly key: string
  readonly amount: bigint
  readonly day: number
}

/** What the model and the database are told. */
interface Story {
  readonly bank: OwnBank
  readonly facts: Fact[]
  readonly instructions: Map<string, ModelInstruction>
  readonly movements: ModelMovement[]
}

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never
type ToldLine = typeof told extends fc.Arbitrary<infer T> ? T : never

async function happen({ bank, ...story }: Story, { what, ...one }: Happening): Promise<void> {
  const when = new Date(bank.at.getTime() + one.day * DAY_MS)
  const move = async (reference: string, moved: bigint, key: string | undefined) => {
    const transfer = await bank.moved(reference, moved, when)
    story.movements.push({ transfer, key, amount: moved, day: one.day })
  }
  if (what === 'nothing') {
    await move(newId(), one.amount, undefined)
    story.facts.push({ key: `N${story.facts.length}`, amount: one.amount, day: one.day })
    return
  }
  if (what === 'came') {
    const { id, reference } = await bank.received(one.amount)
    await move(id, one.amount, reference)
    story.facts.push({ key: reference, amount: one.amount, day: one.day })
    return
  }
  const state = what === 'settled' || what === 'manual' ? what : 'returned'
  const made = await bank.instructed(one.amount, state)
  story.instructions.set(made.reference, { amount: one.amount, state })
  story.facts.push({ key: made.reference, amount: one.amount, day: one.day })
  const isBooked = what === 'settled' || (what === 'returned' && !one.unknown)
  if (isBooked) await move(made.instruction, one.amount, made.reference)
  if (isBooked && what === 'returned') await move(made.instruction, -one.amount, made.reference)
}

function linesOf({ facts }: Story, { of, how, ...line }: ToldLine, index: number): ModelLine[] {
  const fact = facts[of % Math.max(1, facts.length)]
  const isOurs = line.as === 'ours' && fact !== undefined
  const one = {
    reference: isOurs ? fact.key : `L${index}`,
    bankReference: line.as === 'the bank’s' && fact !== undefined ? fact.key : '',
    amount: how === 'other amount' || fact === undefined ? line.amount : fact.amount,
    day: (fact?.day ?? 0) + line.later,
  }
  if (how === 'twice') return [one, one]
  if (how === 'undone') return [one, { ...one, amount: -one.amount }]
  return [one]
}

const csvLine = ({ bank }: Story, { day: booked, ...line }: ModelLine): CsvLine => ({
  ...bank.line(line, { daysLater: booked }),
  bankReference: line.bankReference,
})

/** Every item, by the line or the transfer that it is of. */
async function found({ bank }: Story, runs: readonly string[]): Promise<string[]> {
  const { owner } = await world()
  const rows = await owner('reconciliation_items').where({ bank: bank.name })
  return rows
    .map((row) => {
      const place = `${runs.indexOf(row.reconciliation_id) + 1}:${row.line}`
      const of = row.line === null ? `transfer ${row.transfer_id}` : `line ${place}`
      return `${of} ${row.kind} ${row.state} ${row.transfer_id} ${row.proposed_transfer_id}`
    })
    .sort()
}

const byHand = ({ items }: ModelBook): string[] =>
  items
    .map(({ place, kind, state, movement, proposed = null }) => {
      const transfer = movement?.transfer ?? null
      const of = place === undefined ? `transfer ${transfer}` : `line ${place}`
      return `${of} ${kind} ${state} ${transfer} ${proposed}`
    })
    .sort()

describe('reconciling', () => {
  it('comes to what a person with a pencil comes to', async function () {
    this.timeout(600_000)
    const property = fc.asyncProperty(rounds, async (all) => {
      const story: Story = {
        ...{ bank: await bankOfItsOwn(), facts: [], instructions: new Map(), movements: [] },
      }
      const book = emptyBook()
      const runs: string[] = []
      let before: ModelLine[] = []
      for (const { happenings, lines, retold } of all) {
        for (const one of happenings) await happen(story, one)
        const said = lines.flatMap((line, index) => linesOf(story, line, index))
        before = retold ? [...before, ...said] : said
        const shown = await reconcileFile(
          story.bank,
          'csv',
          before.map((line) => csvLine(story, line)),
        )
        if (!runs.includes(uuidOf(shown.id))) {
          runs.push(uuidOf(shown.id))
          const statement = { number: runs.length, lines: before, lateDays: LATE_DAYS }
          reconcileByHand(book, story.instructions, story.movements, statement)
        }
        expect(await found(story, runs)).to.deep.equal(byHand(book))
        const apart = unexplainedByHand(book).toString()
        if (runs.at(-1) === uuidOf(shown.id)) {
          expect(shown.balances[0]?.unexplained.amount).to.equal(apart)
        }
      }
    })
    const numRuns = Math.min(1_000, Number(process.env['RUNS'] ?? 10))
    await fc.assert(property, { numRuns, verbose: 1 })
  })
})
