/** The event log: what happened, written in the transaction in which it happened. */
import type { Knex } from 'knex'
import { type CompanionRow, newId, type Uuid } from '../../ledger/index.ts'

/** The published catalogue. Each carries the object as the API shows it. */
export const EVENT_TYPES = [
  'account.closed',
  'account.frozen',
  'account.period_closed',
  'account.unfrozen',
  'account.updated',
  'ledger.posted',
  'payment.processing',
  'payment.review',
  'payment.authorized',
  'payment.captured',
  'payment.completed',
  'payment.failed',
  'payment.canceled',
  'payment.expired',
  'payment.reversed',
  'refund.completed',
  'reserve.held',
  'reserve.released',
  'dispute.opened',
  'dispute.evidence_submitted',
  'dispute.won',
  'dispute.lost',
  'dispute.reversed',
  'merchant.draft',
  'merchant.review',
  'merchant.active',
  'merchant.suspended',
  'order.created',
  'order.processing',
  'order.partially_shipped',
  'order.shipped',
  'order.completed',
  'order.canceled',
  'settlement.processing',
  'settlement.settled',
  'settlement.failed',
  'settlement.returned',
  'instruction.manual',
  'instruction.returned',
  'bank_event.contradicted',
  'bank_event.parked',
  'bank_file.contradicted',
  'incoming_money.received',
  'incoming_money.matched',
  'recall.manual',
  'recall.refused',
  'recall.returned',
  'netting.carried',
  'exchange.completed',
  'reconciliation.unexplained',
  'person.device_bound',
  'person.device_revoked',
  'person.erased',
  'person.pin_changed',
  'person.pin_locked',
  'person.pin_reset',
  'person.recovery_code_used',
  'person.recovery_codes_renewed',
  'person.totp_enrolled',
  'person.totp_locked',
  'person.totp_removed',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

export interface NewEvent {
  readonly type: EventType
  /** The public id of what it is about. */
  readonly object: string
  /** The merchant who may read it, beside the chat app and operators. */
  readonly merchant?: Uuid | undefined
  /** As the API shows it, or that as JSON. */
  readonly data: object | string
  readonly at: Date
}

export function eventRow({ type, object, merchant, data, at }: NewEvent): CompanionRow {
  return {
    id: newId(),
    type,
    object_id: object,
    merchant_id: merchant ?? null,
    data: typeof data === 'string' ? data : JSON.stringify(data),
    created_at: at,
  }
}

export async function recordEvent(trx: Knex.Transaction, event: NewEvent): Promise<void> {
  await trx('events').insert(eventRow(event))
}

export interface EventRow {
  readonly id: Uuid
  readonly type: EventType
  readonly object_id: string
  readonly data: unknown
  readonly created_at: Date
}

/** Newest first; all of them, or those a merchant may read. */
export async function findEvents(
  db: Knex,
  {
    merchant,
    before,
    limit,
  }: { merchant?: Uuid | undefined; before?: Uuid | undefined; limit: number },
): Promise<EventRow[]> {
  const query = db('events').orderBy('id', 'desc').limit(limit)
  if (merchant !== undefined) query.where({ merchant_id: merchant })
  if (before !== undefined) query.where('id', '<', before)
  return query.select('id', 'type', 'object_id', 'data', 'created_at')
}
