/** A payment: what somebody asked for, how it stands, and how the API shows it. */
import type { Knex } from 'knex'
import type { CompanionRow, Currency, UnitId, Use, Uuid } from '../../ledger/index.ts'
import type { Priced } from '../fees/terms.ts'
import { type Approval, approvalColumns } from '../approvals/approvals.ts'

export type PaymentKind = 'person' | 'order' | 'top_up' | 'withdrawal'
export type PaymentState = (typeof PAYMENT_STATES)[number]
export const PAYMENT_STATES = [
  ...(['processing', 'review', 'authorized', 'completed'] as const),
  ...(['failed', 'canceled', 'expired', 'reversed'] as const),
] as const

/** In the same minor units as the payment. */
type PricedBy = Pick<Priced, 'at' | 'volume' | 'country' | 'category'>

export interface Payment {
  readonly id: Uuid
  readonly kind: PaymentKind
  readonly state: PaymentState
  readonly payer: Uuid
  /** Null where a person moves money of their own to or from their bank. */
  readonly payee: Uuid | null
  readonly order: Uuid | null
  /** Whether others may pay its order too. */
  readonly orderReusable: boolean
  readonly bankAccount: Uuid | null
  readonly feeSchedule: Uuid | null
  /** The first transfer of the unit that made it. */
  readonly transfer: Uuid
  readonly amount: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly net: bigint
  /** So much of the amount is for the fee, which the payer bears. */
  readonly surcharge: bigint
  /** What the price rests on beside the schedule; null between people. */
  readonly priced: PricedBy | null
  readonly currency: Currency
  /** Under the payer's key. */
  readonly note: Buffer | null
  readonly failure: string | null
  readonly createdAt: Date
  readonly changedAt: Date
  /** Of what is held first: how much the merchant has taken. Fee, tax and net are of that alone. */
  readonly captured: bigint | null
  /** The unit that holds the money, once it does. */
  readonly hold: UnitId | null
  readonly authorizedAt: Date | null
  readonly captureBefore: Date | null
  readonly reversedAt: Date | null
  /** How much the merchant has given back, and how much is in disputes that are open or lost. */
  readonly refunded: bigint
  readonly disputed: bigint
  /** What it used up of what the payer may spend: given back where it comes to nothing. */
  readonly quotas: readonly Uuid[]
  /** It waited for a review, until then at most; null where nobody had to look at it. */
  readonly reviewDueAt: Date | null
  /** When a review let it go on. */
  readonly releasedAt: Date | null
}

/** Paying is all there is: nothing is held first. */
export const NOT_HELD = {
  ...{ captured: null, hold: null, authorizedAt: null, captureBefore: null, reversedAt: null },
  ...{ refunded: 0n, disputed: 0n },
  ...{ reviewDueAt: null, releasedAt: null },
}

/** Whether its payee must not know of it: it waits for a review, or came to nothing in one. */
export const isHidden = ({ reviewDueAt, releasedAt }: Payment): boolean =>
  reviewDueAt !== null && releasedAt === null

/** How a payment stands from `at` on, when its money is held by `hold`. */
export const authorized = (hold: UnitId, at: Date, captureBefore: Date) => ({
  ...{ state: 'authorized' as const, hold, authorizedAt: at, captureBefore, changedAt: at },
})

export const quotasOf = (uses: readonly Use[]): Uuid[] => uses.map(({ quota }) => quota)

export const later = (at: Date, by_s: number): Date => new Date(at.getTime() + by_s * 1000)

export function paymentRow(payment: Payment, approval: Approval): CompanionRow {
  const shown = approvalColumns(approval)
  // One literal: with another object spread into it, this would cost ten times as much.
  return {
    id: payment.id,
    kind: payment.kind,
    state: payment.state,
    payer_id: payment.payer,
    payee_id: payment.payee,
    order_id: payment.order,
    bank_account_id: payment.bankAccount,
    fee_schedule_id: payment.feeSchedule,
    transfer_id: payment.transfer,
    amount: payment.amount.toString(),
    fee: payment.fee.toString(),
    tax: payment.tax.toString(),
    net: payment.net.toString(),
    surcharge: payment.surcharge.toString(),
    fee_at: payment.priced?.at ?? null,
    fee_volume: payment.priced?.volume.toString() ?? null,
    fee_country: payment.priced?.country ?? null,
    fee_category: payment.priced?.category ?? null,
    currency: payment.currency,
    note_sealed: payment.note && `\\x${payment.note.toString('hex')}`,
    approval: shown.approval,
    approval_digest: shown.approval_digest,
    approval_key: shown.approval_key,
    approved_at: shown.approved_at,
    approval_proof: shown.approval_proof,
    step_up: shown.step_up,
    idempotency_key: shown.idempotency_key,
    failure: payment.failure,
    created_at: payment.createdAt,
    changed_at: payment.changedAt,
    captured: payment.captured?.toString() ?? null,
    hold_id: payment.hold,
    authorized_at: payment.authorizedAt,
    capture_before: payment.captureBefore,
    quotas: payment.quotas.length === 0 ? null : `{${payment.quotas.join()}}`,
    review_due_at: payment.reviewDueAt,
    order_reusable: payment.orderReusable,
  }
}

