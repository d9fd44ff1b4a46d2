/** What a bank was told to do: its row, its states, and what may follow what. */
import type { Knex } from 'knex'
import type { BankReport, Direction } from '../../adapters/adapter.ts'
import {
  type AccountId,
  type CompanionRow,
  type Money,
  newId,
  type TransferId,
  type Uuid,
} from '../../ledger/index.ts'
import { publicId, suffixOf } from '../ids.ts'

export type Purpose = 'payment' | 'top_up' | 'withdrawal' | 'settlement'

export type State = 'created' | 'sent' | 'unknown' | 'settled' | 'rejected' | 'returned' | 'manual'

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
  readonly sentAt: Date | null
  /** Fencing: grows with every lease, and only its newest holder may write. */
  readonly lease: number
  readonly createdAt: Date
}

/**
 * What a report does to an instruction in each state. A return tells of a settlement too: whoever
 * hears of the return first finds nothing new in the settlement. `contradiction`: it cannot be true
 * beside what was applied, and nobody but a person may decide.
 */
export const TRANSITIONS = {
  created: { settled: 'settled', rejected: 'rejected', returned: 'returned' },
  sent: { settled: 'settled', rejected: 'rejected', returned: 'returned' },
  unknown: { settled: 'settled', rejected: 'rejected', returned: 'returned' },
  manual: { settled: 'settled', rejected: 'rejected', returned: 'returned' },
  settled: { settled: 'duplicate', rejected: 'contradiction', returned: 'returned' },
  rejected: { settled: 'contradiction', rejected: 'duplicate', returned: 'contradiction' },
  returned: { settled: 'duplicate', rejected: 'contradiction', returned: 'duplicate' },
} as const satisfies Record<State, Record<BankReport['outcome'], Transition>>

export type Transition = BankReport['outcome'] | 'duplicate' | 'contradiction'

/** Whether the outcome is still open: no money has moved but into the hold or to transit. */
export const isOpen = (state: State): boolean =>
  state === 'created' || state === 'sent' || state === 'unknown' || state === 'manual'

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
>

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
    ...{ submissions: 0, enquiries: 0, lease: 0 },
    ...{ next_at: now, created_at: now, changed_at: now },
  } satisfies CompanionRow
}

interface Row {
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
  readonly lease: number
  readonly created_at: Date
}

const fromRow = (row: Row): Instruction => ({
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
  lease: row.lease,
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

/**
 * Takes the instruction if it is due and nobody works on it.
 * The lease is committed before the bank is called, so two workers never call for one instruction;
 * it must outlast the longest call. Whoever dies holds it to its end, then somebody else goes on.
 */
export async function leaseInstruction(
  db: Knex,
  id: Uuid,
  { now, lease_ms }: { readonly now: Date; readonly lease_ms: number },
): Promise<Instruction | undefined> {
  const until = new Date(now.getTime() + lease_ms)
  const rows: Row[] = await db('instructions')
    .where({ id })
    .whereIn('state', ['created', 'sent', 'unknown'])
    .where('next_at', '<=', now)
    .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', now))
    .update({ lease: db.raw('lease + 1'), leased_until: until })
    .returning('*')
  return rows[0] && fromRow(rows[0])
}

export interface Progress {
  readonly state: State
  readonly nextAt: Date
  readonly reason?: string | null
  readonly submissions?: number
  readonly enquiries?: number
  readonly sentAt?: Date | null
}

/**
 * Writes what its lease holder learned, and ends the lease unless `keep`. False: the lease is lost.
 */
export async function progress(
  db: Knex,
  { id, lease }: Instruction,
  to: Progress,
  { now, keep }: { readonly now: Date; readonly keep: boolean },
): Promise<boolean> {
  const changed = await db('instructions')
    .where({ id, lease })
    .whereIn('state', ['created', 'sent', 'unknown'])
    .update({
      ...{ state: to.state, next_at: to.nextAt, changed_at: now },
      ...(to.reason !== undefined && { reason: to.reason }),
      ...(to.submissions !== undefined && { submissions: to.submissions }),
      ...(to.enquiries !== undefined && { enquiries: to.enquiries }),
      ...(to.sentAt !== undefined && { sent_at: to.sentAt }),
      ...(!keep && { leased_until: null }),
    })
  return changed === 1
}

/**
 * Ends an instruction that no bank has heard of, which the caller has locked. Whoever holds its
 * lease has lost it, and will not call.
 */
export async function withdrawInstruction(
  trx: Knex.Transaction,
  { id }: Instruction,
  now: Date,
): Promise<void> {
  await trx('instructions')
    .where({ id, state: 'created' })
    .update({
      ...{ state: 'rejected', reason: 'canceled', changed_at: now },
      ...{ lease: trx.raw('lease + 1'), leased_until: null },
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
