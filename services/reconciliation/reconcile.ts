/**
 * Holds a statement against our account of our money at the bank: ledger entry, instruction and
 * statement line, each to each. May be killed anywhere and done again: what is committed stands,
 * and a line is reconciled once. It locks nothing that payments wait for.
 */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import type { Told } from './lines.ts'
import { pairUp, propose, writeLines, writeMissed } from './matching.ts'
import { type Balance, findBalances, findRun, type ItemKind, type Run, runOut } from './runs.ts'
import type { Session } from './session.ts'
import {
  openTables,
  type Stand,
  stageFresh,
  stageMovements,
  stageOpen,
  stageStatement,
  type Statement,
} from './staging.ts'

export interface ReconcileOptions {
  readonly linesMax: number
  /** How many days a line and its transfer may lie apart. */
  readonly lateDays: number
  readonly now: () => Date
  readonly onProgress?: (what: Phase, done: number, of: number | undefined) => void
}

export type Phase = 'lines read' | 'transfers read' | 'lines reconciled'

/**
 * @param session of the run's bank; nobody else reconciles it meanwhile.
 * @throws {StatementError} when the statement cannot be believed: then nothing is reconciled.
 */
export async function reconcile(
  session: Session,
  run: Run,
  told: AsyncIterable<Told>,
  { linesMax, lateDays, now, onProgress = () => {} }: ReconcileOptions,
): Promise<Run> {
  await openTables(session)
  const onLines = (lines: number) => onProgress('lines read', lines, undefined)
  const statement = await stageStatement(session, told, { linesMax, onLines })
  const period = await periodOf(session, run, now())
  const fresh = await stageFresh(session, run.bank, statement.lines)
  await begin(session, run, { ...period, lines: statement.lines, fresh }, statement)
  const isAnyOpen = await stageOpen(session, run.bank)
  const stands = await stageMovements(session, run.bank, (count) =>
    onProgress('transfers read', count, undefined),
  )
  await pairUp(session)
  const judged = { run: run.id, bank: run.bank, to: period.to, days: lateDays }
  await writeLines(session, judged, {
    isAnyOpen,
    onDone: (done) => onProgress('lines reconciled', done, fresh),
  })
  await writeMissed(session, judged, await lastNumber(session, run.id, MISSED))
  await propose(session, run.bank)
  return finish(session, run, { statement, stands, now: now() })
}

interface Period {
  readonly from: string
  readonly to: string
}

/** A bank that is asked tells all it knows until now; a file ends with its last line. */
async function periodOf(session: Session, { source }: Run, now: Date): Promise<Period> {
  const [said] = await session.run<{ from: string | null; to: string | null }>(
    `SELECT min(day)::text AS "from", max(day)::text AS "to"
       FROM (SELECT (booked_at AT TIME ZONE 'UTC')::date AS day FROM staged_raw) days`,
  )
  const today = now.toISOString().slice(0, 10)
  const last = said?.to ?? today
  const to = source === 'bank' && last < today ? today : last
  return { from: said?.from ?? to, to }
}

async function begin(
  session: Session,
  { id, bank }: Run,
  { from, to, lines, fresh }: Period & { readonly lines: number; readonly fresh: number },
  { balances }: Statement,
): Promise<void> {
  await session.transaction(async (trx) => {
    // What came before the first statement is its opening balance; later ones go on from it.
    await trx.raw(
      `INSERT INTO reconciliation_totals (bank, currency, statement)
       SELECT :bank, key, value::bigint FROM jsonb_each_text(cast(:openings AS jsonb))
       UNION
       SELECT DISTINCT :bank, currency, 0 FROM staged_lines
        WHERE cast(:openings AS jsonb) -> currency IS NULL
       ON CONFLICT DO NOTHING`,
      { bank, openings: JSON.stringify(openingsOf(balances)) },
    )
    await trx('reconciliations')
      .where({ id })
      .update({ lines, fresh: trx.raw('done + ?', [fresh]), period_from: from, period_to: to })
  })
}

const openingsOf = (balances: Statement['balances']) =>
  Object.fromEntries([...balances.values()].map((one) => [one.currency, one.opening.toString()]))

interface Range {
  readonly first: number
  readonly last: number
}

/**
 * Numbers of items: a line has its own. What no line shows begins far beyond any, because a run
 * that is done again meets the missed transfers of its first attempt before its last lines.
 */
const LINES: Range = { first: 0, last: 0x7fffffff }
const MISSED: Range = { first: 0x80000000, last: 0xffffffff }

/** The number of the newest item of a range: an earlier attempt may have written some. */
async function lastNumber(session: Session, run: Uuid, { first, last }: Range): Promise<number> {
  const [row] = await session.run<{ id: string | null }>(
    `SELECT max(id::text) AS id FROM (
       SELECT id FROM reconciliation_items
        WHERE id BETWEEN (left(:run, 28) || :first)::uuid AND (left(:run, 28) || :last)::uuid
        ORDER BY id DESC LIMIT 1) newest`,
    rangeOf(run, first, last),
  )
  return Number.parseInt(row?.id?.slice(28) ?? hexOf(first), 16)
}

