/**
 * A settlement: which payments are paid out to a merchant, what is left of them, and by which
 * payout.
 */
import type { Knex } from 'knex'
import {
  type Claim,
  type Currency,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import { bankAccountOf, findBankAccounts } from '../banking/bank_accounts.ts'
import { prepareInstruction, submitInstruction } from '../banking/prepare.ts'
import type { Dependant } from '../banking/resolve.ts'
import { chooseBank } from '../banks/choose.ts'
import { merchantAccountOf, merchantOwner } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { eventRow, recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'

export interface SettlementLine {
  readonly payment: Uuid
  readonly gross: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly net: bigint
}

export interface Settlement {
  readonly id: Uuid
  readonly merchant: Uuid
  readonly bankAccount: Uuid
  readonly transfer: Uuid
  readonly state: 'processing' | 'settled' | 'failed' | 'returned'
  readonly payments: number
  readonly gross: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly net: bigint
  readonly currency: Currency
  readonly failure: string | null
  readonly createdAt: Date
  readonly changedAt: Date
}

/** How many payments one batch may cover; what is left over is in the next. */
const LINES_MAX = 5_000

export interface SettlementRequest {
  readonly currency: Currency
  /** Where to; the account linked last where none is named. */
  readonly bankAccount: Uuid | undefined
}

/**
 * Settles everything completed and not yet settled, net, by one payout.
 * Two settlements at once are safe: a payment can be in one batch only, so one of them is refused.
 */
export async function settle(
  context: Context,
  merchant: Uuid,
  { currency, bankAccount }: SettlementRequest,
  claim: Claim,
): Promise<Outcome> {
  const account = await payoutAccount(context.db, merchant, bankAccount)
  const lines = await unsettled(context.db, merchant, currency)
  const batch = batchOf(context, merchant, account.id, currency, lines)
  if (batch.net <= 0n) throw new ServiceError('nothing_to_settle')

  const at = batch.createdAt
  const money = { amount: batch.net, currency }
  const way = await chooseBank(context, account, 'credit', money)
  const owner = await merchantAccountOf(context, merchant, currency)
  const prepared = await prepareInstruction(
    context,
    {
      ...{ ...way, direction: 'credit', purpose: 'settlement' },
      subject: batch.id,
      ...{ bankAccount: account.id, owner, transfer: batch.transfer, money },
    },
    at,
  )
  const body = settlementOut(batch)
  const event = { type: 'settlement.processing' as const, object: body.id, merchant }
  return submitInstruction(context, prepared, {
    ...{ id: batch.transfer, at, claim },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const rows = {
        settlements: [toRow(batch)],
        settlement_lines: lines.map((line) => lineRow(batch.id, line)),
        instructions: [prepared.instruction],
        events: [eventRow({ ...event, data: body, at })],
      }
      return { rows, answer: JSON.stringify(body) }
    },
  })
}

async function payoutAccount(db: Knex, merchant: Uuid, id: Uuid | undefined) {
  const owner = merchantOwner(merchant)
  if (id !== undefined) return bankAccountOf(db, owner, id)
  const [newest] = await findBankAccounts(db, owner)
  if (newest === undefined) throw new ServiceError('bank_account_not_found')
  return newest
}

async function unsettled(db: Knex, merchant: Uuid, currency: Currency): Promise<SettlementLine[]> {
  return db('payments')
    .where({ payee_id: merchant, kind: 'order', state: 'completed', 'payments.currency': currency })
    .whereNotExists(
      db('settlement_lines').whereRaw('payment_id = payments.id').where({ released: false }),
    )
    .orderBy('id')
    .limit(LINES_MAX)
    .select({ payment: 'id', gross: grossOf(db), fee: 'fee', tax: 'tax', net: 'net' })
}

/** What was captured, where the money was held first. */
const grossOf = (db: Knex) => db.raw('coalesce(captured, amount)')

function batchOf(
  context: Context,
  merchant: Uuid,
  bankAccount: Uuid,
  currency: Currency,
  lines: readonly SettlementLine[],
): Settlement {
  const total = (part: 'gross' | 'fee' | 'tax' | 'net') =>
    lines.reduce((sum, line) => sum + line[part], 0n)
  const now = context.now()
  return {
    ...{ id: newId(), merchant, bankAccount, transfer: newUnitId(), state: 'processing', currency },
    ...{ gross: total('gross'), fee: total('fee'), tax: total('tax'), net: total('net') },
    ...{ payments: lines.length, failure: null, createdAt: now, changedAt: now },
  }
}

const toRow = (batch: Settlement) => ({
  ...{ id: batch.id, merchant_id: batch.merchant, bank_account_id: batch.bankAccount },
  ...{ transfer_id: batch.transfer, state: batch.state, payments: batch.payments },
  ...{ gross: batch.gross.toString(), fee: batch.fee.toString(), tax: batch.tax.toString() },
  ...{ net: batch.net.toString(), currency: batch.currency },
  ...{ created_at: batch.createdAt, changed_at: batch.changedAt },
})

const lineRow = (settlement: Uuid, line: SettlementLine) => ({
  ...{ settlement_id: settlement, payment_id: line.payment, gross: line.gross.toString() },
  ...{ fee: line.fee.toString(), tax: line.tax.toString(), net: line.net.toString() },
  released: false,
})

interface Row {
  readonly id: Uuid
  readonly merchant_id: Uuid
  readonly bank_account_id: Uuid
  readonly transfer_id: Uuid
  readonly state: Settlement['state']
  readonly payments: number
  readonly gross: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly net: bigint
  readonly currency: Currency
  readonly failure: string | null
  readonly created_at: Date
  readonly changed_at: Date
}

const fromRow = (row: Row): Settlement => ({
  id: row.id,
  merchant: row.merchant_id,
  bankAccount: row.bank_account_id,
  transfer: row.transfer_id,
  state: row.state,
  payments: row.payments,
  gross: row.gross,
  fee: row.fee,
  tax: row.tax,
  net: row.net,
  currency: row.currency,
  failure: row.failure,
  createdAt: row.created_at,
  changedAt: row.changed_at,
})

/** Of any merchant where none is named: an operator may see all. */
export async function findSettlement(
  db: Knex,
  id: Uuid,
  merchant: Uuid | undefined,
): Promise<Settlement | undefined> {
  const where = merchant === undefined ? { id } : { id, merchant_id: merchant }
  const row: Row | undefined = await db('settlements').where(where).first()
  return row && fromRow(row)
}

export async function findSettlements(
  db: Knex,
  {
    merchant,
    before,
    limit,
  }: { merchant: Uuid | undefined; before: Uuid | undefined; limit: number },
): Promise<Settlement[]> {
  const query = db('settlements').orderBy('id', 'desc').limit(limit)
  if (merchant !== undefined) query.where({ merchant_id: merchant })
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

/** The batch's payments, in the order in which they were made. */
export async function linesOf(
  db: Knex,
  settlement: Uuid,
  { after, limit }: { readonly after: Uuid | undefined; readonly limit: number },
): Promise<SettlementLine[]> {
  const query = db('settlement_lines').where({ settlement_id: settlement })
  if (after !== undefined) query.where('payment_id', '>', after)
  return query
    .orderBy('payment_id')
    .limit(limit)
    .select({ payment: 'payment_id', gross: 'gross', fee: 'fee', tax: 'tax', net: 'net' })
}

export const settlementOut = (batch: Settlement) => ({
  id: publicId('set', batch.id),
  merchant: publicId('mer', batch.merchant),
  bank_account: publicId('bac', batch.bankAccount),
  state: batch.state,
  payments: batch.payments,
  gross: batch.gross.toString(),
  fee: batch.fee.toString(),
  tax: batch.tax.toString(),
  net: batch.net.toString(),
  currency: batch.currency,
  failure: batch.failure,
  created_at: batch.createdAt.toISOString(),
  changed_at: batch.changedAt.toISOString(),
})

const STATES = { settled: 'settled', rejected: 'failed', returned: 'returned' } as const

/** What the bank's word on the payout means for the batch; what was not paid out is released. */
export const paidOut: Dependant = {
  follow: async () => [],
  async conclude(context, trx, instruction, { outcome, reason }) {
    const id = instruction.subject
    const failure = outcome === 'settled' ? null : (reason ?? outcome)
    const changed_at = context.now()
    await trx('settlements').where({ id }).update({ state: STATES[outcome], failure, changed_at })
    if (outcome !== 'settled') {
      await trx('settlement_lines').where({ settlement_id: id }).update({ released: true })
    }
    const batch = await findSettlement(trx, id, undefined)
    if (batch === undefined) throw new Error(`settlement ${id} has vanished`)
    const { merchant, state } = batch
    const data = settlementOut(batch)
    await recordEvent(trx, {
      ...{ type: `settlement.${state}`, object: data.id, merchant, data, at: changed_at },
    })
  },
}
