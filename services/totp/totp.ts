/** A person's authenticator: enrolled, confirmed by its first code, replaced, removed. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import type { Person } from '../people/parties.ts'
import { endSessions, type Issued } from '../credentials/revocations.ts'
import { lockPerson, type SecurityChange, securityChanged } from '../credentials/standing.ts'
import { recoveryHash, seedPlace, wrongCode } from './check.ts'
import { newRecoveryCodes, newSecret, stepOf, uriOf } from './secrets.ts'

/** Who changes something, and by which token: it stays good, all others of theirs do not. */
export interface Holder {
  readonly person: Uuid
  readonly session: Issued
}

interface Enrolment {
  /** Base32. Told once: from now on only the vault knows it. */
  readonly secret: string
  readonly uri: string
  readonly expiresAt: Date
}

/**
 * A new secret, which is worth nothing until it is confirmed. One at a time: the last one counts.
 * @param replaces when the authenticator in use was confirmed, of which the caller has seen a code.
 * @throws {ServiceError} `not_found` for who was erased meanwhile.
 */
export async function enrol(
  context: Context,
  { id, alias }: Person,
  replaces: Date | null,
): Promise<Enrolment> {
  const { db, vault, config, now } = context
  const secret = newSecret()
  const expiresAt = new Date(now().getTime() + config.TOTP_ENROLMENT_S * 1000)
  const seed = vault.seal(seedPlace('totp_enrolments', id), secret)
  await db.transaction(async (trx) => {
    // Before the person, as whoever confirms it, removes it or erases them goes about it.
    await trx('totp_enrolments').where({ person_id: id }).forUpdate().first('person_id')
    await lockPerson(trx, id)
    await trx('totp_enrolments')
      .insert({ person_id: id, seed_sealed: seed, replaces, failed: 0, expires_at: expiresAt })
      .onConflict('person_id')
      .merge(['seed_sealed', 'replaces', 'failed', 'expires_at'])
  })
  const label = alias === null ? publicId('per', id) : `@${alias}`
  return { secret, uri: uriOf(secret, label, config.TOTP_ISSUER), expiresAt }
}

interface Pending {
  readonly seed_sealed: Buffer
  readonly replaces: Date | null
}

/**
 * The app shows what we expect: from now on its codes are asked for. Its first code is used up.
 * @returns recovery codes, told once.
 * @throws {ServiceError} `totp_not_enrolling` when there is nothing to confirm, or no longer;
 *   `approval_refused` for a wrong code, of which there may be few.
 */
export async function confirm(context: Context, holder: Holder, code: string): Promise<string[]> {
  const { person } = holder
  const { db, vault, config, now } = context
  const at = now()
  const codes = await db.transaction(async (trx) => {
    const mine = () => trx('totp_enrolments').where({ person_id: person })
    const pending: Pending | undefined = await mine()
      .where('expires_at', '>', at)
      .where('failed', '<', config.TOTP_ATTEMPTS_MAX)
      .forUpdate()
      .first('seed_sealed', 'replaces')
    if (pending === undefined) throw new ServiceError('totp_not_enrolling')
    const secret = vault.open(seedPlace('totp_enrolments', person), pending.seed_sealed).toString()
    const step = stepOf(secret, code, { at, stepsBack: config.TOTP_STEPS_BACK })
    if (step === undefined) {
      await mine().increment('failed', 1)
      return undefined
    }
    await mine().delete()
    await replace(trx, person, pending.replaces)
    const seed = vault.seal(seedPlace('totp', person), secret)
    const first = { last_step: step.toString(), confirmed_at: at }
    await trx('totp').insert({ person_id: person, seed_sealed: seed, ...first })
    return renewCodes(context, trx, holder, { type: 'person.totp_enrolled', at })
  })
  if (codes === undefined) throw wrongCode(person)
  return codes
}

/** Only the one whose code was seen when the new one was asked for. */
async function replace(trx: Knex.Transaction, person: Uuid, replaces: Date | null): Promise<void> {
  const known = await trx('totp').where({ person_id: person }).forUpdate().first('confirmed_at')
  const confirmedAt: Date | undefined = known?.confirmed_at
  if (confirmedAt?.getTime() !== replaces?.getTime()) throw new ServiceError('totp_not_enrolling')
  if (confirmedAt !== undefined) await trx('totp').where({ person_id: person }).delete()
}

/** Those of before are worth nothing from now on. */
async function renewCodes(
  context: Context,
  trx: Knex.Transaction,
  holder: Holder,
  change: SecurityChange,
): Promise<string[]> {
  const { person } = holder
  const codes = newRecoveryCodes()
  await trx('recovery_codes').where({ person_id: person }).delete()
  await trx('recovery_codes').insert(
    codes.map((code) => ({
      ...{ person_id: person, hash: recoveryHash(context, person, code), created_at: change.at },
    })),
  )
  await changed(trx, context, holder, change)
  return codes
}

/** The person is told, limits are reduced for a while, and other sessions end. */
async function changed(
  trx: Knex.Transaction,
  context: Context,
  { person, session }: Holder,
  change: SecurityChange,
): Promise<void> {
  await securityChanged(trx, context, person, change)
  await endSessions(trx, person, change.at, session)
}

/** @throws {ServiceError} `totp_not_set` where the authenticator was removed meanwhile. */
export async function newCodes(context: Context, holder: Holder): Promise<string[]> {
  const { person } = holder
  const at = context.now()
  return context.db.transaction(async (trx) => {
    const mine = await trx('totp').where({ person_id: person }).forUpdate().first('person_id')
    if (mine === undefined) throw new ServiceError('totp_not_set')
    return renewCodes(context, trx, holder, { type: 'person.recovery_codes_renewed', at })
  })
}

/** Nothing of it is left. */
export async function remove(context: Context, holder: Holder): Promise<void> {
  const { person } = holder
  const at = context.now()
  await context.db.transaction(async (trx) => {
    // First of all, as whoever confirms one goes about it, or the two could wait for each other.
    await trx('totp_enrolments').where({ person_id: person }).delete()
    const removed = await trx('totp').where({ person_id: person }).delete()
    if (removed === 0) throw new ServiceError('totp_not_set')
    await trx('recovery_codes').where({ person_id: person }).delete()
    await changed(trx, context, holder, { type: 'person.totp_removed', at })
  })
}

interface State {
  readonly confirmedAt: Date | null
  readonly lockedUntil: Date | null
  /** Until when a new one may be confirmed. */
  readonly enrolmentExpiresAt: Date | null
  readonly recoveryCodesLeft: number
}

export async function stateOf({ db, now }: Context, person: Uuid): Promise<State> {
  const [at, mine] = [now(), { person_id: person }]
  const [totp, pending, unused] = await Promise.all([
    db('totp').where(mine).first('confirmed_at', 'locked_until'),
    db('totp_enrolments').where(mine).where('expires_at', '>', at).first('expires_at'),
    db('recovery_codes').where(mine).whereNull('used_at').select('person_id'),
  ])
  const lockedUntil: Date | null = totp?.locked_until ?? null
  return {
    confirmedAt: totp?.confirmed_at ?? null,
    lockedUntil: lockedUntil !== null && lockedUntil > at ? lockedUntil : null,
    enrolmentExpiresAt: pending?.expires_at ?? null,
    recoveryCodesLeft: unused.length,
  }
}
