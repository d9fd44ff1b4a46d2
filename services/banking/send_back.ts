/**
 * Money that nobody asked for goes back to the account it came from, by an instruction like any
 * other: in transit while its outcome is open, back in `suspense` when the bank rejects it.
 */
import {
  answerOnce,
  type Claim,
  createTransfers,
  type Money,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { chooseRail } from '../banks/choose.ts'
import { ACCOUNT_NUMBER, answerColumns, countryOf, sealedColumns } from './bank_accounts.ts'
import type { Heard } from './inbox.ts'
import { type Incoming, incomingOut, recordIncoming, refuseDecided, wordsOf } from './incoming.ts'
import { prepareInstruction } from './prepare.ts'
import type { Dependant } from './resolve.ts'

interface WayBack {
  readonly incoming: Incoming
  readonly account: { readonly number: string; readonly holder: string }
  readonly rail: string
}

/**
 * @throws {ServiceError} `not_found`, `incoming_money_matched`, `incoming_money_returned`;
 *   `return_not_possible` where the bank does not say from whom it came, or cannot pay there;
 *   `bank_closed` where it can at another time.
 */
export async function wayBack(context: Context, id: Uuid): Promise<WayBack> {
  const { db, vault } = context
  const incoming: Incoming | undefined = await db('incoming_money').where({ id }).first()
  refuseDecided(incoming)
  const { bank, amount, currency } = incoming
  const heard: Heard = await db('callbacks').where({ id }).first()
  const { sender: holder } = wordsOf(context, heard)
  const sealed = heard.sender_account_sealed
  if (sealed === null || holder === null) throw new ServiceError('return_not_possible')
  const place = { table: 'callbacks', row: id, column: 'sender_account_sealed' }
  const number = vault.open(place, sealed).toString()
  // A stranger's bank writes whatever it likes, and one that ours cannot write stops a whole batch.
  if (!ACCOUNT_NUMBER.test(number)) throw new ServiceError('return_not_possible')
  const rail = await railTo(context, bank, number, { amount, currency })
  return { incoming, account: { number, holder }, rail }
}

/**
 * A rail that reaches the account's country reaches it at whatever bank it is. Where none does, or
 * the number tells no country, it is taken for an account at the bank itself, which would say no.
 */
async function railTo(context: Context, bank: string, number: string, money: Money) {
  const country = countryOf(number)
  const ways = [...(country === null ? [] : [{ bank: null, country }]), { bank, country: null }]
  for (const way of ways) {
    try {
      return await chooseRail(context, bank, way, money)
    } catch (error) {
      const isNone = error instanceof ServiceError && error.code === 'no_route'
      if (!isNone) throw error
    }
  }
  throw new ServiceError('return_not_possible')
}

export interface SendBackRequest {
  readonly note: string
  readonly operator: string
  /** The other operator, who agreed. */
  readonly approvedBy: string | undefined
}

/** @throws {ServiceError} as `wayBack` does. */
export async function sendBack(
  context: Context,
  id: Uuid,
  { note, operator, approvedBy }: SendBackRequest,
  claim: Claim,
): Promise<Outcome> {
  const { incoming, account, rail } = await wayBack(context, id)
  const [subject, bankAccount, transfer, at] = [newId(), newId(), newUnitId(), context.now()]
  const { bank, amount, currency, suspense_id: owner } = incoming
  const order = { bank, rail, direction: 'credit', purpose: 'send_back', subject } as const
  const money = { amount, currency }
  // Looked up first: whoever holds a row's lock must never wait for another connection.
  const prepared = await prepareInstruction(
    ...([context, { ...order, bankAccount, owner, transfer, money }, at] as const),
  )
  const unasked = answerColumns(context.vault, bankAccount, { result: 'not_possible' }, at)
  const outcome = await answerOnce(context.db, claim, (trx) =>
    answerOf(async () => {
      const locked: Incoming | undefined = await trx('incoming_money')
        .where({ id })
        .forUpdate()
        .first()
      refuseDecided(locked)
      await createTransfers(trx, { id: transfer, at, transfers: prepared.transfers })
      // Nobody has linked it, so nobody is shown it.
      await trx('bank_accounts').insert({
        ...{ id: bankAccount, owner: publicId('inc', id), bank, created_at: at, deleted_at: at },
        ...{ ...sealedColumns(context.vault, bankAccount, account), ...unasked },
      })
      await trx('instructions').insert(prepared.instruction)
      await trx('incoming_returns').insert({
        ...{ id: subject, incoming_id: id, note, operator, approved_by: approvedBy ?? null },
        created_at: at,
      })
      const now = { ...locked, state: 'returning' } as const
      await trx('incoming_money').where({ id }).update({ state: now.state })
      await recordIncoming(trx, 'returning', now, at)
      return incomingOut(now)
    }),
  )
  if (!outcome.replayed) await context.queue.ring('instruction', [prepared.instruction.id])
  return outcome
}

/** Until the bank has paid it is only on its way; what it does not keep is in `suspense` again. */
export const sentBack: Dependant = {
  follow: async () => [],
  async conclude(context, trx, { subject }, { outcome }) {
    const { incoming_id: id } = await trx('incoming_returns').where({ id: subject }).first()
    const state = outcome === 'settled' ? 'sent_back' : 'unmatched'
    const [incoming]: Incoming[] = await trx('incoming_money')
      .where({ id })
      .whereIn('state', ['returning', 'sent_back'])
      .update({ state })
      .returning('*')
    if (incoming === undefined) throw new Error(`incoming money ${id} was not to go back`)
    const what = outcome === 'settled' ? 'sent_back' : 'not_sent_back'
    await recordIncoming(trx, what, incoming, context.now())
  },
}
