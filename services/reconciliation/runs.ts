/** Reconciliations: what was asked for, how far it is, and what it came to. */
import type { Knex } from 'knex'
import { type Money, newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'

export const SOURCES = ['bank', 'camt053', 'csv'] as const
export type Source = (typeof SOURCES)[number]

export const RUN_STATES = ['queued', 'running', 'completed', 'failed'] as const

export const ITEM_KINDS = [
  ...(['matched', 'unmatched_in_statement', 'unmatched_in_books'] as const),
  ...(['amount_differs', 'duplicate', 'late'] as const),
] as const
export type ItemKind = (typeof ITEM_KINDS)[number]

export interface Run {
  readonly id: Uuid
  readonly bank: string
  readonly source: Source
  readonly state: (typeof RUN_STATES)[number]
  readonly file_hash: Buffer | null
  readonly requested_by: string
  readonly attempts: number
  readonly lines: bigint
  readonly fresh: bigint
  readonly done: bigint
  readonly counts: Partial<Record<ItemKind, number>>
  readonly period_from: string | null
  readonly period_to: string | null
  readonly failure: string | null
  readonly created_at: Date
  readonly completed_at: Date | null
}

export interface NewRun {
  readonly id?: Uuid
  readonly bank: string
  readonly source: Source
  readonly requestedBy: string
  readonly fileHash?: Buffer
  /** `2026-03-01`, of one that nobody asked for. */
  readonly scheduledFor?: string
  readonly at: Date
}

/** @returns undefined when the same file, or the same day, has one already. */
export async function addRun(db: Knex, run: NewRun): Promise<Run | undefined> {
  const [row] = await db('reconciliations')
    .insert({
      ...{ id: run.id ?? newId(), bank: run.bank, source: run.source, state: 'queued' },
      ...{ requested_by: run.requestedBy, file_hash: run.fileHash ?? null },
      ...{ scheduled_for: run.scheduledFor ?? null, created_at: run.at, due_at: run.at },
    })
    .onConflict()
    .ignore()
    .returning(COLUMNS(db))
  return row
}

/** Days as text: a date has no time, and so no zone. */
const COLUMNS = (db: Knex) => [
  ...['id', 'bank', 'source', 'state', 'file_hash', 'requested_by', 'attempts', 'lines', 'fresh'],
  ...['done', 'counts', 'failure', 'created_at', 'completed_at'],
  db.raw('period_from::text'),
  db.raw('period_to::text'),
]

export async function findRun(db: Knex, id: Uuid): Promise<Run | undefined> {
  return db('reconciliations').where({ id }).first(COLUMNS(db))
}

/** The one that read the file, or is to. */
export async function findRunOfFile(db: Knex, bank: string, hash: Buffer) {
  const run: Run | undefined = await db('reconciliations')
    .where({ bank, file_hash: hash })
    .whereNot({ state: 'failed' })
    .first(COLUMNS(db))
  return run
}

/** Newest first. */
export async function findRuns(
  db: Knex,
  where: {
    readonly bank?: string | undefined
    readonly before?: Uuid | undefined
    readonly limit: number
  },
): Promise<Run[]> {
  const query = db('reconciliations').orderBy('id', 'desc').limit(where.limit)
  if (where.bank !== undefined) query.where({ bank: where.bank })
  if (where.before !== undefined) query.where('id', '<', where.before)
  return query.select(COLUMNS(db))
}

export async function newestCompleted(db: Knex, bank: string): Promise<Run | undefined> {
  return db('reconciliations')
    .where({ bank, state: 'completed' })
    .orderBy('completed_at', 'desc')
    .first(COLUMNS(db))
}

export interface Balance {
  readonly reconciliation_id: Uuid
  readonly currency: string
  readonly opening: bigint | null
  readonly closing: bigint | null
  readonly statement: bigint
  readonly books: bigint
  readonly unexplained: bigint
  readonly open_items: bigint
}

export async function findBalances(db: Knex, runs: readonly Uuid[]): Promise<Balance[]> {
  return db('reconciliation_balances').whereIn('reconciliation_id', runs).orderBy('currency')
}

/** @throws {ServiceError} `not_found` for a bank that nobody knows. */
export function refuseUnknownBank({ banks }: Context, bank: string): void {
  if (!banks.has(bank)) throw new ServiceError('not_found')
}

const money = (amount: bigint, currency: Money['currency']) => ({
  ...{ amount: amount.toString(), currency },
})

export function balanceOut(balance: Balance) {
  const { currency, opening, closing } = balance
  return {
    currency,
    opening_balance: opening === null ? null : money(opening, currency),
    closing_balance: closing === null ? null : money(closing, currency),
    statement: money(balance.statement, currency),
    books: money(balance.books, currency),
    unexplained: money(balance.unexplained, currency),
    open_items: countOf(balance),
    agrees: agrees(balance),
  }
}

const countOf = ({ open_items: count }: Balance) => Number(count)

const agrees = ({ statement, books, unexplained, open_items }: Balance) =>
  statement === books && unexplained === 0n && open_items === 0n

export function runOut(run: Run, balances: readonly Balance[]) {
  const { period_from: from, period_to: to, counts } = run
  return {
    id: publicId('rcn', run.id),
    bank: run.bank,
    source: run.source,
    state: run.state,
    file_sha256: run.file_hash?.toString('hex') ?? null,
    period: from === null || to === null ? null : { from, to },
    lines: Number(run.lines),
    fresh_lines: Number(run.fresh),
    done_lines: Number(run.done),
    counts: Object.fromEntries(ITEM_KINDS.map((kind) => [kind, counts[kind] ?? 0])),
    balances: balances.filter((one) => one.reconciliation_id === run.id).map(balanceOut),
    requested_by: run.requested_by,
    failure: run.failure,
    created_at: run.created_at.toISOString(),
    completed_at: run.completed_at?.toISOString() ?? null,
  }
}

export async function shownRuns(db: Knex, runs: readonly Run[]) {
  const ids = runs.map(({ id }) => id)
  const balances = await findBalances(db, ids)
  return runs.map((run) => runOut(run, balances))
}
