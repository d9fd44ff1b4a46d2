/** What operators have closed: a bank, or one of its rails, from a moment on and until another. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Dated } from '../rules/book.ts'

export interface Outage extends Dated {
  readonly id: Uuid
  readonly bank: string
  /** Null: all of them. */
  readonly rail: string | null
  readonly reason: string
  readonly createdBy: string
}

/** More than so many at once is a mistake. */
const OUTAGES_MAX = 1_000

/** Those in force and those to come. */
export async function loadOutages(db: Knex, now: Date): Promise<Outage[]> {
  const rows: Row[] = await db('bank_outages')
    .where((open) => void open.whereNull('valid_to').orWhere('valid_to', '>', now))
    .orderBy('id')
    .limit(OUTAGES_MAX)
  return rows.map(fromRow)
}

export interface Row {
  readonly id: Uuid
  readonly bank: string
  readonly rail: string | null
  readonly reason: string
  readonly valid_from: Date
  readonly valid_to: Date | null
  readonly created_by: string
}

export const fromRow = (row: Row): Outage => ({
  ...{ id: row.id, bank: row.bank, rail: row.rail, reason: row.reason },
  ...{ validFrom: row.valid_from, validTo: row.valid_to, createdBy: row.created_by },
})
