/**
 * Linking a person's or a merchant's account at a partner bank, after asking the bank whose it is.
 */
import type { Knex } from 'knex'
import type { NameAnswer, NameCheck } from '../../adapters/adapter.ts'
import { type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import { answerFor, refusedFor } from '../answers.ts'
import { lockBelongings } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId, uuidOf } from '../ids.ts'
import type { Vault } from '../vault/vault.ts'

export interface BankAccount {
  readonly id: Uuid
  readonly owner: string
  readonly bank: string
  /** Where the account is, if its number tells; ISO 3166. */
  readonly country: string | null
  /** Null once its owner is erased. */
  readonly sealed: SealedDetails | null
  /** What its bank said last when it was asked whose it is, and when. */
  readonly nameCheck: NameCheck
  readonly checkedAt: Date
  /** Of a close match the name as the bank has it, where it told. */
  readonly nameAtBank: Buffer | null
  /** When the owner said that a close match is them. */
  readonly confirmedAt: Date | null
  readonly createdAt: Date
}

/** Number and holder, as they are kept. */
interface SealedDetails {
  readonly number: Buffer
  readonly holder: Buffer
}

/** What a bank needs to know to find the account. */
interface Details {
  readonly number: string
  readonly holder: string
}

/** What every bank can be told to pay to, in whatever way it is told. */
export const ACCOUNT_NUMBER = /^[A-Z0-9-]{4,34}$/

const TABLE = 'bank_accounts'
const NUMBER = 'number_sealed'
const HOLDER = 'holder_sealed'
const NAME = 'name_at_bank_sealed'

export async function linkBankAccount(
  context: Context,
  owner: string,
  { bank: name, number, holder }: Details & Pick<BankAccount, 'bank'>,
  claim: Claim | undefined,
): Promise<Outcome> {
  const bank = context.banks.get(name)
  if (bank === undefined) throw new ServiceError('bank_not_found')
  const answer = await bank.checkName({ number, holder })
  if (answer.result === 'no_match') throw new ServiceError('name_mismatch')
  const [id, createdAt] = [newId(), context.now()]
  const row = {
    ...{ id, owner, bank: name, ...sealedColumns(context.vault, id, { number, holder }) },
    ...{ country: countryOf(number), created_at: createdAt },
    ...answerColumns(context.vault, id, answer, createdAt),
  }
  return answerFor(context.db, claim, async (trx) => {
    await refuseLeaving(trx, owner)
    const added = await trx(TABLE).insert(row).onConflict().ignore().returning('id')
    if (added.length === 0) return refusedFor('bank_account_exists')
    return JSON.stringify({ id: publicId('bac', id) })
  })
}

/** Who is being erased while their bank is asked gets no account that would outlive them. */
async function refuseLeaving(trx: Knex.Transaction, owner: string): Promise<void> {
  if (!owner.startsWith('per_')) return
  const person = uuidOf(owner)
  await lockBelongings(trx, person, 'to add one')
  const here = await trx('people').where({ id: person, erased_at: null }).first('id')
  if (here === undefined) throw new ServiceError('forbidden')
}

/** An IBAN begins with its country; of other numbers nothing is known. */
export const countryOf = (number: string): string | null =>
  /^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$/.test(number) ? number.slice(0, 2) : null

/** Number and holder as the columns of the row `id` take them. */
export function sealedColumns(vault: Vault, id: Uuid, { number, holder }: Details) {
  return {
    [NUMBER]: hex(vault.seal({ table: TABLE, row: id, column: NUMBER }, number)),
    [HOLDER]: hex(vault.seal({ table: TABLE, row: id, column: HOLDER }, holder)),
    number_index: hex(vault.blindIndex({ table: TABLE, column: 'number' }, number)),
  }
}

const hex = (bytes: Buffer) => `\\x${bytes.toString('hex')}`

const NAME_LENGTH_MAX = 140

/** The name that the bank told its owner: one line of text, or null. Strangers are told none. */
export function toldName({ result, name }: NameAnswer): string | null {
  if (result !== 'close_match' || name === undefined) return null
  const line = name.normalize('NFC').replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ')
  return line.slice(0, NAME_LENGTH_MAX).trim() || null
}

/** What the bank said, as the columns of the row `id` take it. */
export function answerColumns(vault: Vault, id: Uuid, answer: NameAnswer, at: Date) {
  const name = toldName(answer)
  const sealed = name && hex(vault.seal({ table: TABLE, row: id, column: NAME }, name))
  return { name_check: answer.result, checked_at: at, [NAME]: sealed }
}

/** The name as the bank has it; null where it told none, or it is no close match. */
export const nameAtBank = ({ vault }: Context, { id, nameAtBank: sealed }: BankAccount) =>
  sealed === null ? null : vault.open({ table: TABLE, row: id, column: NAME }, sealed).toString()

/** Whether it was paid before: then who owns it is known. */
export async function wasPaid(db: Knex, id: Uuid): Promise<boolean> {
  const where = { bank_account_id: id, direction: 'credit', state: 'settled' }
  return (await db('instructions').where(where).first('id')) !== undefined
}

