/**
 * The inbox of the banks. A callback is verified, written down and answered; what it means is
 * worked out afterwards, at our pace and by state, not by order of arrival.
 */
import { type BankEvent, BankError, type BankReport, type Headers } from '../../adapters/adapter.ts'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { findInstruction } from './instructions.ts'
import { type Dependants, type Disposition, resolve } from './resolve.ts'

/**
 * Writes the callback down, once however often it comes, and rings for it.
 * @throws {BankError} unless it is signed by this bank, recently, over exactly these bytes.
 * @throws {ServiceError} `cross_bank_callback` when the instruction is another bank's.
 */
export async function receiveCallback(
  context: Context,
  bankName: string,
  headers: Headers,
  bytes: Buffer,
): Promise<void> {
  const bank = context.banks.get(bankName)
  if (bank === undefined) throw new ServiceError('not_found')
  const report = reportOf(bank.readCallback(headers, bytes, context.now()))
  await refuseOtherBanks(context, bankName, report)
  const { eventId, money, occurredAt } = report
  const row = { id: newId(), bank: bankName, event_id: eventId, reference: report.reference }
  const inserted = await context
    .db('callbacks')
    .insert({
      ...{ ...row, outcome: report.outcome, amount: money.amount.toString() },
      ...{ currency: money.currency, reason: report.reason ?? null },
      ...{ occurred_at: occurredAt, received_at: context.now() },
    })
    .onConflict(['bank', 'event_id'])
    .ignore()
    .returning('id')
  if (inserted.length > 0) await context.queue.ring('callback', [row.id])
}

function reportOf(event: BankEvent): BankReport {
  if (event.outcome === 'received' || event.outcome === 'recall_refused') {
    throw new BankError('bad_callback')
  }
  return event
}

async function refuseOtherBanks(context: Context, bank: string, { reference }: BankReport) {
  const row = await context.db('instructions').where({ reference }).first('bank')
  if (row !== undefined && row.bank !== bank) {
    context.log.error({ bank, reference }, 'a bank reports on another bank’s instruction')
    throw new ServiceError('cross_bank_callback')
  }
}

/** A wrong amount contradicts what we asked for. An unknown instruction leaves it `received`. */
const DISPOSITIONS = {
  applied: 'applied',
  duplicate: 'duplicate',
  contradiction: 'contradiction',
  manual: 'contradiction',
} as const satisfies Record<Disposition, string>

/** Applies a callback from the inbox. Safe at any time, any number of times. */
export async function applyCallback(
  context: Context,
  dependants: Dependants,
  id: Uuid,
): Promise<void> {
  const { db } = context
  const row = await db('callbacks').where({ id, disposition: 'received' }).first()
  if (row === undefined) return
  const { bank, reference } = row
  const instruction = await findInstruction(db, { bank, reference })
  if (instruction === undefined) return
  const by = [row.decided_by, row.approved_by].filter((name) => name !== null).join(', ')
  const report = {
    ...{ eventId: row.event_id, reference, outcome: row.outcome },
    money: { amount: row.amount, currency: row.currency },
    occurredAt: row.occurred_at,
    ...(row.reason !== null && { reason: row.reason }),
    ...(by !== '' && { by }),
  }
  await resolve(context, dependants, instruction, report, async (trx, came) => {
    const received = trx('callbacks').where({ id, disposition: 'received' })
    await received.update({ disposition: DISPOSITIONS[came] })
  })
}
