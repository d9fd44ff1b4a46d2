/** Whose tokens act for a merchant, and what they may do for it. */
import type { Knex } from 'knex'
import { answerOnce, type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import type { Right } from './scopes.ts'

export interface StaffMember {
  readonly issuer: string
  readonly subject: string
}

export interface StaffRow extends StaffMember {
  readonly id: Uuid
  readonly merchant_id: Uuid
  readonly rights: readonly Right[]
  readonly created_by: string
  readonly created_at: Date
}

const COLUMNS = ['id', 'merchant_id', 'issuer', 'subject', 'rights', 'created_by', 'created_at']

/** How many a merchant may have: what a list can show. */
const STAFF_MAX = 200

/**
 * The issuer that is named, or the first; new rows name theirs, so that the order of the
 * configuration means nothing to them.
 * @throws {ServiceError} `issuer_unknown` unless it may say who acts for a merchant.
 */
export function staffIssuer({ TOKEN_ISSUERS }: Config, named: string | undefined): string {
  const [first] = TOKEN_ISSUERS
  const found = TOKEN_ISSUERS.find(({ issuer }) => issuer === (named ?? first.issuer))
  if (found?.scopes.includes('merchant') !== true) throw new ServiceError('issuer_unknown')
  return found.issuer
}

/**
 * Said before anybody is asked to agree. The constraint decides, but it knows issuers by name; rows
 * of before there were several have none. No such row is added any more, so a look is enough.
 * @throws {ServiceError} `merchant_subject_exists`
 */
export async function refuseTakenSubject(
  { db, config }: Pick<Context, 'db' | 'config'>,
  { issuer, subject }: StaffMember,
): Promise<void> {
  const issuers = issuer === config.TOKEN_ISSUERS[0].issuer ? [issuer, ''] : [issuer]
  const taken = await db('merchant_staff')
    .where({ subject, removed_at: null })
    .whereIn('issuer', issuers)
    .first('id')
  if (taken !== undefined) throw new ServiceError('merchant_subject_exists')
}

/** Once for the claim. @throws {ServiceError} `merchant_subject_exists`, `too_many_staff` */
export async function addStaff(
  context: Context,
  merchant: Uuid,
  member: StaffMember & { readonly rights: readonly Right[]; readonly by: string },
  claim: Claim,
): Promise<Outcome> {
  const { issuer, subject, rights, by } = member
  return answerOnce(context.db, claim, async (trx) => {
    await refuseTakenSubject({ ...context, db: trx }, member)
    // Whoever counts is alone, or two would both find room for one.
    await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [`staff ${merchant}`])
    const known = await staffOf(trx, merchant)
    if (known.length >= STAFF_MAX) throw new ServiceError('too_many_staff')
    const [row] = await trx('merchant_staff')
      .insert({
        ...{ id: newId(), merchant_id: merchant, issuer, subject, rights },
        ...{ created_by: by, created_at: context.now() },
      })
      .onConflict()
      .ignore()
      .returning(COLUMNS)
    if (row === undefined) throw new ServiceError('merchant_subject_exists')
    const entry = {
      subject: publicId('stf', row.id),
      detail: { merchant: publicId('mer', merchant) },
    }
    await recordSecurity({ ...context, db: trx }, { kind: 'staff_added', ...entry })
    return JSON.stringify(staffOut(context.config, row))
  })
}

export async function staffOf(db: Knex, merchant: Uuid): Promise<StaffRow[]> {
  return db('merchant_staff')
    .where({ merchant_id: merchant, removed_at: null })
    .orderBy('created_at')
    .limit(STAFF_MAX)
    .select(COLUMNS)
}

/**
 * From now on the member's tokens open nothing of the merchant's.
 * @throws {ServiceError} `not_found` also for who was removed before.
 */
export async function removeStaff(
  context: Context,
  id: Uuid,
  whose: { readonly merchant_id?: Uuid },
): Promise<void> {
  await context.db.transaction(async (trx) => {
    const count = await trx('merchant_staff')
      .where({ id, ...whose, removed_at: null })
      .update({ removed_at: context.now() })
    if (count === 0) throw new ServiceError('not_found')
    const subject = publicId('stf', id)
    await recordSecurity({ ...context, db: trx }, { kind: 'staff_removed', subject })
  })
}

export const staffOut = ({ TOKEN_ISSUERS: [first] }: Config, row: StaffRow) => ({
  id: publicId('stf', row.id),
  merchant: publicId('mer', row.merchant_id),
  issuer: row.issuer === '' ? first.issuer : row.issuer,
  ...{ subject: row.subject, rights: row.rights, created_by: row.created_by },
  created_at: row.created_at.toISOString(),
})
