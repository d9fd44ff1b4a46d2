/** Whether a PIN is right. An attempt is counted before it is looked at, and forgiven if it was. */
import type { Uuid } from '../../ledger/index.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import type { PinHash, Place } from './hashes.ts'
import { tellOf } from '../credentials/standing.ts'

/** How many wrong PINs there may be. */
export interface PinRules {
  /** In a row, before a lock. */
  readonly attemptsMax: number
  readonly lock_s: number
  /** In all without a right one: then the PIN is of no more use. */
  readonly failuresMax: number
}

const STRICT = { attemptsMax: 3, lock_s: 24 * 60 * 60 } as const

/**
 * The rules of a scheme. `strict` allows three in 24 hours: as only a right PIN or a lock starts
 * the count anew, nobody has a fourth within 24 hours of the first.
 */
const SCHEMES = {
  standard: (rules) => rules,
  strict: ({ attemptsMax, lock_s, failuresMax }) => ({
    attemptsMax: Math.min(attemptsMax, STRICT.attemptsMax),
    lock_s: Math.max(lock_s, STRICT.lock_s),
    failuresMax,
  }),
} as const satisfies Record<Config['PIN_SCHEME'], (rules: PinRules) => PinRules>

export const pinRulesOf = (config: Config): PinRules =>
  SCHEMES[config.PIN_SCHEME]({
    attemptsMax: config.PIN_ATTEMPTS_MAX,
    lock_s: config.PIN_LOCK_S,
    failuresMax: config.PIN_FAILURES_MAX,
  })

/** From one wrong PIN before a lock on, a refusal says how many are left. */
const WARNED_LEFT = 1

/**
 * Returns when the PIN is right.
 * @returns since when the one that it was compared with has been the person's.
 * @throws {ServiceError} `pin_not_set`; `approval_refused` for a wrong one; `pin_locked` and
 *   `pin_reset_required` after too many; `saturated` when too many wait for the pool.
 */
export async function checkPin(context: Context, person: Uuid, pin: string): Promise<Date> {
  return context.hashes.forPerson(person, (place) => check(context, person, pin, place))
}

async function check(context: Context, person: Uuid, pin: string, place: Place): Promise<Date> {
  const { db, now } = context
  const rules = pinRulesOf(context.config)
  const attempt = await reserveAttempt(context, person, rules)
  if (attempt === undefined) throw await whyNoAttempt(context, person, rules)
  if (!(await place.matches(pin, attempt))) throw await refusal(context, person, attempt, rules)
  await db('pins')
    .where({ person_id: person })
    .update({ failed: 0, failures: 0, locked_until: null })
  const renewed = await place.renewed(pin, attempt)
  if (renewed === undefined) return attempt.changedAt
  // Whoever has changed it meanwhile has changed it to something newer still.
  await db('pins')
    .where({ person_id: person, hash: attempt.hash })
    .update({ hash: renewed.hash, pepper_kid: renewed.kid })
  context.log.info({ person, at: now() }, 'a PIN was hashed anew')
  return attempt.changedAt
}

interface Attempt extends PinHash {
  /** How many in a row it would be, if it is wrong. */
  readonly failed: number
  readonly failures: number
  readonly changedAt: Date
}

/**
 * Counts an attempt and answers the hash to compare with; undefined when none is left. The last one
 * locks at once and a right PIN unlocks: so a crash in between cannot give a guess away.
 */
async function reserveAttempt(
  { db, now, peppers }: Context,
  person: Uuid,
  { attemptsMax, lock_s, failuresMax }: PinRules,
): Promise<Attempt | undefined> {
  const at = now()
  const number = 'CASE WHEN locked_until IS NULL THEN failed + 1 ELSE 1 END'
  const { rows } = await db.raw<{ rows: Attempt[] }>(
    `UPDATE pins
        SET failed = ${number},
            failures = failures + 1,
            locked_until = CASE WHEN ${number} >= ? THEN ?::timestamptz END
      WHERE person_id = ?
        AND hash IS NOT NULL
        AND (locked_until IS NULL OR locked_until <= ?)
        AND failures < ?
        AND (pepper_kid IS NULL OR pepper_kid = ANY(?))
  RETURNING hash, pepper_kid AS kid, failed, failures, changed_at AS "changedAt"`,
    [
      attemptsMax,
      new Date(at.getTime() + lock_s * 1000),
      person,
      at,
      failuresMax,
      [...peppers.kids],
    ],
  )
  return rows[0]
}

interface State {
  readonly hash: string | null
  readonly pepper_kid: string | null
  readonly failures: number
  readonly locked_until: Date | null
}

async function whyNoAttempt(
  { db, now, peppers }: Context,
  person: Uuid,
  { failuresMax }: PinRules,
): Promise<Error> {
  const row: State | undefined = await db('pins')
    .where({ person_id: person })
    .first('hash', 'pepper_kid', 'failures', 'locked_until')
  if (row === undefined || row.hash === null) return new ServiceError('pin_not_set')
  if (row.failures >= failuresMax) return new ServiceError('pin_reset_required')
  if (row.pepper_kid !== null && !peppers.kids.includes(row.pepper_kid)) {
    return new Error('a PIN is hashed with a pepper that is not configured')
  }
  const left_s = Math.ceil(((row.locked_until ?? now()).getTime() - now().getTime()) / 1000)
  return new ServiceError('pin_locked', { retryAfter_s: Math.max(1, left_s) })
}

async function refusal(
  context: Context,
  person: Uuid,
  { failed, failures }: Attempt,
  { attemptsMax, failuresMax }: PinRules,
): Promise<ServiceError> {
  const left = Math.min(attemptsMax - failed, failuresMax - failures)
  if (left <= 0) {
    const change = { type: 'person.pin_locked', at: context.now() } as const
    await context.db.transaction((trx) => tellOf(trx, context, person, change))
  }
  return new ServiceError('approval_refused', {
    guessedOf: person,
    noted: { kind: 'pin_refused', subject: publicId('per', person) },
    ...(left <= WARNED_LEFT && { more: { attempts_left: Math.max(0, left) } }),
  })
}