/** @returns null once its owner is erased. */
export function detailsOf({ vault }: Context, { id, sealed }: BankAccount): Details | null {
  if (sealed === null) return null
  const open = (column: string, bytes: Buffer) =>
    vault.open({ table: TABLE, row: id, column }, bytes).toString()
  return { number: open(NUMBER, sealed.number), holder: open(HOLDER, sealed.holder) }
}

/** The stored answer names the account; what it is, is asked when it is shown. */
export async function shownBankAccount(context: Context, answer: string): Promise<string> {
  const stored: { readonly id: string } = JSON.parse(answer)
  const account = await findBankAccount(context.db, uuidOf(stored.id))
  return JSON.stringify(bankAccountOut(context, account))
}

/** One that is known to exist, linked or not. */
export async function findBankAccount(
  db: Knex,
  id: Uuid,
  lock: 'lock' | 'read' = 'read',
): Promise<BankAccount> {
  const query = db(TABLE).where({ id })
  const row: Row | undefined = await (lock === 'lock' ? query.forUpdate() : query).first()
  if (row === undefined) throw new Error(`bank account ${id} is not there`)
  return fromRow(row)
}

/** The same of many, by their ids. */
export async function findBankAccountsById(
  db: Knex,
  ids: readonly Uuid[],
): Promise<ReadonlyMap<Uuid, BankAccount>> {
  const rows: Row[] = await db(TABLE).whereIn('id', ids)
  return new Map(rows.map((row) => [row.id, fromRow(row)]))
}

/** Those of these that are linked. */
export async function findLinkedBankAccounts(
  db: Knex,
  ids: readonly Uuid[],
): Promise<ReadonlyMap<Uuid, BankAccount>> {
  const rows: Row[] = await db(TABLE).whereIn('id', ids).where({ deleted_at: null })
  return new Map(rows.map((row) => [row.id, fromRow(row)]))
}

export async function findBankAccounts(db: Knex, owner: string): Promise<BankAccount[]> {
  const rows = await db('bank_accounts').where({ owner, deleted_at: null }).orderBy('id', 'desc')
  return rows.map(fromRow)
}

/** Of each owner the one that was linked last. */
export async function findNewestBankAccounts(
  db: Knex,
  owners: readonly string[],
): Promise<ReadonlyMap<string, BankAccount>> {
  const rows: Row[] = await db(TABLE)
    .distinctOn('owner')
    .whereIn('owner', [...owners])
    .where({ deleted_at: null })
    .orderBy([{ column: 'owner' }, { column: 'id', order: 'desc' }])
  return new Map(rows.map((row) => [row.owner, fromRow(row)]))
}

/** Those that were unlinked too. */
export async function findEveryBankAccount(db: Knex, owner: string): Promise<BankAccount[]> {
  const rows: Row[] = await db(TABLE).where({ owner }).orderBy('id', 'desc')
  return rows.map(fromRow)
}

/** @throws {ServiceError} `bank_account_not_found` unless it is linked and the owner's. */
export async function bankAccountOf(
  db: Knex,
  owner: string,
  id: Uuid,
  lock: 'lock' | 'read' = 'read',
): Promise<BankAccount> {
  const query = db(TABLE).where({ id, owner, deleted_at: null })
  const row: Row | undefined = await (lock === 'lock' ? query.forUpdate() : query).first()
  if (row === undefined) throw new ServiceError('bank_account_not_found')
  return fromRow(row)
}

export async function unlinkBankAccount(
  context: Context,
  owner: string,
  id: Uuid,
): Promise<boolean> {
  const changed = await context
    .db('bank_accounts')
    .where({ id, owner, deleted_at: null })
    .update({ deleted_at: context.now() })
  return changed === 1
}

interface Row {
  readonly id: Uuid
  readonly owner: string
  readonly bank: string
  readonly country: string | null
  readonly number_sealed: Buffer | null
  readonly holder_sealed: Buffer | null
  readonly name_check: NameCheck
  readonly checked_at: Date | null
  readonly name_at_bank_sealed: Buffer | null
  readonly confirmed_at: Date | null
  readonly created_at: Date
}

const fromRow = (row: Row): BankAccount => ({
  id: row.id,
  owner: row.owner,
  bank: row.bank,
  country: row.country,
  sealed: sealedOf(row),
  nameCheck: row.name_check,
  checkedAt: row.checked_at ?? row.created_at,
  nameAtBank: row.name_at_bank_sealed,
  confirmedAt: row.confirmed_at,
  createdAt: row.created_at,
})

const sealedOf = ({ number_sealed: number, holder_sealed: holder }: Row): SealedDetails | null =>
  number === null || holder === null ? null : { number, holder }

/** Nobody is shown more of an account number than its end. */
export function bankAccountOut(context: Context, account: BankAccount) {
  const details = detailsOf(context, account)
  return {
    id: publicId('bac', account.id),
    bank: account.bank,
    number: `•••• ${details?.number.slice(-4) ?? ''}`.trim(),
    holder: details?.holder ?? null,
    name_check: account.nameCheck,
    checked_at: account.checkedAt.toISOString(),
    name_at_bank: nameAtBank(context, account),
    confirmed_at: account.confirmedAt?.toISOString() ?? null,
    created_at: account.createdAt.toISOString(),
  }
}
