/** Merchants as they are taken on, each with its first fee schedule. */
import type { Knex } from 'knex'
import { type Claim, newId, newUnitId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { refused } from '../answers.ts'
import { firstSchedule, type NewFeeSchedule, refuseExcessive } from '../fees/schedules.ts'
import { publicId } from '../ids.ts'
import { refuseTakenSubject, type StaffMember } from '../credentials/staff.ts'
import { securityCompanion } from '../security/log.ts'
import type { Profile } from './profile.ts'

type FirstProfile = Partial<Omit<Profile, 'settlement_account_id'>>

export interface NewMerchant {
  readonly name: string
  readonly alias: string
  /** The first whose tokens act for the merchant. */
  readonly staff: StaffMember
  /** The operator who takes it on. */
  readonly by: string
  readonly fees: NewFeeSchedule
  readonly state: 'draft' | 'active'
  /** What is known of it already. */
  readonly profile: FirstProfile
}

/** Records the merchant with its alias and its first fee schedule. */
export async function createMerchant(
  context: Context,
  merchant: NewMerchant,
  claim: Claim | undefined,
): Promise<Outcome> {
  const now = context.now()
  const id = newId()
  const { name, alias, staff, by, fees, state, profile } = merchant
  const { issuer, subject } = staff
  await refuseTakenSubject(context, staff)
  refuseExcessive(fees)
  const schedule = firstSchedule(id, fees, by, now)
  const taken = {
    ...{ kind: 'manual_action' as const, subject: publicId('mer', id) },
    detail: { action: 'merchant.created' },
  }
  const body = {
    ...{ id: publicId('mer', id), name, alias, subject, state },
    fee_schedule: schedule.shown,
    created_at: now.toISOString(),
  }
  return context.group.submit({
    ...{ id: newUnitId(), at: now, transfers: [], ...(claim && { claim }) },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const rows = {
        merchants: [{ ...profile, id, subject, name, state, state_at: now, created_at: now }],
        merchant_staff: [{ merchant_id: id, issuer, subject, created_by: by, created_at: now }],
        aliases: [{ alias, merchant_id: id }],
        fee_schedules: [schedule.row],
        security_log: [securityCompanion(context, taken)],
      }
      return { rows, answer: JSON.stringify(body) }
    },
  })
}

/** @throws {ServiceError} `not_found` */
export async function refuseUnknown(db: Knex, merchant: Uuid): Promise<void> {
  const row = await db('merchants').where({ id: merchant }).first('id')
  if (row === undefined) throw new ServiceError('not_found')
}
