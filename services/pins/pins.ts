/** A person's PIN: set, changed, taken away, and how it stands. */
import type { Knex } from 'knex'
import { answerOnce, type Claim, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import type { PinHash } from './hashes.ts'
import { checkPin, pinRulesOf } from './attempts.ts'
import { endSessions, type Issued } from '../credentials/revocations.ts'
import { lockPerson, type SecurityChange, securityChanged } from '../credentials/standing.ts'
import { forgetGuesses } from '../totp/check.ts'
import { isWeakPin, type Known } from './weak_pins.ts'

export interface PinHolder {
  readonly person: Uuid
  /** The token with which they ask: it stays good when other sessions end. */
  readonly session: Issued | null
}

/** Asked where nobody can change the answer any more before the PIN is written. */
export type Check = (trx: Knex.Transaction) => Promise<void>

export interface NewPin {
  readonly pin: string
  /** What others may know about the person, and so would try first. */
  readonly known: Known
}

/**
 * Sets the first PIN, or changes it for who knows the one that it replaces.
 * @param alsoProve asked once the current one is right: what else the person agrees by.
 * @param refuseOthers where one was taken away: refuses who has something else to agree by.
 * @throws {ServiceError} `invalid_request` and `weak_pin` for the new one; `pin_already_set` where
 *   the current one is not given; and whatever `checkPin` and the other two throw.
 */
export async function setPin(
  context: Context,
  holder: PinHolder,
  { pin, known, current }: NewPin & { readonly current: string | undefined },
  { alsoProve, refuseOthers }: { readonly alsoProve: () => Promise<void>; refuseOthers: Check },
): Promise<void> {
  refuseWeak(context, { pin, known })
  const { person } = holder
  if (current !== undefined) {
    const since = await checkPin(context, person, current)
    await alsoProve()
    await replacePin(context, holder, { pin, type: 'person.pin_changed', since })
    return
  }
  const hash = await context.hashes.hash(pin)
  const row = { ...columnsOf(hash), changed_at: context.now() }
  if (await insertFirst(context, person, row)) return
  await fillCleared(context, holder, row, refuseOthers)
}

/**
 * False where there is or was one.
 * @throws {ServiceError} `not_found` for who was erased meanwhile.
 */
async function insertFirst(context: Context, person: Uuid, row: object): Promise<boolean> {
  return context.db.transaction(async (trx) => {
    const mine = () => trx('pins').where({ person_id: person })
    // Before the person, as whoever changes it goes about it, and not by running into it.
    const known = await mine().forUpdate().first('person_id')
    if (known !== undefined) return false
    await lockPerson(trx, person)
    // Of two that set it the other one may have done so while this waited.
    const set = await mine().first('person_id')
    if (set !== undefined) return false
    await trx('pins').insert({ person_id: person, ...row })
    const subject = publicId('per', person)
    await recordSecurity({ ...context, db: trx }, { kind: 'pin_set', subject })
    return true
  })
}

/** A PIN in the place of one that was taken away. */
async function fillCleared(
  context: Context,
  holder: PinHolder,
  row: object,
  refuseOthers: Check,
): Promise<void> {
  const { person } = holder
  await context.db.transaction(async (trx) => {
    const filled = await trx('pins').where({ person_id: person }).whereNull('hash').update(row)
    if (filled === 0) throw new ServiceError('pin_already_set')
    // It may have been taken away only after it was seen that there was one.
    await refuseOthers(trx)
    const at = context.now()
    await changed(trx, context, holder, { type: 'person.pin_changed', at, kind: 'pin_set' })
  })
}

/**
 * A new PIN for who has proved to be the person without the old one, locked or not.
 * @param stillProved refuses where the proof is of no more use by now.
 */
export async function resetPin(
  context: Context,
  holder: PinHolder,
  asked: NewPin,
  stillProved: Check,
): Promise<void> {
  refuseWeak(context, asked)
  const change = { pin: asked.pin, type: 'person.pin_reset', since: 'whenever' } as const
  await replacePin(context, holder, change, stillProved)
}

/** Since when the PIN that goes has been the person's; `whenever` where any may go. */
type Since = Date | 'whenever'

interface Change {
  readonly pin: string
  readonly type: SecurityChange['type']
  readonly since: Since
}

async function replacePin(
  context: Context,
  holder: PinHolder,
  { pin, type, since }: Change,
  check: Check = async () => {},
): Promise<void> {
  const hash = await context.hashes.hash(pin)
  const at = context.now()
  const row = { ...columnsOf(hash), changed_at: at }
  await context.db.transaction(async (trx) => {
    await forget(trx, holder.person, row, since)
    await changed(trx, context, holder, { type, at })
    await check(trx)
  })
}

/**
 * Takes a PIN away, so that the person sets a new one: once for the claim.
 * @throws {ServiceError} `pin_not_set`.
 */
export async function clearPin(context: Context, person: Uuid, claim: Claim): Promise<Outcome> {
  const nothing = { hash: null, pepper_kid: null }
  const change = { type: 'person.pin_reset', at: context.now(), kind: 'pin_taken_away' } as const
  return answerOnce(context.db, claim, async (trx) => {
    await forget(trx, person, nothing, 'whenever')
    await forgetGuesses(trx, person)
    await changed(trx, context, { person, session: null }, change)
    return JSON.stringify({ id: publicId('per', person), taken_away_at: change.at.toISOString() })
  })
}

/** Wrong PINs were guesses at another one: with it they are forgotten. */
async function forget(
  trx: Knex.Transaction,
  person: Uuid,
  row: object,
  since: Since,
): Promise<void> {
  const mine = () => trx('pins').where({ person_id: person })
  const updated = await mine()
    .where((same) => {
      // One that was taken away keeps its moment.
      if (since !== 'whenever') void same.where({ changed_at: since }).whereNotNull('hash')
    })
    .update({ ...row, failed: 0, failures: 0, locked_until: null })
  if (updated > 0) return
  const other = since === 'whenever' ? undefined : await mine().whereNotNull('hash').first('hash')
  throw other === undefined ? new ServiceError('pin_not_set') : tooLate(person)
}

/** Told to who knew the PIN of before: it is a wrong one by now, though nobody guessed. */
const tooLate = (person: Uuid) =>
  new ServiceError('approval_refused', {
    detail: 'the PIN was changed meanwhile',
    noted: { kind: 'pin_refused', subject: publicId('per', person) },
  })

/** The person is told, limits are reduced for a while, and other sessions end. */
async function changed(
  trx: Knex.Transaction,
  context: Context,
  { person, session }: PinHolder,
  change: SecurityChange,
): Promise<void> {
  await securityChanged(trx, context, person, change)
  await endSessions(trx, person, change.at, session)
}

const columnsOf = ({ hash, kid }: PinHash) => ({ hash, pepper_kid: kid })

function refuseWeak({ config }: Context, { pin, known }: NewPin): void {
  if (pin.length !== config.PIN_DIGITS) {
    const detail = `pin: must be ${config.PIN_DIGITS} digits`
    throw new ServiceError('invalid_request', { detail })
  }
  if (isWeakPin(pin, known)) throw new ServiceError('weak_pin')
}

export interface PinState {
  readonly state: 'unset' | 'set' | 'locked' | 'reset_required'
  readonly changedAt: Date | null
  readonly lockedUntil: Date | null
}

interface Row {
  readonly hash: string | null
  readonly failures: number
  readonly changed_at: Date
  readonly locked_until: Date | null
}

export async function pinStateOf({ db, config, now }: Context, person: Uuid): Promise<PinState> {
  const row: Row | undefined = await db('pins')
    .where({ person_id: person })
    .first('hash', 'failures', 'changed_at', 'locked_until')
  if (row === undefined || row.hash === null) {
    return { state: 'unset', changedAt: null, lockedUntil: null }
  }
  const isLocked = row.locked_until !== null && row.locked_until > now()
  const lockedUntil = isLocked ? row.locked_until : null
  const mustReset = row.failures >= pinRulesOf(config).failuresMax
  const state = mustReset ? 'reset_required' : isLocked ? 'locked' : 'set'
  return { state, changedAt: row.changed_at, lockedUntil }
}
