/** `florin fees simulate`: what other terms would have taken for the payments of a month. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { Knex } from 'knex'
import { z } from 'zod'
import { connect, type Currency, formatMoney, type Uuid } from '../../ledger/index.ts'
import { readMigrationConfig } from '../config.ts'
import { isExcessive } from '../fees/bounds.ts'
import { countPast, readPast, type Wanted } from '../fees/past.ts'
import { openReplay, type Replayed } from '../fees/replay.ts'
import { FeeScheduleIn, newScheduleOf, refined } from '../fees/schedule_schema.ts'
import type { FeeTerms } from '../fees/terms.ts'
import { termsOf } from '../fees/terms_schema.ts'
import { isPublicId, publicId, uuidOf } from '../ids.ts'
import { type Command, counted, progressLine, type Terminal, UsageError } from './terminal.ts'

interface Draft {
  readonly currency: Currency
  readonly terms: FeeTerms
  /** Whose it is; null where it is for all. */
  readonly merchant: Uuid | null
}

export const simulateFees: Command = {
  args: '--draft FILE|FEE_ID --month 2026-10 [--merchant MER_ID]',
  summary: 'Price a past month’s payments by other terms, and show the difference (DATABASE_URL)',
  async run(words, terminal) {
    const { draft: named, ...asked } = askedIn(words)
    const options = { connectionsMax: 3, applicationName: 'florin fees' }
    const db = connect({ url: readMigrationConfig().DATABASE_URL, ...options })
    try {
      const draft = await draftOf(db, named)
      if (isExcessive(draft.terms)) terminal.complain('they take more than large payments come to')
      const { currency } = draft
      const wanted = { ...asked, currency, merchant: asked.merchant ?? draft.merchant }
      await simulate(db, draft, wanted, terminal)
      return 0
    } finally {
      terminal.done()
      await db.destroy()
    }
  },
}

const MonthText = z.string().regex(/^[0-9]{4}-(0[1-9]|1[0-2])$/)

function askedIn(words: readonly string[]) {
  const text = { type: 'string' } as const
  const options = { draft: text, month: text, merchant: text }
  const { draft, month, merchant } = parseArgs({ args: [...words], options }).values
  if (draft === undefined) throw new UsageError('name the draft')
  const known = MonthText.safeParse(month)
  if (!known.success) throw new UsageError('name the month, such as 2026-10')
  if (merchant !== undefined && !isPublicId('mer', merchant)) {
    throw new UsageError(`no id of a merchant: ${merchant}`)
  }
  const from = new Date(`${known.data}-01T00:00:00.000Z`)
  const to = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1))
  return { draft, from, to, merchant: merchant === undefined ? null : uuidOf(merchant) }
}

/** By its id, or from a file that holds what one would send to the API. */
async function draftOf(db: Knex, named: string): Promise<Draft> {
  if (isPublicId('fee', named)) {
    const row = await db('fee_schedules')
      .where({ id: uuidOf(named) })
      .first()
    if (row === undefined) throw new UsageError(`no fee schedule: ${named}`)
    return { currency: row.currency, terms: termsOf(row.terms), merchant: row.merchant_id }
  }
  const sent = refined(FeeScheduleIn).safeParse(JSON.parse(await readFile(named, 'utf8')))
  if (!sent.success) throw new UsageError(`${named}: ${z.prettifyError(sent.error)}`)
  const { currency, terms } = newScheduleOf(sent.data)
  return { currency, terms: termsOf(terms), merchant: null }
}

async function simulate(db: Knex, draft: Draft, wanted: Wanted, terminal: Terminal) {
  const of = await countPast(db, wanted)
  const replay = openReplay(draft.terms, draft.currency)
  const started = performance.now()
  let done = 0
  await readPast(db, wanted, (past) => {
    replay.take(past)
    done += 1
    if (done % SHOWN_EVERY !== 0) return
    const elapsed_s = (performance.now() - started) / 1_000
    terminal.progress(progressLine('payments', { done, of }, elapsed_s))
  })
  const elapsed_s = (performance.now() - started) / 1_000
  terminal.done()
  const results = replay.results()
  const names = await namesOf(db, [...results.keys()])
  const lines = [...results].map(([id, sums]) => ({ name: nameOf(id, names), sums }))
  for (const line of table(lines, draft.currency)) terminal.say(line)
  const speed = counted(Math.round(done / Math.max(elapsed_s, 0.001)))
  terminal.say(`${counted(done)} payments in ${Math.ceil(elapsed_s)} s, ${speed} payments/s`)
}

/** Payments. */
const SHOWN_EVERY = 10_000

const NAMES_AT_ONCE = 1_000

async function namesOf(db: Knex, ids: readonly Uuid[]): Promise<ReadonlyMap<Uuid, string>> {
  const names = new Map<Uuid, string>()
  for (let first = 0; first < ids.length; first += NAMES_AT_ONCE) {
    const some = ids.slice(first, first + NAMES_AT_ONCE)
    for (const { id, name } of await db('merchants').whereIn('id', some).select('id', 'name')) {
      names.set(id, name)
    }
  }
  return names
}

const nameOf = (id: Uuid, names: ReadonlyMap<Uuid, string>) =>
  `${publicId('mer', id)} ${names.get(id) ?? ''}`.trim()

interface Line {
  readonly name: string
  readonly sums: Replayed
}

const HEADINGS = ['merchant', 'payments', 'refused', 'paid', 'now', 'draft', 'difference']

/** The merchants who would pay more or less by the most first, and then all together. */
function table(lines: readonly Line[], currency: Currency): string[] {
  const size = ({ sums: { before, after } }: Line) =>
    after > before ? after - before : before - after
  const sorted = [...lines].sort((a, b) => (size(a) > size(b) ? -1 : 1))
  const total: Replayed = { payments: 0, paid: 0n, before: 0n, after: 0n, refused: 0 }
  for (const { sums } of lines) {
    total.payments += sums.payments
    total.refused += sums.refused
    total.paid += sums.paid
    total.before += sums.before
    total.after += sums.after
  }
  const rows = [...sorted, { name: 'all', sums: total }].map(({ name, sums }) => {
    const money = [sums.paid, sums.before, sums.after, sums.after - sums.before]
    const texts = money.map((amount) => formatMoney({ amount, currency }))
    return [name, counted(sums.payments), counted(sums.refused), ...texts]
  })
  const widths = HEADINGS.map((_, at) =>
    [HEADINGS, ...rows].reduce((most, row) => Math.max(most, row[at]?.length ?? 0), 0),
  )
  return [HEADINGS, ...rows].map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  '),
  )
}
