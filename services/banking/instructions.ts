/** What a bank was told to do: its row, its lease, and its history. */
import assert from 'node:assert/strict'
import type { Knex } from 'knex'
import type { Direction } from '../../adapters/adapter.ts'
import {
  type AccountId,
  type CompanionRow,
  type Money,
  newId,
  type TransferId,
  type Uuid,
} from '../../ledger/index.ts'
import { recordEvent } from '../events/events.ts'
import { publicId, suffixOf } from '../ids.ts'
import { recordStep } from './history.ts'
import { type Event, next, type State, WORKED_ON } from './machine.ts'

export type Purpose = 'payment' | 'top_up' | 'withdrawal' | 'settlement' | 'netting' | 'send_back'

export interface Instruction {
  readonly id: Uuid
  /** The bank's idempotency key, for ever. */
  readonly reference: string
  readonly bank: string
  readonly direction: Direction
  /** Over which of the bank's rails. */
  readonly rail: string
  readonly purpose: Purpose
  /** The payment or the settlement it serves. */
  readonly subject: Uuid
  readonly bankAccount: Uuid
  readonly owner: AccountId
  /** The hold of a debit, the movement to transit of a credit. */
  readonly transfer: TransferId
  readonly money: Money
  readonly state: State
  readonly reason: string | null
  readonly submissions: number
  readonly enquiries: number
  /** When it was first handed over, and when last. */
  readonly sentAt: Date | null
  readonly lastSentAt: Date | null
  /** When there is something to do again, while it is open. */
  readonly nextAt: Date
  /** Fencing: grows with every lease, and only its newest holder may write. */
  readonly lease: number
  /** How often in a row a step was begun and not ended, this one included. */
  readonly attempts: number
  /** How often in a row the bank gave no answer. */
  readonly failures: number
  /** Whether the account's bank is to be asked whose it is before anything is sent. */
  readonly nameDue: boolean
  readonly createdAt: Date
}

export type NewInstruction = Pick<
  Instruction,
  | 'bank'
  | 'direction'
  | 'rail'
  | 'purpose'
  | 'subject'
  | 'bankAccount'
  | 'owner'
  | 'transfer'
  | 'money'
> &
  Partial<Pick<Instruction, 'nameDue'>>

/** The row of a new instruction, due at once; its reference exists before any bank hears of it. */
export function instructionRow(instruction: NewInstruction, now: Date) {
  const id = newId()
  return {
    id,
    reference: suffixOf(id).toUpperCase(),
    bank: instruction.bank,
    direction: instruction.direction,
    rail: instruction.rail,
    purpose: instruction.purpose,
    subject_id: instruction.subject,
    bank_account_id: instruction.bankAccount,
    owner_account_id: instruction.owner,
    transfer_id: instruction.transfer,
    amount: instruction.money.amount.toString(),
    currency: instruction.money.currency,
    state: 'created',
    ...{ submissions: 0, enquiries: 0, lease: 0, name_due: instruction.nameDue ?? false },
    ...{ next_at: now, created_at: now, changed_at: now },
  } satisfies CompanionRow
}

export interface Row {
  readonly id: Uuid
  readonly reference: string
  readonly bank: string
  readonly direction: Direction
  readonly rail: string
  readonly purpose: Purpose
  readonly subject_id: Uuid
  readonly bank_account_id: Uuid
  readonly owner_account_id: AccountId
  readonly transfer_id: TransferId
  readonly amount: bigint
  readonly currency: string
  readonly state: State
  readonly reason: string | null
  readonly submissions: number
  readonly enquiries: number
  readonly sent_at: Date | null
  readonly last_sent_at: Date | null
  readonly next_at: Date
  readonly lease: number
  readonly attempts: number
  readonly failures: number
  readonly name_due: boolean
  readonly created_at: Date
}

export const fromRow = (row: Row): Instruction => ({
  id: row.id,
  reference: row.reference,
  bank: row.bank,
  direction: row.direction,
  rail: row.rail,
  purpose: row.purpose,
  subject: row.subject_id,
  bankAccount: row.bank_account_id,
  owner: row.owner_account_id,
  transfer: row.transfer_id,
  money: { amount: row.amount, currency: row.currency },
  state: row.state,
  reason: row.reason,
  submissions: row.submissions,
  enquiries: row.enquiries,
  sentAt: row.sent_at,
  lastSentAt: row.last_sent_at,
  nextAt: row.next_at,
  lease: row.lease,
  attempts: row.attempts,
  failures: row.failures,
  nameDue: row.name_due,
  createdAt: row.created_at,
})

/** With `trx` as the database the row stays locked until the transaction ends. */
export async function findInstruction(
  db: Knex,
  where:
    | { readonly id: Uuid }
    | { readonly purpose: Purpose; readonly subject_id: Uuid }
    | { readonly bank: string; readonly reference: string },
  lock: 'lock' | 'read' = 'read',
): Promise<Instruction | undefined> {
  const query = db('instructions').where(where)
  const row: Row | undefined = await (lock === 'lock' ? query.forUpdate() : query).first()
  return row && fromRow(row)
}

