/** At which rate each fee of a month was taxed: as the schedule says by which it was charged. */
import type { Knex } from 'knex'
import { type AccountId, sumsAgainst, type Uuid } from '../../ledger/index.ts'
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