const hexOf = (number: number) => number.toString(16).padStart(8, '0')

interface Ending {
  readonly statement: Statement
  readonly stands: readonly Stand[]
  readonly now: Date
}

async function finish(session: Session, run: Run, ending: Ending): Promise<Run> {
  const counts = await countsOf(session, run.id)
  return session.transaction(async (trx) => {
    for (const { currency, entry } of ending.stands) {
      await trx('reconciliation_totals')
        .insert({ bank: run.bank, currency, statement: 0, entry: entry.toString() })
        .onConflict(['bank', 'currency'])
        .merge(['entry'])
    }
    const balances = await balancesOf(trx, run, ending)
    if (balances.length > 0) {
      await trx('reconciliation_balances').insert(balances.map(written))
    }
    await trx('reconciliations')
      .where({ id: run.id })
      .update({
        state: 'completed',
        counts: JSON.stringify(counts),
        completed_at: ending.now,
        failure: null,
      })
    await trx('statement_files').where({ upload_id: run.id }).delete()
    const ended = await findRun(trx, run.id)
    if (ended === undefined) throw new Error(`reconciliation ${run.id} has vanished`)
    if (balances.some(({ unexplained }) => unexplained > 0n)) await alert(trx, ended, ending.now)
    return ended
  })
}

const written = (balance: Balance) =>
  Object.fromEntries(
    Object.entries(balance).map(([name, value]: [string, string | bigint | null]) => [
      name,
      typeof value === 'bigint' ? value.toString() : value,
    ]),
  )

/** Somebody has to look. */
async function alert(trx: Knex.Transaction, run: Run, at: Date): Promise<void> {
  const data = runOut(run, await findBalances(trx, [run.id]))
  const object = publicId('rcn', run.id)
  await recordEvent(trx, { type: 'reconciliation.unexplained', object, data, at })
}

/** Items of a run are two ranges of ids, each counted in parts. */
async function countsOf(session: Session, run: Uuid): Promise<Run['counts']> {
  const counts: Partial<Record<ItemKind, number>> = {}
  for (const range of [LINES, MISSED]) {
    const last = await lastNumber(session, run, range)
    for (let { first } = range; first <= last; first += NUMBERS_AT_ONCE) {
      const end = Math.min(first + NUMBERS_AT_ONCE - 1, range.last)
      for (const { kind, count } of await session.run<Count>(COUNTS, rangeOf(run, first, end)))
        counts[kind] = (counts[kind] ?? 0) + Number(count)
    }
  }
  return counts
}

interface Count {
  readonly kind: ItemKind
  readonly count: bigint
}

const COUNTS = `
  SELECT kind, count(*) FROM reconciliation_items
   WHERE id BETWEEN (left(:run, 28) || :first)::uuid AND (left(:run, 28) || :last)::uuid
   GROUP BY kind`

const rangeOf = (run: Uuid, first: number, last: number) => ({
  ...{ run, first: hexOf(first), last: hexOf(last) },
})

const NUMBERS_AT_ONCE = 50_000

interface OpenSum {
  readonly currency: string
  readonly apart: bigint
  readonly unexplained: bigint
  readonly count: bigint
}

/**
 * Open items explain by how much statement and books differ. Whatever they do not account for is
 * as unexplained as they are themselves.
 */
async function balancesOf(trx: Knex.Transaction, run: Run, ending: Ending): Promise<Balance[]> {
  const { bank, id } = run
  const { rows: open } = await trx.raw<{ rows: OpenSum[] }>(OPEN_SUMS, { bank })
  const totals: { currency: string; statement: bigint }[] = await trx('reconciliation_totals')
    .where({ bank })
    .select('currency', 'statement')
  return totals.map(({ currency, statement }) => {
    const items = open.find((one) => one.currency === currency)
    const books = ending.stands.find((one) => one.currency === currency)?.books ?? 0n
    const said = ending.statement.balances.get(currency)
    const residue = statement - books - (items?.apart ?? 0n)
    return {
      ...{ reconciliation_id: id, currency, statement, books },
      ...{ opening: said?.opening ?? null, closing: said?.closing ?? null },
      unexplained: (items?.unexplained ?? 0n) + absolute(residue),
      open_items: items?.count ?? 0n,
    }
  })
}

const absolute = (amount: bigint) => (amount < 0n ? -amount : amount)

const OPEN_SUMS = `
  SELECT currency, count(*), sum(apart)::bigint AS apart,
         coalesce(sum(abs(apart)) FILTER (WHERE kind <> 'late'), 0)::bigint AS unexplained
    FROM (SELECT currency, kind, coalesce(statement_amount, 0) - coalesce(books_amount, 0) AS apart
            FROM reconciliation_items WHERE bank = :bank AND state IN ('open', 'proposed')) open
   GROUP BY currency`
