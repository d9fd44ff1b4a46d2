/**
 * The entries of an account: a page of them, or all of a span with the balances around it.
 *
 * Entries never change and are numbered in the order of their recording. So a number is as good as
 * a snapshot: whoever reads up to it in batches, however slowly, reads what one query would have
 * read, and holds neither a transaction nor a connection meanwhile.
 */
import type { Knex } from 'knex'
import type { Side } from './chart.ts'
import { LedgerError } from './errors.ts'
import type { AccountId, TransferId, Uuid } from './ids.ts'
import type { Currency } from './money.ts'
import { after, balanceBefore, type CountedBy, refuseUnanswerable, TIME } from './moments.ts'
import type { Transfer } from './units.ts'

export interface Entry {
  /** 1, 2, 3, ... without gaps. */
  readonly entry: bigint
  readonly side: Side
  readonly transferId: TransferId
  readonly kind: Transfer['kind']
  readonly code: string
  readonly reference: Uuid
  readonly amount: bigint
  readonly currency: Currency
  /** Posted balance after the entry. */
  readonly balance: bigint
  readonly effectiveAt: Date
  readonly bookedAt: Date
  readonly recordedAt: Date
}

/** Entries that count from `from` on and before `to`, by one of their times. */
export interface Span {
  readonly by?: CountedBy | undefined
  readonly from?: Date | undefined
  readonly to?: Date | undefined
}

export interface Page extends Span {
  /** Which come first; the newest, where it is left out. */
  readonly order?: 'newest' | 'oldest'
  /** The number of the entry where the page before ended. */
  readonly beyond?: bigint | undefined
  /** No entry after this one. */
  readonly last?: bigint | undefined
  /** Only what was recorded after the span, and counts in it. */
  readonly isSince?: boolean
  readonly limit: number
}

const COLUMNS = `entry, side, transfer_id AS "transferId", kind, code, reference, amount, currency,
                 balance, effective_at AS "effectiveAt", booked_at AS "bookedAt",
                 recorded_at AS "recordedAt"`

const ORDER = {
  newest: { sql: 'DESC', isBeyond: 'entry < :beyond' },
  oldest: { sql: 'ASC', isBeyond: 'entry > :beyond' },
} as const

/**
 * Where a span lies: first among the entries recorded in it, and up to a minute before, which are
 * one range of numbers; then among those recorded since, of which only late ones can count.
 */
const FROM_WITHIN = `entry > (SELECT entry_at(:account,
  cast(:from AS timestamptz) - interval '1 minute 1 microsecond'))`
const TO_WITHIN = `entry <= (SELECT entry_at(:account,
  cast(:to AS timestamptz) - interval '1 microsecond'))`
const SINCE = 'is_late AND recorded_at >= :to'

/** Follows from the numbers, and lets the index begin where the page before ended. */
const SINCE_BEYOND = `recorded_at >= (SELECT recorded_at FROM entries
  WHERE account_id = :account AND entry = :beyond)`

function pageSql({ by = 'recorded', order = 'newest', ...page }: Page): string {
  const { from, to, beyond, last, isSince = false } = page
  const { sql, isBeyond } = ORDER[order]
  const common = [
    'account_id = :account',
    ...(from === undefined ? [] : [`${TIME[by]} >= :from`]),
    ...(to === undefined ? [] : [`${TIME[by]} < :to`]),
    ...(beyond === undefined ? [] : [isBeyond]),
    ...(last === undefined ? [] : ['entry <= :last']),
  ]
  const part = (orderBy: string, conditions: readonly string[]) =>
    `(SELECT ${COLUMNS} FROM entries WHERE ${[...common, ...conditions].join(' AND ')}
       ORDER BY ${orderBy} LIMIT :limit)`
  const within = part(`entry ${sql}`, [
    ...(from === undefined ? [] : [FROM_WITHIN]),
    ...(to === undefined ? [] : [TO_WITHIN]),
  ])
  if (by === 'recorded' || to === undefined) return within
  const isLaterPage = beyond !== undefined && order === 'oldest'
  const since = part(`recorded_at ${sql}, entry ${sql}`, [
    SINCE,
    ...(isLaterPage ? [SINCE_BEYOND] : []),
  ])
  if (isSince) return since
  return `SELECT * FROM (${within} UNION ALL ${since}) AS pages ORDER BY entry ${sql} LIMIT :limit`
}

/**
 * `limit` entries at most, the newest or the oldest of the span first.
 * @throws {LedgerError} `moment_not_answerable` when the span is empty, not over yet, or begins
 *   before the account was opened.
 */
export async function findEntries(db: Knex, account: AccountId, page: Page): Promise<Entry[]> {
  const { from, to } = page
  if (from !== undefined && to !== undefined && from >= to) {
    throw new LedgerError('moment_not_answerable')
  }
  const asked = [from, to].filter((moment) => moment !== undefined)
  if (asked.length > 0) await refuseUnanswerable(db, account, asked)
  return readPage(db, account, page)
}

async function readPage(db: Knex, account: AccountId, page: Page): Promise<Entry[]> {
  const { from, to, beyond, last, limit } = page
  const { rows } = await db.raw<{ rows: Entry[] }>(pageSql(page), {
    ...{ account, limit },
    ...(from !== undefined && { from: from.toISOString() }),
    ...(to !== undefined && { to: to.toISOString() }),
    ...(beyond !== undefined && { beyond: beyond.toString() }),
    ...(last !== undefined && { last: last.toString() }),
  })
  return rows
}

