/**
 * A person is forgotten. Their key is destroyed, and with it every copy of their name and notes,
 * backups included; what they are found by becomes a tombstone. The books stay as they are: they
 * know a person by an id alone, so every seal, proof and receipt holds as before.
 */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  closeAccount,
  findAccounts,
  LedgerError,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { lockBelongings } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { lockSubject, revokeErased } from '../credentials/revocations.ts'
import { refuseContested } from '../disputes/contested.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { forgetPerson } from '../people/parties.ts'
import { recordSecurity } from '../security/log.ts'

interface Destroyed {
  readonly table: string
  /** The column that says whose the row is. */
  readonly by: string
  /** What that column holds: the id of the person, as it is inside or outside. */
  readonly as: 'uuid' | 'public'
  /** What a row becomes; undefined for one that goes, because nothing refers to it. */
  readonly becomes: ((person: Uuid, at: Date) => Readonly<Record<string, unknown>>) | undefined
}

/** No token and no alias has a space in it: a tombstone is never found by either. */
const tombstone = (person: Uuid) => `erased ${person}`

/** Everything about a person, in the order in which it goes. A test walks all tables for more. */
export const DESTROYED: readonly Destroyed[] = [
  {
    ...{ table: 'person_keys', by: 'person_id', as: 'uuid' },
    becomes: (_, at) => ({ sealed: null, destroyed_at: at }),
  },
  {
    ...{ table: 'people', by: 'id', as: 'uuid' },
    becomes: (person, at) => ({
      ...{ subject: tombstone(person), name_sealed: null, kept_token: null, erased_at: at },
      country: null,
    }),
  },
  {
    ...{ table: 'aliases', by: 'person_id', as: 'uuid' },
    becomes: (person) => ({ alias: tombstone(person) }),
  },
  {
    ...{ table: 'pins', by: 'person_id', as: 'uuid' },
    becomes: (_, at) => ({ hash: null, changed_at: at }),
  },
  {
    // The public key stays: by it alone can be shown what was approved.
    ...{ table: 'devices', by: 'person_id', as: 'uuid' },
    becomes: (_, at) => ({ name: '', revoked_at: at }),
  },
  { table: 'totp', by: 'person_id', as: 'uuid', becomes: undefined },
  { table: 'totp_enrolments', by: 'person_id', as: 'uuid', becomes: undefined },
  { table: 'recovery_codes', by: 'person_id', as: 'uuid', becomes: undefined },
  {
    ...{ table: 'bank_accounts', by: 'owner', as: 'public' },
    becomes: (_, at) => ({
      ...{ number_sealed: null, holder_sealed: null, number_index: null, deleted_at: at },
      name_at_bank_sealed: null,
    }),
  },
  {
    // What somebody wrote to them with money.
    ...{ table: 'callbacks', by: 'owner', as: 'public' },
    becomes: () => ({
      ...{ remittance_sealed: null, sender_sealed: null, sender_account_sealed: null },
    }),
  },
]

/**
 * @throws {ServiceError} `not_found` for nobody, or who is erased already.
 * @throws {LedgerError} `account_not_empty` while they have money, holds, a bank at work or a
 *   dispute that may give them money.
 */
export async function erase(context: Context, person: Uuid): Promise<void> {
  const at = context.now()
  forgetPerson(context, await context.db.transaction((trx) => destroy(trx, context, person, at)))
}

/** The same when operators say so: once for the claim. */
export async function eraseFor(
  context: Context,
  person: Uuid,
  operator: string,
  claim: Claim,
): Promise<Outcome> {
  const at = context.now()
  let known: Known | undefined
  const outcome = await answerOnce(context.db, claim, async (trx) => {
    known = await destroy(trx, context, person, at, operator)
    return JSON.stringify({ id: publicId('per', person), erased_at: at.toISOString() })
  })
  if (known !== undefined) forgetPerson(context, known)
  return outcome
}

/** @throws {ServiceError} `not_found` for nobody, or who is erased already. */
export async function refuseErased(db: Knex, person: Uuid): Promise<void> {
  const found = await db('people').where({ id: person, erased_at: null }).first('id')
  if (found === undefined) throw new ServiceError('not_found')
}

type Known = Parameters<typeof forgetPerson>[1]

/** @returns what processes may remember of the person. */
async function destroy(
  trx: Knex.Transaction,
  context: Context,
  person: Uuid,
  at: Date,
  operator: string | null = null,
): Promise<Known> {
  await lockSubjectOf(trx, person)
  await lockFactors(trx, person)
  // No stronger lock: whoever has an account of theirs may have to refer to the person, and this
  // asks for the accounts only now.
  const found = await trx('people').where({ id: person, erased_at: null }).forNoKeyUpdate().first()
  if (found === undefined) throw new ServiceError('not_found')
  const named = await trx('aliases').where({ person_id: person }).first('alias')
  const owner = publicId('per', person)
  await lockBelongings(trx, person, 'to close all')
  await closeAll(trx, owner, at)
  // Only now: what left an account while this waited for it is seen.
  await refuseOpen(trx, owner)
  await refuseContested(trx, person)
  for (const { table, by, as, becomes } of DESTROYED) {
    const whose = as === 'uuid' ? person : owner
    const rows = trx(table).where({ [by]: whose })
    await (becomes === undefined ? rows.delete() : rows.update(becomes(person, at)))
  }
  // Not `at`: this may have waited for the locks, and tokens were issued meanwhile.
  await revokeErased(trx, context.vault, found, context.now())
  const data = { id: owner, operator, at: at.toISOString() }
  await recordEvent(trx, { type: 'person.erased', object: owner, data, at })
  await recordSecurity({ ...context, db: trx }, { kind: 'person_erased', subject: owner })
  return { ...found, alias: named?.alias ?? null }
}

/** Before the person, as whoever revokes their tokens goes about it. */
async function lockSubjectOf(trx: Knex.Transaction, person: Uuid): Promise<void> {
  const named = await trx('people').where({ id: person }).first('issuer', 'subject')
  if (named !== undefined) await lockSubject(trx, named)
}

/** Before the person, as whoever changes one of them goes about it. */
async function lockFactors(trx: Knex.Transaction, person: Uuid): Promise<void> {
  for (const table of ['pins', 'totp_enrolments', 'totp']) {
    await trx(table).where({ person_id: person }).forUpdate().select('person_id')
  }
}

/** A bank that was told something must hear of nobody else, and is not to be answered by nobody. */
async function refuseOpen(trx: Knex.Transaction, owner: string): Promise<void> {
  const open = await trx('instructions')
    .whereIn('bank_account_id', trx('bank_accounts').where({ owner }).select('id'))
    .whereIn('state', ['created', 'sent', 'unknown', 'manual'])
    .first('id')
  if (open !== undefined) throw new LedgerError('account_not_empty')
}

/** Locked in the order of their ids, like everywhere. */
async function closeAll(trx: Knex.Transaction, owner: string, at: Date): Promise<void> {
  const accounts = await findAccounts(trx, { owner })
  const open = accounts.filter(({ closedAt }) => closedAt === null).map(({ id }) => id)
  for (const id of open.sort()) await closeAccount(trx, id, at)
}
