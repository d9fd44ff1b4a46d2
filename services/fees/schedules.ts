/** Fee schedules: drafted, put in force by two operators, and never changed after that. */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  type Currency,
  newId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import { isExcessive } from './bounds.ts'
import { type StoredTerms, termsOf } from './terms_schema.ts'
import { type For, forgetVersions, type Row } from './versions.ts'

export interface NewFeeSchedule {
  readonly currency: Currency
  readonly terms: StoredTerms
}

/** @throws {ServiceError} `fee_terms_excessive` where they take more than any payment comes to. */
export function refuseExcessive({ terms }: Pick<NewFeeSchedule, 'terms'>): void {
  if (isExcessive(termsOf(terms))) throw new ServiceError('fee_terms_excessive')
}

/** @throws {ServiceError} `fee_schedule_in_past`. */
export function refusePast(validFrom: Date | undefined, now: Date): void {
  if (validFrom !== undefined && validFrom < now) throw new ServiceError('fee_schedule_in_past')
}

interface Who {
  readonly by: string
  readonly approvedBy?: string | undefined
}

/** A draft prices nothing, so it takes nobody else. */
export async function draftFeeSchedule(
  context: Context,
  merchant: For,
  asked: NewFeeSchedule,
  { by }: Who,
  claim: Claim,
): Promise<Outcome> {
  refuseExcessive(asked)
  return answerOnce(context.db, claim, async (trx) => {
    await lockVersions(trx, merchant, asked.currency)
    const version = await nextVersion(trx, merchant, asked.currency)
    const row = newRow({ merchant, ...asked, by, at: context.now() }, version)
    await trx('fee_schedules').insert({ ...row, terms: JSON.stringify(row.terms) })
    await noted(context, trx, row.id, 'fee_schedule.drafted')
    return JSON.stringify(scheduleOut(row))
  })
}

/**
 * From `validFrom` on, or from now, the draft prices payments; those made before keep the schedule
 * that priced them.
 * @throws {ServiceError} `not_found`, `fee_schedule_in_past`, `fee_schedule_in_force`,
 *   `fee_schedule_exists` where another begins at that very moment.
 */
export async function activateFeeSchedule(
  context: Context,
  id: Uuid,
  validFrom: Date | undefined,
  who: Who,
  claim: Claim,
): Promise<Outcome> {
  const { currency, merchant_id: merchant } = await refuseInForce(context.db, id)
  const outcome = await answerOnce(context.db, claim, async (trx) => {
    await lockVersions(trx, merchant, currency)
    const at = context.now()
    refusePast(validFrom, at)
    await refuseTaken(trx, merchant, currency, validFrom ?? at)
    const [row] = await trx<Row>('fee_schedules')
      .where({ id })
      .whereNull('valid_from')
      .update(inForce(validFrom ?? at, at, who))
      .returning('*')
    if (row === undefined) throw new ServiceError('fee_schedule_in_force')
    await created(context, trx, id)
    return JSON.stringify(scheduleOut(row))
  })
  forgetVersions(context, merchant, currency)
  return outcome
}

/** Draft and activation in one: what a merchant pays from `validFrom` on, or from now. */
export async function createFeeSchedule(
  context: Context,
  merchant: Uuid,
  asked: NewFeeSchedule & { readonly validFrom: Date | undefined },
  who: Who,
  claim: Claim,
): Promise<Outcome> {
  refuseExcessive(asked)
  const outcome = await answerOnce(context.db, claim, async (trx) => {
    await lockVersions(trx, merchant, asked.currency)
    const at = context.now()
    const { validFrom = at, ...draft } = asked
    refusePast(validFrom, at)
    await refuseTaken(trx, merchant, asked.currency, validFrom)
    const version = await nextVersion(trx, merchant, asked.currency)
    const made = newRow({ merchant, ...draft, by: who.by, at }, version)
    const row = { ...made, ...inForce(validFrom, at, who) }
    await trx('fee_schedules').insert({ ...row, terms: JSON.stringify(row.terms) })
    await created(context, trx, row.id)
    return JSON.stringify(scheduleOut(row))
  })
  forgetVersions(context, merchant, asked.currency)
  return outcome
}

