/** Merchants, and the price lists they pay by. */
import type { Knex } from 'knex'
import {
  type Claim,
  type Currency,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { refused } from '../answers.ts'
import { publicId } from '../ids.ts'
import { refuseTakenSubject, type StaffMember } from '../identity/staff.ts'
import { securityCompanion } from '../security/log.ts'
import { refundFeesOf } from '../refunds/fees.ts'
import type { RefundFees } from '../refunds/policy.ts'
import type { FeeSchedule } from './fees.ts'

export interface NewMerchant {
  readonly name: string
  readonly alias: string
  /** The first whose tokens act for the merchant. */
  readonly staff: StaffMember
  /** The operator who takes it on. */
  readonly by: string
  readonly fees: NewFeeSchedule
  readonly state: 'draft' | 'active'
}

export interface NewFeeSchedule {
  readonly percent: string
  readonly fixed: bigint
  readonly taxPercent: string
  readonly currency: Currency
  readonly refundFees: RefundFees
}

/** Records the merchant with its alias and its first fee schedule. */
export async function createMerchant(
  context: Context,
  merchant: NewMerchant,
  claim: Claim | undefined,
): Promise<Outcome> {
  const now = context.now()
  const id = newId()
  const { name, alias, staff, by, fees, state } = merchant
  const { issuer, subject } = staff
  await refuseTakenSubject(context, staff)
  const schedule = scheduleRow(newId(), id, fees, now)
  const taken = {
    ...{ kind: 'manual_action' as const, subject: publicId('mer', id) },
    detail: { action: 'merchant.created' },
  }
  const body = {
    ...{ id: publicId('mer', id), name, alias, subject, state },
    fee_schedule: scheduleOut({ ...fees, id: schedule.id }),
    created_at: now.toISOString(),
  }
  return context.group.submit({
    ...{ id: newUnitId(), at: now, transfers: [], ...(claim && { claim }) },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const rows = {
        merchants: [{ id, subject, name, state, state_at: now, created_at: now }],
        merchant_staff: [{ merchant_id: id, issuer, subject, created_by: by, created_at: now }],
        aliases: [{ alias, merchant_id: id }],
        fee_schedules: [schedule],
        security_log: [securityCompanion(context, taken)],
      }
      return { rows, answer: JSON.stringify(body) }
    },
  })
}

/** @throws {ServiceError} `fee_schedule_in_past`, as `createFeeSchedule` would. */
export function refusePast(validFrom: Date | undefined, now: Date): void {
  if (validFrom !== undefined && validFrom < now) throw new ServiceError('fee_schedule_in_past')
}

/**
 * What a merchant pays from `validFrom` on, or from now: payments that were made before keep the
 * schedule that priced them.
 * @throws {ServiceError} `not_found` without such a merchant, `fee_schedule_in_past`.
 */
export async function createFeeSchedule(
  context: Context,
  merchant: Uuid,
  { fees, validFrom }: { readonly fees: NewFeeSchedule; readonly validFrom: Date | undefined },
  claim: Claim,
): Promise<Outcome> {
  const now = context.now()
  await refuseUnknown(context.db, merchant)
  refusePast(validFrom, now)
  const row = scheduleRow(newId(), merchant, fees, validFrom ?? now)
  const body = {
    ...scheduleOut({ ...fees, id: row.id }),
    merchant: publicId('mer', merchant),
    valid_from: row.valid_from.toISOString(),
  }
  const created = { kind: 'fee_schedule_created', subject: publicId('fee', row.id) } as const
  return context.group.submit({
    ...{ id: newUnitId(), at: now, transfers: [], claim },
    conclude: (verdict) =>
      verdict.accepted
        ? {
            rows: { fee_schedules: [row], security_log: [securityCompanion(context, created)] },
            answer: JSON.stringify(body),
          }
        : refused(verdict),
  })
}

/** @throws {ServiceError} `not_found` */
export async function refuseUnknown(db: Knex, merchant: Uuid): Promise<void> {
  const row = await db('merchants').where({ id: merchant }).first('id')
  if (row === undefined) throw new ServiceError('not_found')
}

function scheduleRow(id: Uuid, merchant: Uuid, fees: NewFeeSchedule, validFrom: Date) {
  return {
    ...{ id, merchant_id: merchant, percent: fees.percent, fixed: fees.fixed.toString() },
    ...{ tax_percent: fees.taxPercent, currency: fees.currency, valid_from: validFrom },
    refund_fees: fees.refundFees,
  }
}

const scheduleOut = (schedule: FeeSchedule) => ({
  id: publicId('fee', schedule.id),
  percent: schedule.percent,
  fixed: schedule.fixed.toString(),
  tax_percent: schedule.taxPercent,
  currency: schedule.currency,
  refund_fees: refundFeesOf(schedule),
})

/** The schedule that prices the merchant's payments in `currency` at `at`: the newest valid one. */
export async function scheduleAt(
  db: Knex,
  merchant: Uuid,
  currency: Currency,
  at: Date,
): Promise<FeeSchedule | undefined> {
  const row = await db('fee_schedules')
    .where({ merchant_id: merchant, currency })
    .where('valid_from', '<=', at)
    .where((either) => void either.whereNull('valid_to').orWhere('valid_to', '>', at))
    .orderBy('valid_from', 'desc')
    .first()
  return row && scheduleFrom(row)
}

/** The schedule that a payment was priced by, which is there as long as the payment is. */
export async function scheduleOf(db: Knex, id: Uuid): Promise<FeeSchedule> {
  const row: ScheduleRow | undefined = await db('fee_schedules').where({ id }).first()
  if (row === undefined) throw new Error(`fee schedule ${id} is not there`)
  return scheduleFrom(row)
}

interface ScheduleRow {
  readonly id: Uuid
  readonly percent: string
  readonly fixed: bigint
  readonly tax_percent: string
  readonly currency: Currency
  readonly refund_fees: RefundFees
}

const scheduleFrom = (row: ScheduleRow): FeeSchedule => ({
  ...{ id: row.id, percent: shortest(row.percent), fixed: row.fixed },
  ...{ taxPercent: shortest(row.tax_percent), currency: row.currency },
  refundFees: row.refund_fees,
})

/** '1.40' as people write it: '1.4'. */
const shortest = (percent: string) =>
  percent.includes('.') ? percent.replace(/\.?0+$/, '') : percent