/** Those of a batch, in the order of their ids. */
export async function findBatch(db: Knex, batch_id: Uuid): Promise<Instruction[]> {
  const rows: Row[] = await db('instructions').where({ batch_id }).orderBy('id')
  return rows.map(fromRow)
}

/**
 * Takes the instruction if it is due and nobody works on it.
 * The lease is committed before the bank is called, so two workers never call for one instruction;
 * it must outlast the longest call. Whoever dies holds it to its end, then somebody else goes on;
 * that a step was begun is counted here, and forgotten when it ends.
 */
export async function leaseInstruction(
  db: Knex,
  id: Uuid,
  { now, lease_ms }: { readonly now: Date; readonly lease_ms: number },
): Promise<Instruction | undefined> {
  const until = new Date(now.getTime() + lease_ms)
  const rows: Row[] = await db('instructions')
    .where({ id })
    .whereIn('state', WORKED_ON)
    .where('next_at', '<=', now)
    .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', now))
    .update({
      ...{ lease: db.raw('lease + 1'), attempts: db.raw('attempts + 1'), leased_until: until },
    })
    .returning('*')
  return rows[0] && fromRow(rows[0])
}

/** What its lease holder learned. */
export interface Progress {
  readonly event: Event
  readonly nextAt: Date
  readonly reason?: string | null
  readonly submissions?: number
  readonly enquiries?: number
  readonly failures?: number
  readonly sentAt?: Date | null
  readonly lastSentAt?: Date | null
}

/**
 * Writes what its lease holder learned, with a line of history, and ends the lease unless `keep`.
 * @returns the instruction as it is now; undefined when the lease is lost, or nothing can follow.
 */
export async function progress(
  db: Knex,
  instruction: Instruction,
  { event, nextAt, ...learned }: Progress,
  { now, keep }: { readonly now: Date; readonly keep: boolean },
): Promise<Instruction | undefined> {
  const { id, lease, state: from } = instruction
  const state = next(from, event)
  if (state === 'late' || state === 'duplicate' || state === 'contradiction') return undefined
  const { reason, submissions, enquiries, failures, ...sent } = { ...instruction, ...learned }
  const when = { sent_at: sent.sentAt, last_sent_at: sent.lastSentAt }
  const counted = { submissions, enquiries, failures, ...when }
  const moved = await db.transaction(async (trx) => {
    const rows: Row[] = await trx('instructions')
      .where({ id, lease, state: from })
      .update({ ...{ state, reason, next_at: nextAt, changed_at: now }, ...counted })
      .update(keep ? {} : { leased_until: null, attempts: 0 })
      .returning('*')
    const [row] = rows
    if (row !== undefined) {
      await recordStep(trx, { instruction: id, at: now, event, from, to: state, detail: reason })
    }
    return row
  })
  return moved && fromRow(moved)
}

/** Ends the lease: there is nothing to do or to learn before `nextAt`. */
export async function postpone(
  db: Knex,
  { id, lease, state }: Instruction,
  { nextAt }: { readonly nextAt: Date },
): Promise<void> {
  await db('instructions')
    .where({ id, lease, state })
    .update({ next_at: nextAt, leased_until: null, attempts: 0 })
}

/**
 * Ends an instruction that no bank has heard of, which the caller has locked. Whoever holds its
 * lease has lost it, and will not call.
 */
export async function withdrawInstruction(
  trx: Knex.Transaction,
  { id, state: from }: Instruction,
  now: Date,
): Promise<void> {
  const to = next(from, 'canceled')
  assert(to === 'rejected', `instruction ${id} is ${from}: a bank may have heard of it`)
  await trx('instructions')
    .where({ id })
    .update({
      ...{ state: to, reason: 'canceled', changed_at: now },
      ...{ lease: trx.raw('lease + 1'), leased_until: null },
    })
  await recordStep(trx, {
    ...{ instruction: id, at: now, event: 'canceled', from, to, detail: null },
  })
}

export const instructionOut = (instruction: Instruction) => ({
  id: publicId('ins', instruction.id),
  reference: instruction.reference,
  bank: instruction.bank,
  direction: instruction.direction,
  rail: instruction.rail,
  purpose: instruction.purpose,
  amount: instruction.money.amount.toString(),
  currency: instruction.money.currency,
  state: instruction.state,
  reason: instruction.reason,
})

/** Somebody has to look at it: nothing else will move it. */
export const askPerson = (trx: Knex.Transaction, one: Instruction, reason: string, at: Date) =>
  recordEvent(trx, {
    ...{ type: 'instruction.manual', object: publicId('ins', one.id), at },
    data: { ...instructionOut(one), reason },
  })
