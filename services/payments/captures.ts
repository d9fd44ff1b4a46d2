/** What a merchant takes of money that is held for it, and the price that comes with each part. */
import type { Knex } from 'knex'
import { formatMoney, LedgerError, type Money, type UnitId, type Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { type FeeLine, type FeeSchedule, type Price, priceOf } from '../merchants/fees.ts'
import type { PartialCaptures } from '../orders/orders.ts'

export interface Capture extends Omit<Price, 'lines'> {
  readonly id: Uuid
  /** 1, 2, 3, ... of its payment. */
  readonly number: number
  /** The unit that moved it. */
  readonly unit: UnitId
  /** Minor units of the payment's currency, like the price. */
  readonly amount: bigint
  readonly createdAt: Date
}

export interface CaptureRequest {
  /** Minor units; left out, all that is left. */
  readonly amount: bigint | undefined
  readonly isFinal: boolean
}

export interface NextCapture {
  readonly amount: bigint
  /** Whether what it leaves goes back to the payer. */
  readonly isFinal: boolean
  readonly price: Price
}

/** All of them are reversed in one unit: three transfers each, of the 256 that a unit holds. */
const CAPTURES_MAX = 85

/**
 * What is captured next of a payment of which `captured` is taken already, in so many `captures`.
 * Pure.
 * @throws {LedgerError} `amount_exceeds_hold`.
 * @throws {ServiceError} `partial_capture_not_allowed`, `too_many_captures`, what `priceOf` throws.
 */
export function nextCapture(
  held: { readonly authorized: Money; readonly captured: bigint; readonly captures: number },
  partial: PartialCaptures,
  schedule: FeeSchedule,
  request: CaptureRequest,
): NextCapture {
  const { authorized, captured, captures } = held
  if (captures >= CAPTURES_MAX) throw new ServiceError('too_many_captures')
  const left = authorized.amount - captured
  const amount = request.amount ?? left
  if (amount > left) throw new LedgerError('amount_exceeds_hold')
  if (partial === 'none' && amount < left) throw new ServiceError('partial_capture_not_allowed')
  const isFinal = partial !== 'several' || request.isFinal || amount === left
  const { currency } = authorized
  return { amount, isFinal, price: priceOfMore(schedule, currency, captured, amount) }
}

const NOTHING: Price = { lines: [], fee: 0n, tax: 0n, net: 0n }

/**
 * What `amount` more costs when `before` has been charged for: the price of both together, less
 * what was charged. So captures cost together what one capture of all would, to the minor unit,
 * and neither fee nor tax is ever given back: both only grow with the amount. The net may be below
 * zero, where the amount is a few minor units and the price rises by more.
 */
export function priceOfMore(
  schedule: FeeSchedule,
  currency: string,
  before: bigint,
  amount: bigint,
): Price {
  const charged = before === 0n ? NOTHING : priceOf(schedule, { amount: before, currency })
  const all = priceOf(schedule, { amount: before + amount, currency })
  return {
    lines: linesBeyond(charged.lines, all.lines, currency),
    fee: all.fee - charged.fee,
    tax: all.tax - charged.tax,
    net: all.net - charged.net,
  }
}

function linesBeyond(
  charged: readonly FeeLine[],
  all: readonly FeeLine[],
  currency: string,
): FeeLine[] {
  return all.flatMap(({ kind, amount, description }) => {
    const before = charged.find((line) => line.kind === kind)?.amount ?? 0n
    if (amount === before) return []
    const said = `${description}, less ${formatMoney({ amount: before, currency })} charged before`
    return [{ kind, amount: amount - before, description: before === 0n ? description : said }]
  })
}

/** By payment, in the order in which they were made. */
export async function capturesOf(
  db: Knex,
  payments: readonly Uuid[],
): Promise<ReadonlyMap<Uuid, readonly Capture[]>> {
  const captures = new Map<Uuid, Capture[]>()
  if (payments.length === 0) return captures
  const rows = await db('payment_captures')
    .whereIn('payment_id', payments)
    .orderBy(['payment_id', 'number'])
  for (const { payment_id: id, transfer_id: unit, created_at: createdAt, ...row } of rows) {
    captures.set(id, [...(captures.get(id) ?? []), { ...row, unit, createdAt }])
  }
  return captures
}

export async function recordCapture(
  trx: Knex.Transaction,
  payment: Uuid,
  { id, number, unit, amount, fee, tax, net, createdAt }: Capture,
  lines: readonly FeeLine[],
): Promise<void> {
  const text = { amount: `${amount}`, fee: `${fee}`, tax: `${tax}`, net: `${net}` }
  const row = { id, payment_id: payment, number, transfer_id: unit, ...text, created_at: createdAt }
  await trx('payment_captures').insert(row)
  if (lines.length === 0) return
  const counted = await trx('fee_lines')
    .where({ payment_id: payment })
    .count({ lines: '*' })
    .first()
  const first = Number(counted?.['lines'] ?? 0) + 1
  await trx('fee_lines').insert(
    lines.map((line, index) => ({
      ...{ payment_id: payment, line: first + index, kind: line.kind, capture: number },
      ...{ amount: line.amount.toString(), description: line.description },
    })),
  )
}

export const captureOut = (capture: Capture) => ({
  id: publicId('cap', capture.id),
  amount: capture.amount.toString(),
  fee: capture.fee.toString(),
  tax: capture.tax.toString(),
  net: capture.net.toString(),
  created_at: capture.createdAt.toISOString(),
})