interface Row {
  readonly id: Uuid
  readonly kind: PaymentKind
  readonly state: PaymentState
  readonly payer_id: Uuid
  readonly payee_id: Uuid | null
  readonly order_id: Uuid | null
  readonly order_reusable: boolean
  readonly bank_account_id: Uuid | null
  readonly fee_schedule_id: Uuid | null
  readonly transfer_id: Uuid
  readonly amount: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly net: bigint
  readonly surcharge: bigint
  readonly fee_at: Date | null
  readonly fee_volume: bigint | null
  readonly fee_country: string | null
  readonly fee_category: string | null
  readonly currency: Currency
  readonly note_sealed: Buffer | null
  readonly failure: string | null
  readonly created_at: Date
  readonly changed_at: Date
  readonly captured: bigint | null
  readonly hold_id: UnitId | null
  readonly authorized_at: Date | null
  readonly capture_before: Date | null
  readonly reversed_at: Date | null
  readonly refunded: bigint
  readonly disputed: bigint
  readonly quotas: readonly Uuid[] | null
  readonly review_due_at: Date | null
  readonly released_at: Date | null
}

const pricedFrom = ({ fee_at: at, fee_volume, fee_country, fee_category }: Row) =>
  at === null
    ? null
    : { at, volume: fee_volume ?? 0n, country: fee_country, category: fee_category }

const fromRow = (row: Row): Payment => ({
  id: row.id,
  kind: row.kind,
  state: row.state,
  payer: row.payer_id,
  payee: row.payee_id,
  order: row.order_id,
  orderReusable: row.order_reusable,
  bankAccount: row.bank_account_id,
  feeSchedule: row.fee_schedule_id,
  transfer: row.transfer_id,
  amount: row.amount,
  fee: row.fee,
  tax: row.tax,
  net: row.net,
  surcharge: row.surcharge,
  priced: pricedFrom(row),
  currency: row.currency,
  note: row.note_sealed,
  failure: row.failure,
  createdAt: row.created_at,
  changedAt: row.changed_at,
  captured: row.captured,
  hold: row.hold_id,
  authorizedAt: row.authorized_at,
  captureBefore: row.capture_before,
  reversedAt: row.reversed_at,
  refunded: row.refunded,
  disputed: row.disputed,
  quotas: row.quotas ?? [],
  reviewDueAt: row.review_due_at,
  releasedAt: row.released_at,
})

/** A party may see a payment: its payer and, if no review hides it, its payee of either kind. */
export async function findPayment(db: Knex, id: Uuid, party?: Uuid): Promise<Payment | undefined> {
  const query = db('payments').where({ id })
  if (party !== undefined) query.where(isParty(party))
  const row: Row | undefined = await query.first()
  return row && fromRow(row)
}

/**
 * The payment, locked until the transaction ends, so that what is decided from it stays true. The
 * lock comes before that of any account; a group, which locks accounts first, never waits for it.
 */
export async function lockPayment(
  trx: Knex.Transaction,
  where: { readonly id: Uuid } | { readonly hold_id: UnitId },
): Promise<Payment | undefined> {
  const row: Row | undefined = await trx('payments').where(where).forNoKeyUpdate().first()
  return row && fromRow(row)
}

interface PaymentsWanted {
  /** Who may see them; anybody, where it is left out. */
  readonly party?: Uuid | undefined
  /** Only those that pay it. */
  readonly order?: Uuid
  readonly before: Uuid | undefined
  readonly limit: number
}

/** Newest first. */
export async function findPayments(
  db: Knex,
  { party, order, before, limit }: PaymentsWanted,
): Promise<Payment[]> {
  const newest = () => {
    const query = db('payments').orderBy('id', 'desc').limit(limit)
    if (order !== undefined) query.where({ order_id: order })
    return before === undefined ? query : query.where('id', '<', before)
  }
  // Each side has an index of its own, in this order; either of them has none.
  const sides =
    party === undefined
      ? [newest()]
      : [newest().where({ payer_id: party }), toPayee(newest(), party)]
  const found = db.unionAll(sides, true).as('either')
  const rows: Row[] = await db.from(found).orderBy('id', 'desc').limit(limit).select('*')
  return rows.map(fromRow)
}

const isParty = (party: Uuid) => (either: Knex.QueryBuilder) => {
  void either.where({ payer_id: party }).orWhere((theirs) => void toPayee(theirs, party))
}

const toPayee = (query: Knex.QueryBuilder, party: Uuid) =>
  query.where({ payee_id: party }).whereRaw('(review_due_at IS NULL OR released_at IS NOT NULL)')
