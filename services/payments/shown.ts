/** How the API shows a payment. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { FeeLine } from '../fees/price.ts'
import { publicId } from '../ids.ts'
import { storedNote } from '../privacy/shown.ts'
import { type Refund, refundsOf } from '../refunds/rows.ts'
import { type Capture, captureOut, capturesOf } from './captures.ts'
import { shownState } from './given_back.ts'
import type { Payment } from './payment.ts'
import { timelineOf } from './timeline.ts'

export interface Shown {
  readonly feeLines: readonly FeeLine[]
  readonly captures?: readonly Capture[]
  readonly refunds?: readonly Refund[]
}

/**
 * The payment as it is stored in answers and in the log: parties by their ids, the note sealed.
 * `showPeople` makes of it what the API shows.
 */
export const paymentOut = (payment: Payment, { feeLines, captures = [], refunds = [] }: Shown) => ({
  id: publicId('pay', payment.id),
  kind: payment.kind,
  state: shownState(payment),
  amount: payment.amount.toString(),
  currency: payment.currency,
  payer: { id: publicId('per', payment.payer) },
  payee: payeeOf(payment),
  order: payment.order === null ? null : publicId('ord', payment.order),
  bank_account: payment.bankAccount === null ? null : publicId('bac', payment.bankAccount),
  note: payment.note && storedNote(payment.payer, payment.id, payment.note),
  fee: payment.fee.toString(),
  tax: payment.tax.toString(),
  net: payment.net.toString(),
  surcharge: payment.surcharge.toString(),
  fee_schedule: payment.feeSchedule === null ? null : publicId('fee', payment.feeSchedule),
  fee_lines: feeLines.map(({ kind, amount, description }) => ({
    ...{ kind, amount: amount.toString(), currency: payment.currency, description },
  })),
  captured: payment.captured?.toString() ?? null,
  capture_before: payment.captureBefore?.toISOString() ?? null,
  captures: captures.map(captureOut),
  refunded: payment.refunded.toString(),
  disputed: payment.disputed.toString(),
  failure: payment.failure,
  timeline: timelineOf(payment, captures, refunds),
  created_at: payment.createdAt.toISOString(),
})

const payeeOf = ({ kind, payee }: Payment) =>
  payee === null ? null : { id: publicId(kind === 'order' ? 'mer' : 'per', payee) }

/** The payments as `paymentOut` says, with their fee lines, captures and refunds. */
export async function findStored(db: Knex, payments: readonly Payment[]) {
  const idsOf = (some: readonly Payment[]) => some.map((payment) => payment.id)
  const lines = await feeLinesOf(db, idsOf(payments))
  const captures = await capturesOf(db, idsOf(payments.filter(({ captured }) => captured !== null)))
  const refunds = await refundsOf(db, idsOf(payments.filter(({ refunded }) => refunded > 0n)))
  return payments.map((payment) =>
    paymentOut(payment, {
      feeLines: lines.get(payment.id) ?? [],
      captures: captures.get(payment.id) ?? [],
      refunds: refunds.get(payment.id) ?? [],
    }),
  )
}

async function feeLinesOf(db: Knex, payments: readonly Uuid[]) {
  const rows = await db('fee_lines').whereIn('payment_id', payments).orderBy(['payment_id', 'line'])
  const lines = new Map<Uuid, FeeLine[]>()
  for (const { payment_id: id, kind, amount, description } of rows) {
    lines.set(id, [...(lines.get(id) ?? []), { kind, amount, description }])
  }
  return lines
}
