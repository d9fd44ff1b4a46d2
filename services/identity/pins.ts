/** A person's PIN: set, changed, taken away, and how it stands. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import type { PinHash } from './hashes.ts'
import { checkPin, pinRulesOf } from './pin_attempts.ts'
import { endSessions } from './revocations.ts'
import { type SecurityChange, securityChanged } from './standing.ts'
import { isWeakPin, type Known } from './weak_pins.ts'

export interface PinHolder {
  readonly person: Uuid
  /** Of the token with which they ask: it stays good when other sessions end. */
  readonly jti: string | null
}

export interface NewPin {
  readonly pin: string
  /** What others may know about the person, and so would try first. */
  readonly known: Known
}

/**
 * Sets the first PIN, or changes it for who knows the current one.
 * @throws {ServiceError} `invalid_request` and `weak_pin` for the new one; `pin_already_set` where
 *   the current one is not given; and whatever `checkPin` throws for that.
 */
export async function setPin(
  context: Context,
  holder: PinHolder,
  { pin, known, current }: NewPin & { readonly current: string | undefined },
): Promise<void> {
  refuseWeak(context, { pin, known })
  const { person } = holder
  if (current !== undefined) {
    await checkPin(context, person, current)
    await replacePin(context, holder, { pin, type: 'person.pin_changed' })
    return
  }
  const hash = await context.hashes.hash(pin)
  const row = { ...columnsOf(hash), changed_at: context.now() }
  const inserted = await context
    .db('pins')
    .insert({ person_id: person, ...row })
    .onConflict('person_id')
    .ignore()
    .returning('person_id')
  if (inserted.length === 0) await fillCleared(context, holder, row)
}

/** A PIN in the place of one that was taken away. */
async function fillCleared(context: Context, holder: PinHolder, row: object): Promise<void> {
  const { person } = holder
  await context.db.transaction(async (trx) => {
    const filled = await trx('pins').where({ person_id: person }).whereNull('hash').update(row)
    if (filled === 0) throw new ServiceError('pin_already_set')
    await changed(trx, holder, 'person.pin_changed', context.now())
  })
}

/** A new PIN for who has proved to be the person without the old one, locked or not. */
export async function resetPin(context: Context, holder: PinHolder, asked: NewPin): Promise<void> {
  refuseWeak(context, asked)
  await replacePin(context, holder, { pin: asked.pin, type: 'person.pin_reset' })
}

async function replacePin(
  context: Context,
  holder: PinHolder,
  { pin, type }: { readonly pin: string; readonly type: SecurityChange },
): Promise<void> {
  const hash = await context.hashes.hash(pin)
  await forget(context, holder, type, { ...columnsOf(hash), changed_at: context.now() })
}

/**
 * Takes a PIN away, so that the person sets a new one.
 * @throws {ServiceError} `pin_not_set`.
 */
export async function clearPin(context: Context, person: Uuid): Promise<void> {
  await forget(context, { person, jti: null }, 'person.pin_reset', { hash: null, pepper_kid: null })
}

/** Wrong PINs were guesses at another one: with it they are forgotten. */
async function forget(
  context: Context,
  holder: PinHolder,
  type: SecurityChange,
  row: object,
): Promise<void> {
  const at = context.now()
  await context.db.transaction(async (trx: Knex.Transaction) => {
    const updated = await trx('pins')
      .where({ person_id: holder.person })
      .update({ ...row, failed: 0, failures: 0, locked_until: null })
    if (updated === 0) throw new ServiceError('pin_not_set')
    await changed(trx, holder, type, at)
  })
}

/** The person is told, limits are reduced for a while, and other sessions end. */
async function changed(
  trx: Knex.Transaction,
  { person, jti }: PinHolder,
  type: SecurityChange,
  at: Date,
): Promise<void> {
  await securityChanged(trx, person, { type, at })
  await endSessions(trx, person, at, jti)
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
