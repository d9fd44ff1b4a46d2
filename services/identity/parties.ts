/**
 * Who takes part: people, known from their first token on, and merchants, known by their operator.
 */
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import type { Token } from './tokens.ts'

export interface Person {
  readonly id: Uuid
  readonly name: string
  /** Null for people whose alias was taken, or whose issuer gives none. */
  readonly alias: string | null
}

const ALIAS = /^[a-z0-9][a-z0-9_.]{1,31}$/
const NAME_LENGTH_MAX = 100

/** The person of the token; recorded at their first request. */
export async function personOf(context: Context, token: Token): Promise<Person> {
  const { issuer, subject } = token
  return context.memory.recall(`is ${issuer} ${subject}`, async () => {
    const known = await findPerson(context, { issuer, subject })
    if (known !== undefined) return known
    await recordPerson(context, token)
    const recorded = await findPerson(context, { issuer, subject })
    if (recorded === undefined) throw new Error('a person was recorded and not found')
    return recorded
  })
}

async function findPerson(
  { db }: Context,
  where: Readonly<Record<string, string>>,
): Promise<Person | undefined> {
  return db('people')
    .leftJoin('aliases', 'aliases.person_id', 'people.id')
    .where(where)
    .first('people.id', 'name', 'alias')
}

/** Two first requests at once record one person; a taken alias does not keep anybody out. */
async function recordPerson(context: Context, token: Token): Promise<void> {
  const { issuer, subject, alias } = token
  const id = newId()
  const name = (token.name ?? alias ?? subject).slice(0, NAME_LENGTH_MAX)
  await context.db.transaction(async (trx) => {
    const inserted = await trx('people')
      .insert({ id, issuer, subject, name })
      .onConflict(['issuer', 'subject'])
      .ignore()
      .returning('id')
    if (inserted.length === 0 || alias === undefined || !ALIAS.test(alias)) return
    await trx('aliases').insert({ alias, person_id: id }).onConflict('alias').ignore()
  })
}

export interface Payee {
  readonly kind: 'person' | 'merchant'
  readonly id: Uuid
  readonly alias: string | null
  readonly name: string
}

export async function payeeByAlias(context: Context, alias: string): Promise<Payee | undefined> {
  return context.memory.recall(`alias ${alias}`, async () => {
    const row = await context.db('aliases').where({ alias }).first('person_id', 'merchant_id')
    if (row === undefined) return undefined
    const { person_id: person, merchant_id: merchant } = row
    return person === null
      ? payeeById(context, 'merchant', merchant)
      : payeeById(context, 'person', person)
  })
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
  return context.memory.recall(`${kind} ${id}`, async () => {
    const [table, column] =
      kind === 'person' ? ['people', 'aliases.person_id'] : ['merchants', 'aliases.merchant_id']
    const row = await context
      .db(table)
      .leftJoin('aliases', column, `${table}.id`)
      .where(`${table}.id`, id)
      .first('name', 'alias')
    return row && { kind, id, alias: row.alias, name: row.name }
  })
}

/** A person's name as somebody else may see it before paying: 'Bob Stone' is 'B•• S••••'. */
export function maskedName(name: string): string {
  return name
    .split(' ')
    .map((word) => [...word].map((letter, index) => (index === 0 ? letter : '•')).join(''))
    .join(' ')
}
