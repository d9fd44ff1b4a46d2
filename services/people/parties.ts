/**
 * Who takes part: people, known from their first token on, and merchants, known by their operator.
 */
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId, uuidOf } from '../ids.ts'
import {
  forgetPersonKey,
  namePlace,
  newPersonKey,
  openForPerson,
  personMemory_ms,
  sealForPerson,
  unsealKey,
} from '../privacy/person_keys.ts'
import { endSessions, isRevoked, revokedBefore } from '../credentials/revocations.ts'
import type { Token } from '../credentials/tokens.ts'

export interface Person {
  readonly id: Uuid
  /** Null once the person is erased. */
  readonly name: string | null
  /** Null for people whose alias was taken, or whose issuer gives none. */
  readonly alias: string | null
}

const ALIAS = /^[a-z0-9][a-z0-9_.]{1,31}$/
const NAME_LENGTH_MAX = 100

/** The person of the token; recorded at their first request. */
export async function personOf(context: Context, token: Token): Promise<Person> {
  const { issuer, subject } = token
  const find = async () => {
    const known = await findPerson(context, { issuer, subject })
    if (known !== undefined) return known
    await recordPerson(context, token)
    const recorded = await findPerson(context, { issuer, subject })
    if (recorded === undefined) throw new Error('a person was recorded and not found')
    return recorded
  }
  return context.memory.recall(`is ${issuer} ${subject}`, find, personMemory_ms(context))
}

async function findPerson(
  context: Context,
  where: Readonly<Record<string, string>>,
): Promise<Person | undefined> {
  const row: PersonRow | undefined = await peopleQuery(context).where(where).first()
  return row && personFrom(context, row)
}

const peopleQuery = ({ db }: Context) =>
  db('people')
    .leftJoin('aliases', 'aliases.person_id', 'people.id')
    .leftJoin('person_keys', 'person_keys.person_id', 'people.id')
    .select('people.id', 'name_sealed', 'alias', 'sealed', 'erased_at')

/** With the person come their key and how they are shown: both are remembered with them. */
function personFrom(context: Context, row: PersonRow): Person {
  const { id, name_sealed: nameSealed, sealed } = row
  const key = sealed === null ? undefined : unsealKey(context, id, sealed)
  const name = key && nameSealed ? openForPerson(key, namePlace(id), nameSealed) : null
  const person = { id, name, alias: row.erased_at === null ? row.alias : null }
  remember(context, { kind: 'person', ...person })
  return person
}

/** Whoever knows the party knows how it is shown, for as long and no longer. */
function remember(context: Context, payee: Payee): void {
  const ms = personMemory_ms(context)
  context.memory.keep(`${payee.kind} ${payee.id}`, payee, ms)
  const id = publicIdOf(payee)
  context.memory.keep(`party ${id}`, JSON.stringify(partyOut(payee)), ms)
}

const publicIdOf = ({ kind, id }: Pick<Payee, 'kind' | 'id'>) =>
  publicId(kind === 'person' ? 'per' : 'mer', id)

/** A party as the other one sees it once there is a payment between them. */
const partyOut = (payee: Payee) => ({
  ...{ id: publicIdOf(payee), alias: payee.alias, name: payee.name },
})

/** How the party is shown, as JSON, if that is remembered. */
export const knownPartyText = ({ memory }: Context, id: string) =>
  memory.known(`party ${id}`) as string | undefined

/** How the parties are shown, as JSON, by their public ids. Those remembered are not looked up. */
export async function partyTexts(
  context: Context,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const known = new Map<string, string>()
  const missing = { per: [] as Uuid[], mer: [] as Uuid[] }
  for (const id of ids) {
    const text = knownPartyText(context, id)
    if (text === undefined) missing[id.startsWith('per') ? 'per' : 'mer'].push(uuidOf(id))
    else known.set(id, text)
  }
  if (known.size === ids.length) return known
  const rows: PersonRow[] = await peopleQuery(context).whereIn('people.id', missing.per)
  const people = rows.map((row) => ({ kind: 'person' as const, ...personFrom(context, row) }))
  const merchants = await Promise.all(missing.mer.map((id) => payeeById(context, 'merchant', id)))
  for (const payee of [...people, ...merchants]) {
    known.set(publicIdOf(payee), JSON.stringify(partyOut(payee)))
  }
  return known
}

