/** What is in a window: positions and payments, and every transfer that it counts. */
import type { Knex } from 'knex'
import { lastSeal, listFlows, type TransferId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { publicId } from '../ids.ts'
import { accountsAtBanks } from './close.ts'
import type { Position } from './obligations.ts'
import type { NettingWindow, ObligationState } from './windows.ts'

const COLUMNS = ['seal', 'transfer', 'recorded_at', 'bank', 'received', 'paid', 'currency']

interface Payment {
  readonly from_bank: string
  readonly to_bank: string
  readonly amount: bigint
  readonly state: ObligationState
  readonly reason: string | null
  readonly carried_into: Uuid | null
  readonly arrival_id: Uuid | null
  readonly instruction: Uuid | null
}

/** As the API shows them. */
export async function contentsOf(db: Knex, window: Uuid) {
  const [positions, payments]: [Position[], Payment[]] = await Promise.all([
    db('netting_positions').where({ window_id: window }).orderBy('bank'),
    db('netting_obligations AS o')
      .leftJoin('instructions AS i', (on) =>
        on.on('i.subject_id', 'o.id').onVal('i.purpose', 'netting'),
      )
      .where({ 'o.window_id': window })
      .orderBy(['o.from_bank', 'o.to_bank'])
      .select('o.*', { instruction: 'i.id' }),
  ])
  return { positions: positions.map(positionOut), payments: payments.map(paymentOut) }
}

const positionOut = ({ bank, received, paid, carried, kept, net }: Position) => ({
  ...{ bank, received: received.toString(), paid: paid.toString() },
  ...{ carried: carried.toString(), kept: kept.toString(), net: net.toString() },
})

const paymentOut = (payment: Payment) => ({
  from: payment.from_bank,
  to: payment.to_bank,
  amount: payment.amount.toString(),
  state: payment.state,
  reason: payment.reason,
  arrived: payment.arrival_id !== null,
  instruction: payment.instruction && publicId('ins', payment.instruction),
  carried_into: payment.carried_into && publicId('nwi', payment.carried_into),
})

/**
 * Every transfer that the window counts, as CSV of any length: whoever doubts a position adds it
 * up. Of a window that is open still: what is sealed so far. No cell needs quotes.
 */
export async function* statementOf(
  { db }: Pick<Context, 'db'>,
  { currency, from_seal, to_seal }: NettingWindow,
): AsyncGenerator<string> {
  const accounts = await accountsAtBanks(db, currency)
  const banks = new Map(accounts.map(({ id, bank }) => [id, bank]))
  const range = { after: from_seal, through: to_seal ?? (await lastSeal(db)) }
  yield lineOf(COLUMNS)
  for await (const rows of listFlows(db, [...banks.keys()], range)) {
    const lines = rows.map(({ seal, transfer, recordedAt, account, debits, credits }) =>
      lineOf([
        ...[seal.toString(), idOf(transfer), recordedAt.toISOString(), banks.get(account) ?? ''],
        ...[debits.toString(), credits.toString(), currency],
      ]),
    )
    yield lines.join('')
  }
}

const idOf = (transfer: TransferId) => publicId('trf', transfer)
const lineOf = (cells: readonly string[]) => `${cells.join(',')}\r\n`
