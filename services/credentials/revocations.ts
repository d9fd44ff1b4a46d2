/** Ending sessions: from a moment on, tokens of before are worth nothing, in every process. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import type { Vault } from '../vault/vault.ts'

/** What of a token says whether it was revoked. */
export interface Issued {
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly jti: string
}

/**
 * Whether a token was issued too early. Tokens count whole seconds: one of the very second of the
 * revocation may be either, and is refused.
 * @param kept the one token that stays good.
 */
export function isRevoked(
  { issuedAt, jti }: Issued,
  before: Date | null,
  kept: string | null,
): boolean {
  return before !== null && jti !== kept && Math.floor(issuedAt) * 1000 <= before.getTime()
}

/**
 * Ends a person's sessions: tokens issued up to `at` are refused for every write, but `kept`. Call
 * it in the transaction that changes what they were trusted for. Of two that race the later one
 * decides, and one that keeps nothing.
 * @throws {ServiceError} `invalid_token` where `kept` was revoked since it was let in: it would
 *   make itself good again.
 */
export async function endSessions(
  trx: Knex,
  person: Uuid,
  at: Date,
  kept: Issued | null,
): Promise<void> {
  const ended = await trx('people')
    .where({ id: person })
    .where((stays) => {
      if (kept !== null) void stays.whereNull('tokens_valid_from').orWhere(isGood(kept))
    })
    .update({
      tokens_valid_from: trx.raw('greatest(tokens_valid_from, ?)', [at]),
      kept_token:
        kept === null
          ? null
          : trx.raw('CASE WHEN tokens_valid_from > ? THEN kept_token ELSE ? END', [at, kept.jti]),
    })
  if (kept !== null && ended === 0) throw new ServiceError('invalid_token')
}

/** As `isRevoked` has it, of the row as it is once whoever changes it has done so. */
const isGood =
  ({ issuedAt, jti }: Issued) =>
  (row: Knex.QueryBuilder): void =>
    void row
      .where('tokens_valid_from', '<', new Date(Math.floor(issuedAt) * 1000))
      .orWhere({ kept_token: jti })

/**
 * Keeps two apart until `trx` ends who would each not see what the other writes of the subject: one
 * that revokes its tokens, and one that records the person it is.
 */
export const lockSubject = (trx: Knex.Transaction, { issuer, subject }: Named) =>
  trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [`subject ${issuer} ${subject}`])

/** Whose tokens they are. */
interface Named {
  readonly issuer: string
  readonly subject: string
}

/** What a revocation is found by once the person is erased. No token has a space in its subject. */
export const erasedSubject = (vault: Vault, { issuer, subject }: Named): string => {
  const where = { table: 'revocations', column: 'subject' }
  return `erased ${vault.blindIndex(where, `${issuer} ${subject}`).toString('hex')}`
}

/**
 * What was revoked of a subject before it was known as a person holds for the person too. Call it
 * before the person is recorded.
 * @returns the moment of the revocation; null where there is none.
 */
export async function revokedBefore(
  trx: Knex.Transaction,
  vault: Vault,
  named: Named,
): Promise<Date | null> {
  await lockSubject(trx, named)
  const { issuer, subject } = named
  const row = await trx('revocations')
    .where({ issuer })
    .whereIn('subject', [subject, erasedSubject(vault, named)])
    .max({ before: 'revoked_before' })
    .first()
  return row?.before ?? null
}

interface Revocation {
  readonly at: Date
  readonly by: string
}

/** The same for any subject, in every role it has, that of a person included. */
export async function revokeSubject(
  trx: Knex.Transaction,
  vault: Vault,
  named: Named,
  { at, by }: Revocation,
): Promise<void> {
  const { issuer, subject } = named
  await lockSubject(trx, named)
  const hidden = { issuer, subject: erasedSubject(vault, named) }
  const person = await trx('people').where({ issuer, subject }).first('id')
  if (person !== undefined) await endSessions(trx, person.id, at, null)
  // Who was erased and did not come back is named by nothing, and not by this either.
  const isErased = person === undefined && (await trx('revocations').where(hidden).first('issuer'))
  await record(trx, isErased ? hidden : named, { at, by })
}

/**
 * Ends the sessions of somebody who is erased, in a row that names nobody: an app that still has a
 * token of theirs would otherwise make them known again. One that is issued later does, for which
 * a silent refresh is enough: refresh tokens are ended at the issuer. What was revoked before goes
 * with it. Call `lockSubject` before the person is locked.
 * @param at now, with the person locked: tokens of until then are refused.
 */
export async function revokeErased(
  trx: Knex.Transaction,
  vault: Vault,
  named: Named,
  at: Date,
): Promise<void> {
  const { issuer, subject } = named
  await trx('revocations').where({ issuer, subject }).delete()
  // Neither who did it nor the very moment, which would say whose of those erased it is.
  const when = { at: endOfSecond(at), by: 'erasure' }
  await record(trx, { issuer, subject: erasedSubject(vault, named) }, when)
}

/** As good as any other moment of it: see `isRevoked`. */
const endOfSecond = (at: Date): Date => new Date(Math.floor(at.getTime() / 1000) * 1000 + 999)

/** Of two the later one holds; of two of one second, whichever is written last. */
const record = (
  trx: Knex.Transaction,
  { issuer, subject }: Named,
  { at, by }: { readonly at: Date; readonly by: string },
) =>
  trx.raw(
    `INSERT INTO revocations (issuer, subject, revoked_before, revoked_by) VALUES (?, ?, ?, ?)
     ON CONFLICT (issuer, subject) DO UPDATE
        SET revoked_before = greatest(revocations.revoked_before, excluded.revoked_before),
            revoked_by = excluded.revoked_by
      WHERE date_trunc('second', revocations.revoked_before)
            <= date_trunc('second', excluded.revoked_before)`,
    [issuer, subject, at, by],
  )