interface PersonRow {
  readonly id: Uuid
  readonly name_sealed: Buffer | null
  readonly alias: string | null
  /** The person's key. */
  readonly sealed: Buffer | null
  readonly erased_at: Date | null
}

/**
 * Two first requests at once record one person; a taken alias does not keep anybody out.
 * @throws {ServiceError} `invalid_token` for a token that was revoked: it makes nobody known.
 */
async function recordPerson(context: Context, token: Token): Promise<void> {
  const { issuer, subject, alias } = token
  const id = newId()
  const name = (token.name ?? alias ?? subject).slice(0, NAME_LENGTH_MAX)
  const { key, row } = newPersonKey(context.vault, id)
  await context.db.transaction(async (trx) => {
    const revoked = await revokedBefore(trx, context.vault, token)
    if (isRevoked(token, revoked, null)) throw new ServiceError('invalid_token')
    const inserted = await trx('people')
      .insert({ id, issuer, subject, name_sealed: sealForPerson(key, namePlace(id), name) })
      .onConflict(['issuer', 'subject'])
      .ignore()
      .returning('id')
    if (inserted.length === 0) return
    if (revoked !== null) await endSessions(trx, id, revoked, null)
    await trx('person_keys').insert({ ...row, created_at: context.now() })
    if (alias === undefined || !ALIAS.test(alias)) return
    await trx('aliases').insert({ alias, person_id: id }).onConflict('alias').ignore()
  })
}

/** Everything this process remembers of the person, gone. Others forget within PERSON_MEMORY_S. */
export function forgetPerson(
  context: Context,
  { id, issuer, subject, alias }: Pick<Token, 'issuer' | 'subject'> & Omit<Person, 'name'>,
): void {
  const { memory } = context
  memory.forget(`is ${issuer} ${subject}`)
  memory.forget(`person ${id}`)
  memory.forget(`party ${publicId('per', id)}`)
  if (alias !== null) memory.forget(`alias ${alias}`)
  forgetPersonKey(context, id)
}

export interface Payee {
  readonly kind: 'person' | 'merchant'
  readonly id: Uuid
  readonly alias: string | null
  /** Null for a person who was erased. */
  readonly name: string | null
}

export async function payeeByAlias(context: Context, alias: string): Promise<Payee | undefined> {
  const find = async () => {
    const row = await context.db('aliases').where({ alias }).first('person_id', 'merchant_id')
    if (row === undefined) return undefined
    const { person_id: person, merchant_id: merchant } = row
    return person === null
      ? payeeById(context, 'merchant', merchant)
      : payeeById(context, 'person', person)
  }
  return context.memory.recall(`alias ${alias}`, find, personMemory_ms(context))
}

/** A party that is known to exist. */
export async function payeeById(context: Context, kind: Payee['kind'], id: Uuid): Promise<Payee> {
  const payee = await findPayee(context, kind, id)
  if (payee === undefined) throw new Error(`${kind} ${id} is not there`)
  return payee
}

export async function findPayee(
  context: Context,
  kind: Payee['kind'],
  id: Uuid,
): Promise<Payee | undefined> {
  const known = context.memory.known(`${kind} ${id}`) as Payee | undefined
  if (known !== undefined) return known
  return kind === 'person' ? findPersonById(context, id) : findMerchant(context, id)
}

async function findPersonById(context: Context, id: Uuid): Promise<Payee | undefined> {
  const person = await findPerson(context, { 'people.id': id })
  return person && { kind: 'person', ...person }
}

async function findMerchant(context: Context, id: Uuid): Promise<Payee | undefined> {
  const row = await context
    .db('merchants')
    .leftJoin('aliases', 'aliases.merchant_id', 'merchants.id')
    .where('merchants.id', id)
    .first('name', 'alias')
  if (row === undefined) return undefined
  const payee = { kind: 'merchant' as const, id, alias: row.alias, name: row.name }
  remember(context, payee)
  return payee
}

/** A person's name as somebody else may see it before paying: 'Bob Stone' is 'B•• S••••'. */
export function maskedName(name: string): string {
  return name
    .split(' ')
    .map((word) => [...word].map((letter, index) => (index === 0 ? letter : '•')).join(''))
    .join(' ')
}
