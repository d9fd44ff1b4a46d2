/** Binding a device to a person, so that what it signs is their word; and taking that back. */
import type { Knex } from 'knex'
import { answerOnce, type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { type Act, digestOf } from '../approvals/acts.ts'
import { allFactors, type ApprovalBody, approve } from '../approvals/approvals.ts'
import { algorithmOf, type DeviceJwk, keyOf, thumbprintOf } from '../approvals/device_keys.ts'
import { type Algorithm, isSignedBy, readJws } from '../approvals/jws.ts'
import { pinRulesOf } from '../pins/attempts.ts'
import { endSessions, type Issued } from '../credentials/revocations.ts'
import { securityChanged } from '../credentials/standing.ts'

interface Device {
  readonly id: Uuid
  readonly name: string
  readonly alg: Algorithm
  /** Of the key (RFC 7638). */
  readonly thumbprint: string
  readonly createdAt: Date
}

export interface NewDevice {
  readonly name: string
  readonly jwk: DeviceJwk
  /** What the new key signed: nobody binds a key that they do not hold. */
  readonly possession: string
  readonly approval: ApprovalBody | undefined
}

/** By which request a device is bound. */
interface Asked {
  readonly claim: Claim
  readonly key: string
  readonly session: Issued
}

/**
 * Binds a device, with the PIN or a device that is bound; a token alone is never enough. All
 * sessions end but `session`.
 * @throws {ServiceError} `possession_not_proven`, `too_many_devices`, `device_exists`, and what
 *   `approve` throws. None is stored: the same key may be tried again.
 */
export async function bindDevice(
  context: Context,
  person: Uuid,
  { name, jwk, possession, approval: given }: NewDevice,
  { claim, key, session }: Asked,
): Promise<Outcome> {
  const thumbprint = await thumbprintOf(jwk)
  const act: Act = { action: 'device.bind', person, key, facts: { thumbprint, name } }
  await checkPossession(act, jwk, thumbprint, possession)
  const approval = await approve(context, act, given, await allFactors(context, person))
  const at = context.now()
  const device = { id: newId(), name, alg: algorithmOf(jwk), thumbprint, createdAt: at }
  return answerOnce(context.db, claim, async (trx) => {
    // First of all: it locks the person, so that two cannot both be the last that may be bound.
    const subject = publicId('dev', device.id)
    await securityChanged(trx, context, person, { type: 'person.device_bound', at, subject })
    await endSessions(trx, person, at, session)
    if ((await countDevices(trx, person)) >= context.config.DEVICES_MAX) {
      throw new ServiceError('too_many_devices')
    }
    const inserted = await trx('devices')
      .insert({
        ...{ id: device.id, person_id: person, name, jwk: JSON.stringify(jwk), thumbprint },
        ...{ alg: device.alg, bound_by: approval.factor, created_at: at },
      })
      .onConflict('thumbprint')
      .ignore()
      .returning('id')
    if (inserted.length === 0) throw new ServiceError('device_exists')
    return JSON.stringify(deviceOut(device))
  })
}

async function checkPossession(
  act: Act,
  jwk: DeviceJwk,
  thumbprint: string,
  possession: string,
): Promise<void> {
  const signed = readJws(possession, 'florin-possession+jws')
  const key = keyOf(jwk)
  const isProven =
    signed !== undefined &&
    key !== undefined &&
    signed.alg === algorithmOf(jwk) &&
    signed.kid === thumbprint &&
    signed.digest.equals(digestOf(act)) &&
    (await isSignedBy(key, signed))
  if (!isProven) throw new ServiceError('possession_not_proven')
}

/**
 * Takes a device away; what it signs counts for nothing from then on. A token is enough, because a
 * stolen phone cannot be asked, but not for the last thing a person can agree with: who has nothing
 * left could be given a new PIN by whoever has the token. Other sessions than `session` end.
 * @throws {ServiceError} `not_found`, `last_factor`.
 */
export async function revokeDevice(
  context: Context,
  person: Uuid,
  { id, session }: { readonly id: Uuid; readonly session: Issued },
): Promise<void> {
  const at = context.now()
  await context.db.transaction(async (trx) => {
    // The PIN before the person, as whoever changes it goes about it: a reset by a code alone sees
    // that a device was taken away, or is done before it is.
    const hasPin = await hasUsablePin(trx, context, person)
    // Locks the person: of two devices that are revoked at the same time one is the last.
    const subject = publicId('dev', id)
    await securityChanged(trx, context, person, { type: 'person.device_revoked', at, subject })
    await endSessions(trx, person, at, session)
    const revoked = await trx('devices')
      .where({ id, person_id: person })
      .whereNull('revoked_at')
      .update({ revoked_at: at })
    if (revoked === 0) throw new ServiceError('not_found')
    if (!hasPin && (await countDevices(trx, person)) === 0) {
      throw new ServiceError('last_factor')
    }
  })
}

/** A PIN that was wrong too often is nothing to agree with any more. It is locked by this. */
async function hasUsablePin(
  trx: Knex.Transaction,
  { config }: Context,
  person: Uuid,
): Promise<boolean> {
  const pin = await trx('pins').where({ person_id: person }).forUpdate().first('hash', 'failures')
  if (pin === undefined || pin.hash === null) return false
  return pin.failures < pinRulesOf(config).failuresMax
}

/** Those that are bound, in the order in which they were. */
export async function findDevices(db: Knex, person: Uuid): Promise<Device[]> {
  const rows = await db('devices')
    .where({ person_id: person })
    .whereNull('revoked_at')
    .orderBy('id')
    .select('id', 'name', 'alg', 'thumbprint', 'created_at as createdAt')
  return rows
}

/** Of any device there ever was: what it signed when it was bound stays signed. */
export async function findDeviceKey(db: Knex, id: Uuid): Promise<DeviceJwk | undefined> {
  const row = await db('devices').where({ id }).first('jwk')
  return row?.jwk
}

export async function countDevices(db: Knex, person: Uuid): Promise<number> {
  const row = await db('devices')
    .where({ person_id: person })
    .whereNull('revoked_at')
    .count({ count: '*' })
    .first()
  return Number(row?.['count'])
}

/** How many were taken away since. */
export async function countRevoked(db: Knex, person: Uuid, since: Date): Promise<number> {
  const row = await db('devices')
    .where({ person_id: person })
    .where('revoked_at', '>', since)
    .count({ count: '*' })
    .first()
  return Number(row?.['count'])
}

export const deviceOut = ({ id, name, alg, thumbprint, createdAt }: Device) => ({
  ...{ id: publicId('dev', id), name, alg, thumbprint, created_at: createdAt.toISOString() },
})
