/**
 * Money that came to our account at a bank without our asking. It is ours to look after from the
 * moment the bank says so: in `suspense`, until it is known whose it is.
 */
import type { Knex } from 'knex'
import {
  type AccountId,
  answerOnce,
  type Claim,
  createTransfers,
  LedgerError,
  type Money,
  newUnitId,
  type Outcome,
  transferIdAt,
  type TransferId,
  type UnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import {
  bankAccountsOf,
  merchantAccountOf,
  merchantOwner,
  personOwner,
  walletOf,
} from '../books/chart.ts'
import { matched, received } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import { findPayee, type Payee } from '../people/parties.ts'
import { publicId } from '../ids.ts'
import { isArrival } from '../netting/arrivals.ts'
import { dispose, type Heard, lockHeard } from './inbox.ts'
import { payeeNamedIn } from './matching.ts'

export const INCOMING_STATES = ['unmatched', 'matched', 'returning', 'sent_back'] as const
export type IncomingState = (typeof INCOMING_STATES)[number]

export interface Incoming {
  readonly id: Uuid
  readonly bank: string
  /** The bank's own. */
  readonly reference: string
  readonly amount: bigint
  readonly currency: string
  readonly suspense_id: AccountId
  readonly state: IncomingState
  readonly received_at: Date
  readonly owner: string | null
  readonly matched_by: string | null
  readonly approved_by: string | null
  readonly matched_at: Date | null
}

type PayeeKey = Pick<Payee, 'kind' | 'id'>

/** Whose the money is, where the books keep it, and who said so. */
interface Match {
  readonly owner: string
  readonly account: AccountId
  readonly by: string
  readonly approvedBy: string | undefined
}

/** Applies an event `received`: the money is booked and the event applied, or neither. */
export async function takeIn(context: Context, heard: Heard): Promise<void> {
  // Looked up first: whoever holds a row's lock must never wait for another connection.
  const accounts = await bankAccountsOf(context, heard.bank, heard.currency)
  const match = await matchByRule(context, heard)
  await context.db.transaction(async (trx) => {
    const locked = await lockHeard(trx, heard.id)
    if (locked === undefined) return
    const { id, bank, amount, currency, end_to_end_id: endToEndId } = locked
    const { remittance } = wordsOf(context, locked)
    const said = { id, bank, money: { amount, currency }, remittance, endToEndId }
    if (await isArrival(trx, said)) {
      return dispose(trx, id, 'applied')
    }
    const at = context.now()
    const moved = await moveIn(trx, locked, accounts, match, at)
    const incoming = await write(trx, locked, { ...moved, suspense: accounts.suspense, at })
    await dispose(trx, locked.id, 'applied')
    if (moved.match !== undefined) await recordMatch(trx, incoming, moved.match, at)
  })
}

interface Moved {
  readonly unit: UnitId
  /** Whom the money was given to at once, if so. */
  readonly match: (Match & { readonly transfer: TransferId }) | undefined
}

/** In one unit, so that all accounts are locked at once. Who may get nothing is for a person. */
async function moveIn(
  trx: Knex.Transaction,
  { id, amount, currency, occurred_at }: Heard,
  accounts: Readonly<Record<'bank' | 'suspense', AccountId>>,
  match: Match | undefined,
  at: Date,
): Promise<Moved> {
  const money = { amount, currency }
  const effectiveAt = occurred_at < at ? occurred_at : at
  const arrived = received({ reference: id, effectiveAt }, accounts, money)
  if (match !== undefined) {
    const { suspense } = accounts
    const onward = matched({ reference: id }, { suspense, owner: match.account }, money)
    const unit = newUnitId()
    try {
      await createTransfers(trx, { id: unit, at, transfers: [...arrived, ...onward] })
      return { unit, match: { ...match, transfer: transferIdAt(unit, 1) } }
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error
    }
  }
  const unit = newUnitId()
  await createTransfers(trx, { id: unit, at, transfers: arrived })
  return { unit, match: undefined }
}

async function write(
  trx: Knex.Transaction,
  { id, bank, reference, amount, currency }: Heard,
  { unit, suspense, at }: Moved & { readonly suspense: AccountId; readonly at: Date },
): Promise<Incoming> {
  const row = {
    ...{ id, bank, reference, amount: amount.toString(), currency, received_at: at },
    ...{ suspense_id: suspense, transfer_id: transferIdAt(unit, 0), state: 'unmatched' },
  }
  const [incoming]: Incoming[] = await trx('incoming_money').insert(row).returning('*')
  if (incoming === undefined) throw new Error('incoming money was not written down')
  await recordIncoming(trx, 'received', incoming, at)
  return incoming
}

async function matchByRule(context: Context, heard: Heard): Promise<Match | undefined> {
  if (heard.unidentified) return undefined
  const { remittance } = wordsOf(context, heard)
  const named = remittance === null ? undefined : await payeeNamedIn(context, remittance)
  if (named === undefined) return undefined
  const at = await ownersAccount(context, named.payee, heard.currency)
  return { ...at, by: `rule:${named.rule}`, approvedBy: undefined }
}

async function ownersAccount(context: Context, { kind, id }: PayeeKey, currency: string) {
  return kind === 'person'
    ? { owner: personOwner(id), account: await walletOf(context, id, currency) }
    : { owner: merchantOwner(id), account: await merchantAccountOf(context, id, currency) }
}

/**
 * An operator says whose the money is, and another agrees.
 * @throws {ServiceError} `not_found`, `payee_not_found`, or `incoming_money_matched`.
 */
export async function matchIncoming(
  context: Context,
  id: Uuid,
  asked: {
    readonly payee: PayeeKey
    readonly operator: string
    readonly approvedBy: string | undefined
  },
  claim: Claim,
): Promise<Outcome> {
  const { currency } = await refuseUnmatchable(context, id, asked.payee)
  const at = await ownersAccount(context, asked.payee, currency)
  const match = { ...at, by: asked.operator, approvedBy: asked.approvedBy }
  return answerOnce(context.db, claim, (trx) =>
    answerOf(async () => {
      const incoming: Incoming | undefined = await trx('incoming_money')
        .where({ id })
        .forUpdate()
        .first()
      refuseDecided(incoming)
      return moveOn(context, trx, incoming, match)
    }),
  )
}

/** @throws {ServiceError} unless it is nobody's yet, and here. */
export function refuseDecided(incoming: Incoming | undefined): asserts incoming is Incoming {
  if (incoming === undefined) throw new ServiceError('not_found')
  if (incoming.state === 'unmatched') return
  const isMatched = incoming.state === 'matched'
  throw new ServiceError(isMatched ? 'incoming_money_matched' : 'incoming_money_returned')
}

/** @throws {ServiceError} what `matchIncoming` would throw, before anybody is asked to agree. */
export async function refuseUnmatchable(
  context: Context,
  id: Uuid,
  { kind, id: payee }: PayeeKey,
): Promise<Money> {
  const row: Incoming | undefined = await context.db('incoming_money').where({ id }).first()
  if (row === undefined) throw new ServiceError('not_found')
  const found = await findPayee(context, kind, payee)
  if (found === undefined || found.name === null) throw new ServiceError('payee_not_found')
  return { amount: row.amount, currency: row.currency }
}

/** The money leaves `suspense`. @returns the match as the API shows it. */
async function moveOn(context: Context, trx: Knex.Transaction, incoming: Incoming, match: Match) {
  const { id, amount, currency, suspense_id: suspense } = incoming
  const [unit, at] = [newUnitId(), context.now()]
  const accounts = { suspense, owner: match.account }
  const transfers = matched({ reference: id }, accounts, { amount, currency })
  await createTransfers(trx, { id: unit, at, transfers })
  return recordMatch(trx, incoming, { ...match, transfer: transferIdAt(unit, 0) }, at)
}

async function recordMatch(
  trx: Knex.Transaction,
  incoming: Incoming,
  { owner, transfer, by, approvedBy }: NonNullable<Moved['match']>,
  at: Date,
) {
  const { id } = incoming
  const change = {
    ...{ state: 'matched' as const, owner, match_id: transfer, matched_by: by, matched_at: at },
    approved_by: approvedBy ?? null,
  }
  const changed = await trx('incoming_money').where({ id, state: 'unmatched' }).update(change)
  if (changed !== 1) throw new Error(`incoming money ${id} was matched under our lock`)
  await trx('callbacks').where({ id }).update({ owner })
  const now = { ...incoming, ...change }
  await recordIncoming(trx, 'matched', now, at)
  return incomingOut(now)
}

export async function recordIncoming(
  trx: Knex.Transaction,
  what: 'received' | 'matched' | 'returning' | 'sent_back' | 'not_sent_back',
  incoming: Incoming,
  at: Date,
): Promise<void> {
  const object = publicId('inc', incoming.id)
  const data = incomingOut(incoming)
  await recordEvent(trx, { type: `incoming_money.${what}`, object, data, at })
}

/** What the sender wrote, and who they say they are; null where they said nothing. */
export function wordsOf(
  { vault }: Context,
  { id: row, remittance_sealed, sender_sealed }: Words,
): { readonly remittance: string | null; readonly sender: string | null } {
  const open = (column: string, sealed: Buffer | null) =>
    sealed === null ? null : vault.open({ table: 'callbacks', row, column }, sealed).toString()
  return {
    remittance: open('remittance_sealed', remittance_sealed),
    sender: open('sender_sealed', sender_sealed),
  }
}

export type Words = Pick<Heard, 'id' | 'remittance_sealed' | 'sender_sealed'>

/** In one state, oldest first: what waits longest is looked at first. */
export async function findIncoming(
  db: Knex,
  asked: {
    readonly state: IncomingState
    readonly after: Uuid | undefined
    readonly limit: number
  },
): Promise<(Incoming & Words)[]> {
  const { state, after, limit } = asked
  const query = db('incoming_money')
    .join('callbacks', 'callbacks.id', 'incoming_money.id')
    .where({ state })
    .orderBy('incoming_money.id')
    .limit(limit)
  if (after !== undefined) query.where('incoming_money.id', '>', after)
  return query.select('incoming_money.*', 'remittance_sealed', 'sender_sealed')
}

export const incomingOut = (incoming: Incoming) => ({
  id: publicId('inc', incoming.id),
  bank: incoming.bank,
  reference: incoming.reference,
  amount: incoming.amount.toString(),
  currency: incoming.currency,
  state: incoming.state,
  received_at: incoming.received_at.toISOString(),
  owner: incoming.owner,
  matched_by: incoming.matched_by,
  approved_by: incoming.approved_by,
  matched_at: incoming.matched_at?.toISOString() ?? null,
})
