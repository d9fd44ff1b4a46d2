/**
 * How each fee of a month was charged: at the rate that its schedule says, and what is given back,
 * in which month.
 */
import type { Knex } from 'knex'
import {
  type AccountId,
  momentsCredited,
  sumsAgainst,
  type UnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { type Clocks, monthAt } from '../statements/months.ts'
import type { RatedSum } from './lines.ts'

interface Range {
  readonly beyond: bigint
  readonly last: bigint
}

/** What is charged for something else than a payment is not taxed. */
const UNTAXED = '0'

/** So many entries at a time, however many there are. */
export async function* ratedSums(
  db: Knex,
  account: AccountId,
  others: readonly AccountId[],
  range: Range,
): AsyncGenerator<RatedSum[]> {
  for await (const sums of sumsAgainst(db, account, others, range)) {
    const rates = await ratesOf(db, [...new Set(sums.map(({ reference }) => reference))])
    yield sums.map((sum) => ({ ...sum, taxPercent: rates.get(sum.reference) ?? UNTAXED }))
  }
}

/** By the payment, or the refund of one, that a fee was taken or given back for. */
async function ratesOf(db: Knex, references: readonly Uuid[]) {
  const { rows } = await db.raw<{ rows: { id: Uuid; percent: string }[] }>(
    `SELECT asked.id, s.terms ->> 'tax_percent' AS percent
       FROM unnest(?::uuid[]) AS asked (id)
       LEFT JOIN refunds r ON r.id = asked.id
       JOIN payments p ON p.id = coalesce(r.payment_id, asked.id)
       JOIN fee_schedules s ON s.id = p.fee_schedule_id`,
    [[...references]],
  )
  return new Map(rows.map(({ id, percent }) => [id, percent]))
}

/**
 * The months, "2026-11", in which the payments brought the merchant money: then they were charged.
 * @param references payments, or refunds of some.
 */
export async function monthsOf(
  db: Knex,
  account: AccountId,
  references: readonly Uuid[],
  clocks: Clocks,
): Promise<string[]> {
  if (references.length === 0) return []
  const { rows } = await db.raw<{ rows: { unit: UnitId }[] }>(
    `SELECT DISTINCT coalesce(c.transfer_id, p.transfer_id) AS unit
       FROM unnest(?::uuid[]) AS asked (id)
       LEFT JOIN refunds r ON r.id = asked.id
       JOIN payments p ON p.id = coalesce(r.payment_id, asked.id)
       LEFT JOIN payment_captures c ON c.payment_id = p.id`,
    [[...references]],
  )
  const units = rows.map(({ unit }) => unit)
  const moments = await momentsCredited(db, account, units)
  return [...new Set(moments.map((at) => monthAt(at, clocks)))]
}
