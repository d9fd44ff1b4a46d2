/** A person's PIN: set, changed, checked. An attempt is counted before it is checked. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import type { Matches } from './hashes.ts'

const ATTEMPTS_MAX = 5
const LOCK_S = 30 * 60

/** Sets the first PIN, or changes it for who knows the current one. */
export async function setPin(
  context: Context,
  person: Uuid,
  { pin, current }: { readonly pin: string; readonly current: string | undefined },
): Promise<void> {
  if (isWeak(pin)) throw new ServiceError('weak_pin')
  const { db, hashes } = context
  if (current !== undefined) await checkPin(context, person, current)
  const row = { hash: await hashes.hash(pin), changed_at: context.now() }
  if (current !== undefined) {
    await db('pins').where({ person_id: person }).update(row)
    return
  }
  const inserted = await db('pins')
    .insert({ person_id: person, ...row })
    .onConflict('person_id')
    .ignore()
    .returning('person_id')
  if (inserted.length === 0) throw new ServiceError('pin_already_set')
}

/**
 * Returns when the PIN is right.
 * @throws {ServiceError} `pin_not_set`, `approval_refused`, `pin_locked` after five wrong ones in a
 *   row, `saturated` when too many wait for the pool.
 */
export async function checkPin(context: Context, person: Uuid, pin: string): Promise<void> {
  await context.hashes.forPerson(person, (matches) => check(context, person, pin, matches))
}

async function check(context: Context, person: Uuid, pin: string, matches: Matches) {
  const { db, now } = context
  const hash = await reserveAttempt(db, person, now())
  if (hash === undefined) throw await whyNoAttempt(db, person, now())
  if (!(await matches(pin, hash))) throw new ServiceError('approval_refused')
  await db('pins').where({ person_id: person }).update({ failed: 0, locked_until: null })
}

/**
 * Counts an attempt and answers the hash to compare with; undefined when none is left. The fifth
 * attempt locks at once and a right PIN unlocks: so a crash in between cannot give a guess away.
 */
async function reserveAttempt(db: Knex, person: Uuid, now: Date): Promise<string | undefined> {
  const { rows } = await db.raw<{ rows: { hash: string }[] }>(
    `UPDATE pins
        SET failed = attempt.number,
            locked_until = CASE WHEN attempt.number >= ? THEN ?::timestamptz END
       FROM (SELECT person_id AS id,
                    CASE WHEN locked_until IS NULL THEN failed + 1 ELSE 1 END AS number
               FROM pins WHERE person_id = ? FOR UPDATE) AS attempt
      WHERE person_id = attempt.id AND (locked_until IS NULL OR locked_until <= ?)
  RETURNING hash`,
    [ATTEMPTS_MAX, new Date(now.getTime() + LOCK_S * 1000), person, now],
  )
  return rows[0]?.hash
}

async function whyNoAttempt(db: Knex, person: Uuid, now: Date): Promise<ServiceError> {
  const row = await db('pins').where({ person_id: person }).first('locked_until')
  if (row === undefined) return new ServiceError('pin_not_set')
  const left_s = Math.ceil(((row.locked_until ?? now).getTime() - now.getTime()) / 1000)
  return new ServiceError('pin_locked', { retryAfter_s: Math.max(1, left_s) })
}

/** PINs that are tried first by whoever guesses: repeats, runs, parts that repeat, favourites. */
function isWeak(pin: string): boolean {
  const digits = [...pin].map(Number)
  const steps = digits.slice(1).map((digit, index) => (digit - (digits[index] ?? 0) + 10) % 10)
  const isRun = steps.every((step) => step === steps[0] && [0, 1, 9].includes(step))
  const repeats = /^(\d{1,3})\1+$/.test(pin)
  return isRun || repeats || COMMON.has(pin)
}

/** Those six-digit PINs that are chosen most, beside the patterns above. */
const COMMON = new Set(
  (
    '112233 121314 123321 131313 147258 159753 159357 142536 101010 246810 314159 696969 ' +
    '520131'
  ).split(' '),
)
