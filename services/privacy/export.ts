/** All that is kept about a person, as one JSON document that is made as it is read. */
import type { Knex } from 'knex'
import { findAccounts, type Uuid } from '../../ledger/index.ts'
import { bankAccountOut, findEveryBankAccount } from '../banking/bank_accounts.ts'
import { statementText } from '../books/statement.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { exchangeOut, findExchanges } from '../exchange/exchanges.ts'
import { publicId } from '../ids.ts'
import { findPayments } from '../payments/payment.ts'
import { findStored } from '../payments/shown.ts'
import { payeeById } from '../people/parties.ts'
import { showPeople } from './shown.ts'

/** Rows that are read, and shown, at once. */
const BATCH = 100

/** Which factors a person has, and since when; never what they consist of. */
const FACTORS: Readonly<Record<string, readonly string[]>> = {
  pins: ['changed_at', 'locked_until'],
  totp: ['confirmed_at', 'locked_until'],
  devices: ['id', 'name', 'thumbprint', 'alg', 'bound_by', 'created_at', 'revoked_at'],
}

/** @throws {ServiceError} `not_found` for nobody, or who is erased. */
export async function exportOf(context: Context, person: Uuid): Promise<AsyncGenerator<string>> {
  const row = await context.db('people').where({ id: person, erased_at: null }).first()
  if (row === undefined) throw new ServiceError('not_found')
  const { name, alias } = await payeeById(context, 'person', person)
  const head = {
    ...{ id: publicId('per', person), name, alias, issuer: row.issuer, subject: row.subject },
    ...{ tier: row.tier, no_pin_limit: row.no_pin_limit?.toString() ?? null },
    security_changed_at: row.security_changed_at,
    created_at: row.created_at,
    factors: await factorsOf(context.db, person),
    bank_accounts: await bankAccountsOf(context, publicId('per', person)),
  }
  return documentOf(context, person, head)
}

/** Payments, with top-ups and withdrawals, show by their timeline what happened to them. */
async function* documentOf(context: Context, person: Uuid, head: object): AsyncGenerator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"payments":[`
  yield* listOf((before) => paymentsOf(context, person, before))
  yield '\n],"exchanges":['
  yield* listOf((before) => exchangesOf(context, person, before))
  yield '\n],"events":['
  yield* listOf((before) => eventsOf(context.db, person, before))
  yield '\n],"accounts":['
  yield* statementsOf(context.db, person)
  yield '\n]}\n'
}

interface Page {
  readonly last: Uuid | undefined
  readonly texts: readonly string[]
}

async function* listOf(pageAfter: (before: Uuid | undefined) => Promise<Page>) {
  let page: Page | undefined
  let separator = '\n'
  do {
    page = await pageAfter(page?.last)
    for (const text of page.texts) {
      yield `${separator}${text}`
      separator = ',\n'
    }
  } while (page.texts.length === BATCH)
}

async function paymentsOf(context: Context, party: Uuid, before: Uuid | undefined): Promise<Page> {
  const found = await findPayments(context.db, { party, before, limit: BATCH })
  const stored = await findStored(context.db, found)
  const texts = stored.map((one) => showPeople(context, JSON.stringify(one)))
  return { last: found.at(-1)?.id, texts: await Promise.all(texts) }
}

async function exchangesOf({ db }: Context, person: Uuid, before: Uuid | undefined): Promise<Page> {
  const found = await findExchanges(db, person, { before, limit: BATCH })
  return { last: found.at(-1)?.id, texts: found.map((one) => JSON.stringify(exchangeOut(one))) }
}

async function eventsOf(db: Knex, person: Uuid, before: Uuid | undefined): Promise<Page> {
  const query = db('events').where({ object_id: publicId('per', person) })
  void query.whereRaw(`type LIKE 'person.%'`).orderBy('id', 'desc').limit(BATCH)
  if (before !== undefined) void query.where('id', '<', before)
  const found = await query.select('id', 'type', 'data', 'created_at')
  const texts = found.map(({ id, ...event }) =>
    JSON.stringify({ id: publicId('evt', id), ...event }),
  )
  return { last: found.at(-1)?.id, texts }
}

/** Each account with all its entries, as its statement shows them. */
async function* statementsOf(db: Knex, person: Uuid): AsyncGenerator<string> {
  let separator = '\n'
  for (const account of await findAccounts(db, { owner: publicId('per', person) })) {
    yield separator
    yield* (await statementText(db, account, { format: 'json' })).text
    separator = ',\n'
  }
}

async function bankAccountsOf(context: Context, owner: string) {
  const accounts = await findEveryBankAccount(context.db, owner)
  // Of a number only its end: a token alone is enough to ask for this.
  return accounts.map((account) => bankAccountOut(context, account))
}

async function factorsOf(db: Knex, person: Uuid) {
  const kinds = Object.entries(FACTORS).map(
    async ([table, columns]) =>
      [table, await db(table).where({ person_id: person }).select(columns)] as const,
  )
  return Object.fromEntries(await Promise.all(kinds))
}
