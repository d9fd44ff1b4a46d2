/**
 * How a bank's word comes in and is applied. It is verified, written down and answered; what it
 * means is worked out afterwards, at our pace and by state, not by order of arrival.
 */
import type { BankEvent, BankReport, Headers } from '../../adapters/adapter.ts'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { dispose, type Heard, lockHeard, recordBankEvent, UNDECIDED, writeDown } from './inbox.ts'
import { takeIn } from './incoming.ts'
import { findInstruction, type Instruction } from './instructions.ts'
import { parkOrphan } from './orphans.ts'
import { recallAnswered } from './recalls.ts'
import { type Dependants, resolve } from './resolve.ts'

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
  const event = bank.readCallback(headers, bytes, context.now())
  await refuseOtherBanks(context, bankName, event)
  const envelope = { bank: bankName, source: 'callback' } as const
  const { fresh } = await writeDown(context, context.db, envelope, [event])
  await context.queue.ring('callback', fresh)
}

/** Of money that comes without our asking the reference is the bank's own. */
async function refuseOtherBanks(context: Context, bank: string, event: BankEvent) {
  if (event.outcome === 'received') return
  const { reference } = event
  const row = await context.db('instructions').where({ reference }).first('bank')
  if (row !== undefined && row.bank !== bank) {
    context.log.error({ bank, reference }, 'a bank reports on another bank’s instruction')
    throw new ServiceError('cross_bank_callback')
  }
}

/**
 * A bank’s final answer to a call of ours: evidence like any other, and applied at once. It is an
 * event of its own: a bank that is asked may well correct what it called back with.
 */
export async function applyAnswer(
  context: Context,
  dependants: Dependants,
  { bank }: Instruction,
  report: BankReport,
): Promise<void> {
  const envelope = { bank, source: 'enquiry' } as const
  const answer = { ...report, eventId: `${report.eventId}~${newId()}` }
  const { fresh } = await writeDown(context, context.db, envelope, [answer])
  for (const id of fresh) await applyCallback(context, dependants, id)
}

type Apply = (context: Context, dependants: Dependants, heard: Heard) => Promise<void>

const APPLY: Readonly<Record<BankEvent['outcome'], Apply>> = {
  settled: applyReport,
  rejected: applyReport,
  returned: applyReport,
  received: (context, _, heard) => takeIn(context, heard),
  recall_refused: applyRefusal,
}

/** Applies an event from the inbox. Safe at any time, any number of times. */
export async function applyCallback(
  context: Context,
  dependants: Dependants,
  id: Uuid,
): Promise<void> {
  const heard = await lookAt(context, id)
  if (heard !== undefined) await APPLY[heard.outcome](context, dependants, heard)
}

/**
 * Counted, and put off, before anything is tried: an event that nobody can apply, or that ends the
 * process which tries to, is looked at ever less often. Each wait is a quarter of its age.
 */
async function lookAt({ db, now }: Context, id: Uuid): Promise<Heard | undefined> {
  const later = `?::timestamptz + LEAST(GREATEST((?::timestamptz - received_at) / 4,
                                                 interval '2 seconds'), interval '1 hour')`
  const rows: Heard[] = await db('callbacks')
    .where({ id })
    .whereIn('disposition', UNDECIDED)
    .update({ looks: db.raw('looks + 1'), next_at: db.raw(later, [now(), now()]) })
    .returning('*')
  return rows[0]
}

async function applyReport(context: Context, dependants: Dependants, heard: Heard): Promise<void> {
  const { bank, reference, outcome } = heard
  const instruction = await findInstruction(context.db, { bank, reference })
  if (instruction === undefined) return parkOrphan(context, heard)
  if (outcome === 'received' || outcome === 'recall_refused') throw new Error(`not a report`)
  const by = [heard.decided_by, heard.approved_by].filter((name) => name !== null).join(', ')
  const report = {
    ...{ eventId: heard.event_id, reference, outcome },
    money: { amount: heard.amount, currency: heard.currency },
    occurredAt: heard.occurred_at,
    ...(heard.reason !== null && { reason: heard.reason }),
    ...(by !== '' && { by }),
  }
  await resolve(context, dependants, instruction, report, heard.id)
}

/** The other side keeps the money: nothing moves, and the recall is over. */
async function applyRefusal(context: Context, _: Dependants, heard: Heard): Promise<void> {
  const { bank, reference } = heard
  const instruction = await findInstruction(context.db, { bank, reference })
  if (instruction === undefined) return parkOrphan(context, heard)
  await context.db.transaction(async (trx) => {
    const locked = await lockHeard(trx, heard.id)
    if (locked === undefined) return
    const answer = { outcome: 'recall_refused' as const, reason: heard.reason ?? undefined }
    const disposition = await recallAnswered(context, trx, instruction, answer)
    await dispose(trx, heard.id, disposition)
    if (disposition !== 'contradiction') return
    await recordBankEvent(trx, 'contradicted', heard, 'nothing_was_recalled', context.now())
  })
}
