/**
 * Whether a second factor is right, once. A PIN's attempt is reserved before it is checked, because
 * checking takes long. A code is checked in no time, and its result counts, or does not, in one
 * conditional UPDATE: what comes after the lock is not told whether it was right.
 */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { securityChanged, tellOf } from '../credentials/standing.ts'
import { isTotpCode, plainCode, stepOf } from './secrets.ts'

/** What comes before the code: another factor of the person, or a token and nothing else. */
type Beside = 'another factor' | 'nothing'

/**
 * Returns when it is right, and has used it up: a code is good once, and no older one after it.
 * Beside nothing, six digits would be guessed in the end, however slowly: of those there are few.
 * @throws {ServiceError} `totp_not_set`, `approval_refused`, `totp_locked` after too many wrong
 *   ones in a row.
 */
export async function useSecondFactor(
  context: Context,
  person: Uuid,
  given: string,
  beside: Beside = 'another factor',
): Promise<'totp' | 'recovery_code'> {
  const totp: Totp | undefined = await context
    .db('totp')
    .where({ person_id: person })
    .first('seed_sealed', 'confirmed_at', 'failures')
  if (totp === undefined) throw new ServiceError('totp_not_set')
  const kind = isTotpCode(given) ? 'totp' : 'recovery_code'
  const failuresMax = failuresMaxOf(context, kind, beside)
  // Not counted: it would lock out the recovery code as well.
  if (totp.failures >= failuresMax) throw guessedTooOften(person)
  const use = kind === 'totp' ? useCode : useRecoveryCode
  const came = await use(context, person, given, { ...totp, failuresMax })
  if (came === 'used') return kind
  if (came === 'wrong' && (await countWrong(context, person))) throw wrongCode(person)
  throw await whyStale(context, person)
}

interface Totp {
  readonly seed_sealed: Buffer
  readonly confirmed_at: Date
  /** Wrong ones since the last right one. */
  readonly failures: number
}

interface Usable extends Totp {
  readonly failuresMax: number
}

/** As many as the column holds where the number does not matter. */
const ANY = 2_147_483_647

const failuresMaxOf = ({ config }: Context, kind: 'totp' | 'recovery_code', beside: Beside) =>
  kind === 'totp' && beside === 'nothing' ? config.TOTP_FAILURES_MAX : ANY

const guessedTooOften = (person: Uuid) =>
  new ServiceError('approval_refused', {
    ...{ noted: refusedTo(person), detail: 'too many codes were wrong: use a recovery code' },
  })

/** What nobody who has the authenticator would show. */
export const wrongCode = (person: Uuid): ServiceError =>
  new ServiceError('approval_refused', { noted: refusedTo(person), guessedOf: person })

const refusedTo = (person: Uuid) =>
  ({ kind: 'totp_refused', subject: publicId('per', person) }) as const

/** `stale`: right once, or right when nobody may try. Neither is a guess, and is not counted. */
type Use = 'used' | 'stale' | 'wrong'

/** @returns whether the person has confirmed an authenticator. */
export async function hasTotp({ db }: Context, person: Uuid): Promise<boolean> {
  return (await db('totp').where({ person_id: person }).first('person_id')) !== undefined
}

export const seedPlace = (table: 'totp' | 'totp_enrolments', person: Uuid) => ({
  ...{ table, row: person, column: 'seed_sealed' },
})

/** What a right one says of the wrong ones before it: that the person made them. */
const UNHARMED = { failed: 0, failures: 0, locked_until: null }

/** Whoever else has seen who the person is says so: codes are good alone again. */
export async function forgetGuesses(trx: Knex.Transaction, person: Uuid): Promise<void> {
  await trx('totp').where({ person_id: person }).update({ failures: 0 })
}

async function useCode(context: Context, person: Uuid, code: string, totp: Usable): Promise<Use> {
  const { db, vault, config, now } = context
  const at = now()
  const secret = vault.open(seedPlace('totp', person), totp.seed_sealed).toString()
  const step = stepOf(secret, code, { at, stepsBack: config.TOTP_STEPS_BACK })
  if (step === undefined) return 'wrong'
  const used = await db('totp')
    .where({ person_id: person, confirmed_at: totp.confirmed_at })
    .where('last_step', '<', step.toString())
    .where('failures', '<', totp.failuresMax)
    .where(isOpen(at))
    .update({ last_step: step.toString(), ...UNHARMED })
  return used === 1 ? 'used' : 'stale'
}

async function useRecoveryCode(context: Context, person: Uuid, code: string): Promise<Use> {
  const { db, now } = context
  const [at, hash] = [now(), recoveryHash(context, person, code)]
  return db.transaction(async (trx) => {
    const open = await trx('totp')
      .where({ person_id: person })
      .where(isOpen(at))
      .forUpdate()
      .first('person_id')
    if (open === undefined) return 'stale'
    const codes = () => trx('recovery_codes').where({ person_id: person, hash })
    const used = await codes().whereNull('used_at').update({ used_at: at })
    if (used === 0) return (await codes().first('used_at')) === undefined ? 'wrong' : 'stale'
    await trx('totp').where({ person_id: person }).update(UNHARMED)
    await securityChanged(trx, context, person, { type: 'person.recovery_code_used', at })
    return 'used'
  })
}

/** Keyed, so that it cannot be searched for in stolen tables, however many there are to find. */
export const recoveryHash = ({ vault }: Context, person: Uuid, code: string): Buffer =>
  vault.blindIndex({ table: 'recovery_codes', column: 'hash' }, `${person} ${plainCode(code)}`)

const isOpen = (at: Date) => (either: Knex.QueryBuilder) =>
  void either.whereNull('locked_until').orWhere('locked_until', '<=', at)

/** The last wrong one that is allowed locks at once. False when it was locked before. */
async function countWrong(context: Context, person: Uuid): Promise<boolean> {
  const { db, config } = context
  const at = context.now()
  const until = new Date(at.getTime() + config.TOTP_LOCK_S * 1000)
  return db.transaction(async (trx) => {
    const { rows } = await trx.raw<{ rows: { locked_until: Date | null }[] }>(
      `UPDATE totp
          SET failed = attempt.number,
              failures = failures + 1,
              locked_until = CASE WHEN attempt.number >= ? THEN ?::timestamptz END
         FROM (SELECT person_id AS id,
                      CASE WHEN locked_until IS NULL THEN failed + 1 ELSE 1 END AS number
                 FROM totp WHERE person_id = ? FOR UPDATE) AS attempt
        WHERE person_id = attempt.id AND (locked_until IS NULL OR locked_until <= ?)
    RETURNING locked_until`,
      [config.TOTP_ATTEMPTS_MAX, until, person, at],
    )
    const [counted] = rows
    if (counted === undefined) return false
    // Somebody who knows the first factor guesses at the second: the person is told.
    const isLocked = counted.locked_until !== null
    if (isLocked) await tellOf(trx, context, person, { type: 'person.totp_locked', at })
    return true
  })
}

async function whyStale({ db, now }: Context, person: Uuid): Promise<ServiceError> {
  const row = await db('totp').where({ person_id: person }).first('locked_until')
  const left_ms = (row?.locked_until?.getTime() ?? 0) - now().getTime()
  // It is not a guess: whoever knows it has seen it.
  if (left_ms <= 0) return new ServiceError('approval_refused', { noted: refusedTo(person) })
  return new ServiceError('totp_locked', { retryAfter_s: Math.ceil(left_ms / 1000) })
}
