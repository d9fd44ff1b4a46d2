/** Which fee schedule prices a payment: versions that are dated data, kept in memory. */
import type { Knex } from 'knex'
import type { Currency, Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import type { FeeSchedule } from './terms.ts'
import { type StoredTerms, termsOf } from './terms_schema.ts'

/** Null: for every merchant without a schedule of its own in the currency. */
export type For = Uuid | null

export interface Row {
  readonly id: Uuid
  readonly merchant_id: For
  readonly currency: Currency
  readonly version: number
  readonly terms: StoredTerms
  readonly valid_from: Date | null
  readonly created_by: string | null
  readonly created_at: Date
  readonly activated_by: string | null
  readonly approved_by: string | null
  readonly activated_at: Date | null
}

interface Dated {
  readonly validFrom: Date
  readonly schedule: FeeSchedule
}

/**
 * The schedule that prices the merchant's payments in `currency` at `at`: the newest of its own
 * that has begun, or else the newest of those for all. Versions are remembered for RULES_AGE_MS, so
 * nobody who pays waits for a query; whoever puts one in force forgets them at once, and other
 * processes within that time.
 */
export async function scheduleAt(
  context: Pick<Context, 'db' | 'memory' | 'config' | 'now'>,
  merchant: Uuid,
  currency: Currency,
  at: Date,
): Promise<FeeSchedule | undefined> {
  for (const owner of [merchant, null]) {
    const versions = await context.memory.recall(
      nameOf(owner, currency),
      () => loadVersions(context.db, owner, currency, context.now()),
      context.config.RULES_AGE_MS,
    )
    const found = versions.find(({ validFrom }) => validFrom <= at)
    if (found !== undefined) return found.schedule
  }
  return undefined
}

const nameOf = (merchant: For, currency: Currency) => `fees ${merchant ?? 'of all'} ${currency}`

/** Call it after the commit of a change: from then on it is in force. */
export function forgetVersions(
  { memory }: Pick<Context, 'memory'>,
  merchant: For,
  currency: Currency,
): void {
  memory.forget(nameOf(merchant, currency))
}

/** The one in force and those of the future, the latest first. */
async function loadVersions(db: Knex, merchant: For, currency: Currency, now: Date) {
  const own = { merchant_id: merchant, currency }
  const current = db('fee_schedules').where(own).where('valid_from', '<=', now).max('valid_from')
  const rows: Row[] = await db('fee_schedules')
    .where(own)
    .whereNotNull('valid_from')
    .where(
      (either) => void either.where('valid_from', '>', now).orWhere('valid_from', '=', current),
    )
    .orderBy('valid_from', 'desc')
  return rows.map((row): Dated => ({ validFrom: row.valid_from!, schedule: scheduleFrom(row) }))
}

/** A schedule by its id; one that priced a payment is there as long as the payment is. */
export async function scheduleOf(
  { db, memory }: Pick<Context, 'db' | 'memory'>,
  id: Uuid,
): Promise<FeeSchedule> {
  return memory.recall(`fee schedule ${id}`, async () => {
    const row: Row | undefined = await db('fee_schedules').where({ id }).first()
    if (row === undefined) throw new ServiceError('not_found')
    return scheduleFrom(row)
  })
}

const scheduleFrom = ({ id, version, currency, terms }: Row): FeeSchedule => ({
  ...{ id, version, currency },
  ...termsOf(terms),
})