export interface Statement {
  /** What it covers: where nothing was asked for, all that has been recorded. */
  readonly from: Date
  readonly to: Date
  /** On the normal side, in minor units: before the first entry of the span, and after the last. */
  readonly opening: bigint
  readonly closing: bigint
  /** In the order of their recording; each with the balance by this statement's own time. */
  readonly entries: AsyncIterable<readonly Entry[]>
}

const BATCH = 1_000n

/**
 * Everything that is known of the span now. The entries are read as they are asked for, a thousand
 * at a time, so that neither their number nor a slow reader costs memory or a connection.
 * @throws {LedgerError} `account_not_found`; `moment_not_answerable` when the span is empty, not
 *   over yet, or begins before the account was opened.
 */
export async function openStatement(
  db: Knex,
  account: AccountId,
  { by = 'recorded', ...span }: Span,
): Promise<Statement> {
  return db.transaction(
    async (snapshot) => {
      const { now, ...stand } = await standOf(snapshot, account)
      const asked = [span.from, span.to].filter((moment) => moment !== undefined)
      await refuseUnanswerable(snapshot, account, asked)
      const { from = stand.openedAt, to = after(now) } = span
      if (from >= to) throw new LedgerError('moment_not_answerable')
      const before = (moment: Date) => {
        const moments = by === 'recorded' ? { known: moment } : { counted: moment }
        return balanceBefore(snapshot, account, { by, ...moments })
      }
      const [opening, closing] = [await before(from), await before(to)]
      const within = await numbersOf(snapshot, account, { by, from, to })
      const entries = entriesOf(db, account, { by, from, to, ...stand, within, opening })
      return { from, to, opening, closing, entries }
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  )
}

interface Stand {
  readonly last: bigint
  readonly normalSide: Side
  readonly openedAt: Date
}

async function standOf(db: Knex, account: AccountId): Promise<Stand & { readonly now: Date }> {
  const row: (Stand & { now: Date }) | undefined = await db('accounts')
    .where({ id: account })
    .first({ last: 'last_entry', normalSide: 'normal_side', openedAt: 'opened_at' })
    .select(db.raw('statement_timestamp() AS now'))
  if (row === undefined) throw new LedgerError('account_not_found')
  return row
}

interface Numbers {
  readonly first: bigint
  readonly last: bigint
}

/** The entries recorded in the span, and, as they may count in it, up to a minute before. */
async function numbersOf(db: Knex, account: AccountId, { by, from, to }: Span): Promise<Numbers> {
  const ahead = by === 'recorded' ? '0' : '1 minute'
  const { rows } = await db.raw<{ rows: [Numbers] }>(
    `SELECT 1 + entry_at(:account, cast(:from AS timestamptz) - cast(:ahead AS interval)
                                   - interval '1 microsecond') AS first,
            entry_at(:account, cast(:to AS timestamptz) - interval '1 microsecond') AS last`,
    { account, ahead, from: from?.toISOString() ?? '', to: to?.toISOString() ?? '' },
  )
  return rows[0]
}

interface Reading extends Required<Span>, Stand {
  readonly within: Numbers
  readonly opening: bigint
}

async function* entriesOf(
  db: Knex,
  account: AccountId,
  reading: Reading,
): AsyncGenerator<readonly Entry[]> {
  let balance = reading.opening
  for await (const batch of batchesOf(db, account, reading)) {
    yield batch.map((entry) => {
      balance += changeBy(entry, reading.normalSide)
      return { ...entry, balance }
    })
  }
}

/** First a thousand numbers at a time, which no statistics can mislead; then what is late. */
async function* batchesOf(
  db: Knex,
  account: AccountId,
  { within, ...span }: Reading,
): AsyncGenerator<readonly Entry[]> {
  for (let first = within.first; first <= within.last; first += BATCH) {
    const end = first + BATCH - 1n
    const last = end < within.last ? end : within.last
    const found = await readWindow(db, account, { ...span, first, last })
    if (found.length > 0) yield found
  }
  if (span.by === 'recorded') return
  let beyond: bigint | undefined
  for (;;) {
    const page: Page = { ...span, order: 'oldest', isSince: true, beyond, limit: Number(BATCH) }
    const found = await readPage(db, account, page)
    const end = found.at(-1)
    if (end === undefined) return
    yield found
    beyond = end.entry
  }
}

async function readWindow(
  db: Knex,
  account: AccountId,
  { by = 'recorded', from, to, first, last }: Span & Numbers,
): Promise<Entry[]> {
  const { rows } = await db.raw<{ rows: Entry[] }>(
    `SELECT ${COLUMNS} FROM entries
      WHERE account_id = :account AND entry BETWEEN :first AND :last
        AND ${TIME[by]} >= :from AND ${TIME[by]} < :to
      ORDER BY entry`,
    {
      ...{ account, first: first.toString(), last: last.toString() },
      ...{ from: from?.toISOString() ?? '', to: to?.toISOString() ?? '' },
    },
  )
  return rows
}

/** What the entry does to the posted balance: nothing, when it only reserves or releases. */
function changeBy({ kind, side, amount }: Entry, normalSide: Side): bigint {
  if (kind === 'pending' || kind === 'void') return 0n
  return side === normalSide ? amount : -amount
}
