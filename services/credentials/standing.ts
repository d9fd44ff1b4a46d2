/** How a person stands right now: what may change between two requests, and is asked at each. */
import type { Knex } from 'knex'
import type { Question, Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import type { EventType } from '../events/catalogue.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import type { SecurityKind } from '../security/kinds.ts'
import { recordSecurity, type Recorder } from '../security/log.ts'

export interface Standing {
  /** How well we know the person (KYC); limits depend on it. */
  readonly tier: string
  /** Where the person is from, ISO 3166-1; null where nobody has said. */
  readonly country: string | null
  /** Up to so many minor units the person wants to pay without an approval; null: our default. */
  readonly noPinLimit: bigint | null
  /** When a factor of theirs was last changed; null if never. */
  readonly securityChangedAt: Date | null
  /** Tokens of this moment or earlier are revoked, but the one with the id `keptToken`. */
  readonly tokensValidFrom: Date | null
  readonly keptToken: string | null
  /** The devices that may agree in the person's name. */
  readonly devices: readonly Uuid[]
}

interface Row {
  readonly id: Uuid
  readonly tier: string
  readonly country: string | null
  readonly no_pin_limit: bigint | null
  readonly security_changed_at: Date | null
  readonly tokens_valid_from: Date | null
  readonly kept_token: string | null
  readonly devices: readonly Uuid[]
}

/** How many people stand, as one statement. Who is erased is not among them. */
export const STANDINGS: Question<Uuid, Standing> = {
  name: 'standings',
  text: `
    SELECT id, tier, country, no_pin_limit, security_changed_at, tokens_valid_from, kept_token,
           ARRAY(SELECT devices.id FROM devices
                  WHERE devices.person_id = people.id AND devices.revoked_at IS NULL) AS devices
      FROM people WHERE id = ANY ($1::uuid[]) AND erased_at IS NULL`,
  values: (ids) => [ids],
  answers: (rows) => new Map((rows as Row[]).map((row) => [row.id, fromRow(row)])),
}

const fromRow = (row: Row): Standing => ({
  tier: row.tier,
  country: row.country,
  noPinLimit: row.no_pin_limit,
  securityChangedAt: row.security_changed_at,
  tokensValidFrom: row.tokens_valid_from,
  keptToken: row.kept_token,
  devices: row.devices,
})

/** What changed about a person's factors, as the notice to them says it. */
type SecurityEvent = Exclude<Extract<EventType, `person.${string}`>, 'person.erased'>

/** What each of these is to the security log, unless whoever changes something says it closer. */
const KINDS = {
  'person.device_bound': 'device_bound',
  'person.device_revoked': 'device_revoked',
  'person.pin_changed': 'pin_changed',
  'person.pin_locked': 'pin_locked',
  'person.pin_reset': 'pin_reset',
  'person.recovery_code_used': 'recovery_code_used',
  'person.recovery_codes_renewed': 'recovery_codes_created',
  'person.totp_enrolled': 'totp_enrolled',
  'person.totp_locked': 'totp_locked',
  'person.totp_removed': 'totp_removed',
} as const satisfies Record<SecurityEvent, SecurityKind>

export interface SecurityChange {
  readonly type: SecurityEvent
  readonly at: Date
  /** What the security log calls it, where that is not what the person is told. */
  readonly kind?: SecurityKind
  /** What of the person it is about, by the id that the API shows; the person, where left out. */
  readonly subject?: string
}

/**
 * Notes that a factor was changed, added or removed: from now on limits are reduced for a while,
 * the person is told, and the security log says so. Call it in the transaction of the change.
 */
export async function securityChanged(
  trx: Knex.Transaction,
  recorder: Recorder,
  person: Uuid,
  change: SecurityChange,
): Promise<void> {
  const changed = await trx('people')
    .where({ id: person, erased_at: null })
    .update({ security_changed_at: change.at })
  // Whoever was erased meanwhile gets no factor again: all of it is undone.
  if (changed === 0) throw new ServiceError('not_found')
  await tellOf(trx, recorder, person, change)
}

/**
 * Locks the person, so that who is erased meanwhile gets no first factor. Call it before the factor
 * is written, which refers to the person, and after one that is there is locked, as erasure does.
 * @throws {ServiceError} `not_found` for who is erased.
 */
export async function lockPerson(trx: Knex.Transaction, person: Uuid): Promise<void> {
  const mine = { id: person, erased_at: null }
  const found = await trx('people').where(mine).forNoKeyUpdate().first('id')
  if (found === undefined) throw new ServiceError('not_found')
}

/** Tells the person, and the security log. */
export async function tellOf(
  trx: Knex.Transaction,
  recorder: Recorder,
  person: Uuid,
  { type, at, kind = KINDS[type], subject }: SecurityChange,
): Promise<void> {
  const object = publicId('per', person)
  await recordEvent(trx, { type, object, data: { id: object, at: at.toISOString() }, at })
  await recordSecurity({ ...recorder, db: trx }, { kind, subject: subject ?? object })
}
