/**
 * Paying what a window says is owed: from our account at one bank to our own at another. Until the
 * first bank has spoken the money is reserved between the two (a hold), because nobody knows where
 * it is; then the hold is posted or voided. What failed is owed in the next window.
 */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  createTransfers,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { type BankAccount, findBankAccounts } from '../banking/bank_accounts.ts'
import { prepareInstruction } from '../banking/prepare.ts'
import type { Dependant } from '../banking/resolve.ts'
import { chooseRail } from '../banks/choose.ts'
import { bankAccountsOf, PLATFORM } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import {
  findWindow,
  OBLIGATION_STATES,
  type ObligationState,
  WINDOW_STATES,
  windowOut,
} from './windows.ts'

export interface Owed {
  readonly id: Uuid
  readonly window_id: Uuid
  readonly from_bank: string
  readonly to_bank: string
  readonly amount: bigint
  readonly currency: string
  readonly state: ObligationState
  readonly reason: string | null
}

export interface Approval {
  readonly operator: string
  readonly approvedBy: string | undefined
}

/**
 * Two operators agree that the window's payments are made. Once is enough: whoever asks again gets
 * the window as it is.
 * @throws {ServiceError} `netting_window_not_closed` while there is nothing to pay yet.
 * @throws {ServiceError} `bank_account_not_found` when we do not know our own account at a bank.
 */
export async function approveSettlement(
  context: Context,
  id: Uuid,
  { operator, approvedBy }: Approval,
  claim: Claim,
): Promise<Outcome> {
  await checkSettlement(context, id)
  return answerOnce(context.db, claim, async (trx) => {
    const window = await findWindow(trx, id, 'lock')
    if (window === undefined) throw new ServiceError('not_found')
    if (window.approved_at !== null) return JSON.stringify(windowOut(window))
    const approval = { approved_at: context.now(), proposed_by: operator }
    await trx('netting_windows')
      .where({ id })
      .update({ ...approval, approved_by: approvedBy ?? null })
    return JSON.stringify(windowOut({ ...window, ...approval }))
  })
}

/** @throws {ServiceError} when it could not be settled anyway: `no_route`, too. */
export async function checkSettlement(context: Context, id: Uuid): Promise<void> {
  const { db, banks } = context
  const window = await findWindow(db, id)
  if (window === undefined) throw new ServiceError('not_found')
  if (window.state !== 'closed' && window.state !== 'settled') {
    throw new ServiceError('netting_window_not_closed')
  }
  const ours = await ownAccounts(db)
  for (const owed of await owedIn(db, id)) {
    const { from_bank, to_bank } = owed
    if (!banks.has(from_bank)) throw new ServiceError('bank_not_found', { detail: from_bank })
    const account = ours.get(to_bank)
    if (account === undefined) {
      throw new ServiceError('bank_account_not_found', { detail: to_bank })
    }
    // One that is closed now pays when it opens; one that never can must not be waited for.
    await railOf(context, owed, account).catch(unlessClosed)
  }
}

/** So many payments are begun in one go; the next one goes on. */
const BEGUN_MAX = 100

/** Begins the payments of approved windows. Any number of workers: each takes others. */
export async function beginPayments(context: Context): Promise<void> {
  const { db, log } = context
  const due: Uuid[] = await db('netting_obligations AS o')
    .join('netting_windows AS w', 'w.id', 'o.window_id')
    .where({ 'o.state': 'due', 'w.state': 'closed' })
    .whereNotNull('w.approved_at')
    .orderBy('o.id')
    .limit(BEGUN_MAX)
    .pluck('o.id')
  if (due.length === 0) return
  const ours = await ownAccounts(db)
  const waiting: Uuid[] = []
  for (const id of due) {
    try {
      await beginPayment(context, id, ours)
    } catch (error) {
      if (isClosed(error)) {
        waiting.push(id)
        continue
      }
      log.error({ err: error, obligation: id }, 'a net payment could not begin; it is tried again')
    }
  }
  if (waiting.length > 0) log.info({ obligations: waiting }, 'net payments wait for their bank')
}