const created = (context: Context, trx: Knex.Transaction, id: Uuid) =>
  recordSecurity(
    { ...context, db: trx },
    { kind: 'fee_schedule_created', subject: publicId('fee', id) },
  )

const noted = (context: Context, trx: Knex.Transaction, id: Uuid, action: string) =>
  recordSecurity(
    { ...context, db: trx },
    { kind: 'manual_action', subject: publicId('fee', id), detail: { action } },
  )

/** Whoever changes the prices of the same merchant in the same currency waits. */
async function lockVersions(trx: Knex.Transaction, merchant: For, currency: Currency) {
  const lock = `fee schedules ${merchant ?? 'of all'} ${currency}`
  await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [lock])
}

/** Under the lock. */
async function nextVersion(trx: Knex.Transaction, merchant: For, currency: Currency) {
  const last = await trx('fee_schedules')
    .where({ merchant_id: merchant, currency })
    .max({ version: 'version' })
    .first()
  return Number(last?.['version'] ?? 0) + 1
}

/** Under the lock. @throws {ServiceError} `fee_schedule_exists`. */
async function refuseTaken(trx: Knex.Transaction, merchant: For, currency: Currency, from: Date) {
  const where = { merchant_id: merchant, currency, valid_from: from }
  const taken = await trx('fee_schedules').where(where).first('id')
  if (taken !== undefined) throw new ServiceError('fee_schedule_exists')
}

interface Draft extends NewFeeSchedule {
  readonly merchant: For
  readonly by: string
  readonly at: Date
}

const newRow = ({ merchant, currency, terms, by, at }: Draft, version: number): Row => ({
  ...{ id: newId(), merchant_id: merchant, currency, version, terms },
  ...{ valid_from: null, created_by: by, created_at: at },
  ...{ activated_by: null, approved_by: null, activated_at: null },
})

const inForce = (validFrom: Date, at: Date, { by, approvedBy }: Who) => ({
  ...{ valid_from: validFrom, activated_at: at, activated_by: by },
  approved_by: approvedBy ?? null,
})

/** The first schedule of a merchant that is being taken on, for the unit that does it. */
export function firstSchedule(merchant: Uuid, fees: NewFeeSchedule, by: string, at: Date) {
  const row = { ...newRow({ merchant, ...fees, by, at }, 1), ...inForce(at, at, { by }) }
  return { row: { ...row, terms: JSON.stringify(row.terms) }, shown: scheduleOut(row) }
}

const isoOf = (at: Date | null) => at?.toISOString() ?? null

const scheduleOut = (row: Row) => ({
  id: publicId('fee', row.id),
  merchant: row.merchant_id === null ? null : publicId('mer', row.merchant_id),
  version: row.version,
  state: row.valid_from === null ? 'draft' : 'active',
  currency: row.currency,
  ...row.terms,
  valid_from: isoOf(row.valid_from),
  created_by: row.created_by,
  created_at: row.created_at.toISOString(),
  activated_by: row.activated_by,
  approved_by: row.approved_by,
  activated_at: isoOf(row.activated_at),
})

/** @throws {ServiceError} `not_found`, or `fee_schedule_in_force` for what is no draft any more. */
export async function refuseInForce(db: Knex, id: Uuid): Promise<Row> {
  const row: Row | undefined = await db('fee_schedules').where({ id }).first()
  if (row === undefined) throw new ServiceError('not_found')
  if (row.valid_from !== null) throw new ServiceError('fee_schedule_in_force')
  return row
}

interface Listed {
  /** A merchant: of its own and of those for all, what is no draft any more. */
  readonly visibleTo?: Uuid
  readonly merchant: Uuid | undefined
  readonly currency: string | undefined
  readonly before: Uuid | undefined
  readonly limit: number
}

/** Newest first. */
export async function findSchedules(db: Knex, listed: Listed) {
  const { visibleTo, merchant, currency, before, limit } = listed
  const query = db('fee_schedules').orderBy('id', 'desc').limit(limit)
  if (visibleTo !== undefined) {
    query
      .whereNotNull('valid_from')
      .where((own) => void own.where({ merchant_id: visibleTo }).orWhereNull('merchant_id'))
  }
  if (merchant !== undefined) query.where({ merchant_id: merchant })
  if (currency !== undefined) query.where({ currency })
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(scheduleOut)
}
