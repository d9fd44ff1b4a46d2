/** What a merchant takes of money that is held for it, and the price that comes with each part. */
import type { Knex } from 'knex'
import { formatMoney, LedgerError, type UnitId, type Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { type FeeLine, type NamedLine, namedPriceOf, type Price } from '../fees/price.ts'
import type { FeeSchedule, Priced } from '../fees/terms.ts'
import { publicId } from '../ids.ts'
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

/** All of them are reversed in one unit, which holds so many transfers. */
const TRANSFERS_MAX = 256
/** Of one capture: what is taken, its fee and its tax, beside the shares of others. */
const TRANSFERS_EACH = 3

/** A payment that is captured in parts: what it may come to, and what was charged for so far. */
interface Charged {
  readonly captured: bigint
  readonly fee: bigint
  readonly tax: bigint
}

export const NOTHING_CHARGED: Charged = { captured: 0n, fee: 0n, tax: 0n }

/** What all captures of a payment are priced by, whenever they are made. */
type Facts = Omit<Priced, 'amount'>

/**
 * What is captured next of a payment of which something may be taken already, in so many
 * `captures`. Pure.
 * @throws {LedgerError} `amount_exceeds_hold`.
 * @throws {ServiceError} `partial_capture_not_allowed`, `too_many_captures`, what `priceOf` throws.
 */
export function nextCapture(
  held: {
    readonly authorized: bigint
    readonly charged: Charged
    readonly captures: number
    readonly shares: number
  },
  partial: PartialCaptures,
  by: { readonly schedule: FeeSchedule; readonly facts: Facts },
  request: CaptureRequest,
): NextCapture {
  const { authorized, charged, captures, shares } = held
  if ((captures + 1) * (TRANSFERS_EACH + shares) > TRANSFERS_MAX)
    throw new ServiceError('too_many_captures')
  const left = authorized - charged.captured
  const amount = request.amount ?? left
  if (amount > left) throw new LedgerError('amount_exceeds_hold')
  if (partial === 'none' && amount < left) throw new ServiceError('partial_capture_not_allowed')
  const isFinal = partial !== 'several' || request.isFinal || amount === left
  return { amount, isFinal, price: priceOfMore(by.schedule, by.facts, charged, amount) }
}

/**
 * What `amount` more costs when `charged` has been charged: the price of all together, less that.
 * So captures cost together what one capture of all would, to the minor unit. Neither fee nor tax
 * is ever given back: where a schedule makes a larger amount cheaper (a volume step, an amount
 * band), more costs nothing until the price of all has risen beyond what was charged. The net may
 * be below zero, where the amount is a few minor units and the price rises by more.
 */
export function priceOfMore(
  schedule: FeeSchedule,
  facts: Facts,
  charged: Charged,
  amount: bigint,
): Price {
  const before = charged.captured
  const own = { ...schedule, surchargeRails: [] }
  const { named, ...all } = namedPriceOf(own, { ...facts, amount: before + amount })
  if (before === 0n) return all
  const [fee, tax] = [all.fee - charged.fee, all.tax - charged.tax]
  if (fee <= 0n) return { lines: [], fee: 0n, tax: 0n, net: amount }
  const earlier = namedPriceOf(own, { ...facts, amount: before })
  const isAsCharged = earlier.fee === charged.fee
  const lines = isAsCharged
    ? linesBeyond(earlier.named, named, facts)
    : linesBeyond(summed(charged, facts), summed(all, facts), facts)
  return { lines, fee, tax, net: amount - fee - tax }
}

/** Fee and tax in two lines, where the parts of one price say nothing about the other. */
function summed({ fee, tax }: Pick<Charged, 'fee' | 'tax'>, { currency }: Facts): NamedLine[] {
  const say = (amount: bigint) => formatMoney({ amount, currency })
  return [
    { name: 'fee', kind: 'difference', amount: fee, description: `${say(fee)} for all captures` },
    { name: 'tax', kind: 'tax', amount: tax, description: `${say(tax)} tax on ${say(fee)}` },
  ]
}

function linesBeyond(
  charged: readonly NamedLine[],
  all: readonly NamedLine[],
  { currency }: Facts,
): FeeLine[] {
  const before = new Map(charged.map((line) => [line.name, line]))
  const now = new Set(all.map(({ name }) => name))
  const more = all.map(({ name, kind, amount, description }) => {
    const earlier = before.get(name)?.amount ?? 0n
    const said = `${description}, less ${formatMoney({ amount: earlier, currency })} charged before`
    return { kind, amount: amount - earlier, description: earlier === 0n ? description : said }
  })
  const gone = charged
    .filter(({ name }) => !now.has(name))
    .map(({ kind, amount, description }) => ({
      ...{ kind, amount: -amount, description: `${description}, not charged any more` },
    }))
  return [...more, ...gone].filter(({ amount }) => amount !== 0n)
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