/** Hold, instruction and state in one transaction: a crash leaves all of it or nothing. */
async function beginPayment(
  context: Context,
  id: Uuid,
  ours: ReadonlyMap<string, BankAccount>,
): Promise<void> {
  const { banks, db, queue, now } = context
  const known: Owed | undefined = await db('netting_obligations').where({ id }).first()
  const account = known && ours.get(known.to_bank)
  if (known === undefined || account === undefined) {
    throw new ServiceError('bank_account_not_found', { detail: known?.to_bank ?? id })
  }
  if (!banks.has(known.from_bank)) throw new ServiceError('bank_not_found')
  // Looked up first: whoever holds a row's lock must never wait for another connection.
  const at = now()
  const unit = newUnitId()
  const prepared = await prepareInstruction(
    context,
    await orderOf(context, known, account, unit),
    at,
  )
  const isBegun = await db.transaction(async (trx) => {
    const state = OBLIGATION_STATES.due.instructed
    const moved = await trx('netting_obligations')
      .where({ id, state: 'due' })
      .update({ state, transfer_id: unit, changed_at: at })
    if (moved === 0) return false
    await createTransfers(trx, { id: unit, at, transfers: prepared.transfers })
    await trx('instructions').insert(prepared.instruction)
    return true
  })
  if (isBegun) await queue.ring('instruction', [prepared.instruction.id])
}

/** The bank that owes is the one that pays: only its rails are in question. */
const railOf = (
  context: Context,
  { from_bank, to_bank, amount, currency }: Owed,
  { country }: BankAccount,
) => chooseRail(context, from_bank, { bank: to_bank, country }, { amount, currency })

const isClosed = (error: unknown) => error instanceof ServiceError && error.code === 'bank_closed'

function unlessClosed(error: unknown): void {
  if (!isClosed(error)) throw error
}

async function orderOf(context: Context, owed: Owed, account: BankAccount, transfer: Uuid) {
  const { id: subject, from_bank, to_bank, amount, currency } = owed
  const { bank: owner } = await bankAccountsOf(context, to_bank, currency)
  const rail = await railOf(context, owed, account)
  return {
    ...({ bank: from_bank, rail, direction: 'credit', purpose: 'netting', subject } as const),
    ...{ bankAccount: account.id, owner, transfer, money: { amount, currency } },
  }
}

/** Our own account at each bank: the one that was linked last. */
async function ownAccounts(db: Knex): Promise<ReadonlyMap<string, BankAccount>> {
  const newestFirst = await findBankAccounts(db, PLATFORM)
  return new Map(newestFirst.toReversed().map((account) => [account.bank, account]))
}

const owedIn = (db: Knex, window: Uuid): Promise<Owed[]> =>
  db('netting_obligations').where({ window_id: window }).orderBy(['from_bank', 'to_bank'])

/** Whatever has no payment open is settled: also where a payment failed, and is carried. */
export async function endWindows({ db, now }: Context): Promise<void> {
  await db('netting_windows')
    .where({ state: 'closed' })
    .whereNotExists(
      db('netting_obligations')
        .whereRaw('window_id = netting_windows.id')
        .whereIn('state', ['due', 'instructed']),
    )
    .update({ state: WINDOW_STATES.closed.paid, settled_at: now() })
}

/** What the first bank's word means for what is owed. The money is the instruction's own. */
export const netPayment: Dependant = {
  follow: async () => [],
  /** What has arrived was paid: voided, it would be paid again in the next window. */
  async doubts(trx, { subject: id }, { outcome }) {
    if (outcome === 'settled') return undefined
    const owed = await trx('netting_obligations').where({ id }).forUpdate().first()
    const isContradicted = owed?.state === 'instructed' && owed.arrival_id !== null
    return isContradicted ? `${outcome}_after_arrival` : undefined
  },
  async conclude(context, trx, { id: instruction, subject: id }, { outcome, reason }) {
    const owed: Owed | undefined = await trx('netting_obligations').where({ id }).first()
    const next: Readonly<Record<string, ObligationState>> = OBLIGATION_STATES[owed?.state ?? 'due']
    const state = next[outcome]
    if (owed === undefined || state === undefined) {
      throw new Error(`netting obligation ${id} is ${owed?.state}, and was ${outcome}`)
    }
    const at = context.now()
    const why = outcome === 'settled' ? null : (reason ?? outcome)
    await trx('netting_obligations').where({ id }).update({ state, reason: why, changed_at: at })
    if (state !== 'carried') return
    const { from_bank: from, to_bank: to, currency } = owed
    const data = { ...{ from, to, amount: owed.amount.toString(), currency, reason: why } }
    const object = publicId('ins', instruction)
    await recordEvent(trx, { type: 'netting.carried', object, data, at })
  },
}
