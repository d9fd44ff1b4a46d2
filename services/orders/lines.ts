/** What an order is made of, and what it comes to. */
import type { Knex } from 'knex'
import { type CompanionRow, percentOf, type Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'

export interface NewLine {
  /** The merchant's own id of what is sold. */
  readonly product: string | null
  readonly name: string
  readonly quantity: number
  /** Minor units of the order's currency, before tax, like every amount here. */
  readonly unitAmount: bigint
  /** Decimal text, in per cent of the line; null where it says the tax itself, or none. */
  readonly taxPercent: string | null
  readonly tax: bigint | null
}

export interface Line extends NewLine {
  /** Quantity times unit amount. */
  readonly amount: bigint
}

/** What the order's amount is the sum of: subtotal - discount + shipping + tax. */
export interface Totals {
  readonly subtotal: bigint
  readonly discount: bigint
  readonly shipping: bigint
  readonly tax: bigint
}

/** What the merchant says that its lines come to; what is left out follows from them. */
export interface Said {
  readonly amount: bigint
  readonly subtotal: bigint | undefined
  readonly discount: bigint
  readonly shipping: bigint
  readonly tax: bigint | undefined
}

/**
 * The line with its amount and its tax. A rate is applied to the line before any discount of the
 * order, and rounded half up, as tills do; who counts otherwise says the amount of the tax.
 */
export function lineOf(line: NewLine): Line {
  const amount = BigInt(line.quantity) * line.unitAmount
  if (line.taxPercent === null) return { ...line, amount }
  return { ...line, amount, tax: percentOf(amount, line.taxPercent, 'half_up') }
}

/**
 * What the lines come to. Pure. Where any of them says its tax, the order's tax is their sum; else
 * it is what the order says.
 * @throws {ServiceError} `order_total_mismatch` when what is said is not what it comes to.
 */
export function totalsOf(lines: readonly Line[], said: Said): Totals {
  const sum = (amounts: readonly bigint[]) => amounts.reduce((all, amount) => all + amount, 0n)
  const taxes = lines.flatMap(({ tax }) => tax ?? [])
  const { discount, shipping } = said
  const subtotal = sum(lines.map(({ amount }) => amount))
  const tax = taxes.length > 0 ? sum(taxes) : (said.tax ?? 0n)
  refuseOther('subtotal', said.subtotal, subtotal)
  refuseOther('tax', said.tax, tax)
  refuseOther('amount', said.amount, subtotal - discount + shipping + tax)
  return { subtotal, discount, shipping, tax }
}

function refuseOther(name: string, said: bigint | undefined, sum: bigint): void {
  if (said === undefined || said === sum) return
  throw new ServiceError('order_total_mismatch', { detail: `${name}: ${sum}, not ${said}` })
}

export const lineRows = (order: Uuid, lines: readonly Line[]): CompanionRow[] =>
  lines.map((line, index) => ({
    ...{ order_id: order, line: index + 1, product: line.product, name: line.name },
    ...{ quantity: line.quantity, unit_amount: line.unitAmount.toString() },
    ...{ amount: line.amount.toString(), tax_percent: line.taxPercent },
    tax: line.tax?.toString() ?? null,
  }))

/** By order, in the order in which the merchant named them. */
export async function linesOf(
  db: Knex,
  orders: readonly Uuid[],
): Promise<ReadonlyMap<Uuid, readonly Line[]>> {
  const lines = new Map<Uuid, Line[]>()
  if (orders.length === 0) return lines
  const rows = await db('order_lines').whereIn('order_id', orders).orderBy(['order_id', 'line'])
  for (const { order_id: id, product, name, quantity, amount, tax, ...row } of rows) {
    const line = {
      ...{ product, name, quantity, amount, tax },
      ...{ unitAmount: row.unit_amount, taxPercent: row.tax_percent },
    }
    lines.set(id, [...(lines.get(id) ?? []), line])
  }
  return lines
}

export const lineOut = (line: Line) => ({
  product: line.product,
  name: line.name,
  quantity: line.quantity,
  unit_amount: line.unitAmount.toString(),
  amount: line.amount.toString(),
  tax_percent: line.taxPercent,
  tax: line.tax?.toString() ?? null,
})
