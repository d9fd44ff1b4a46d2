/** How many rows there are of each bank, for the metrics: of some there are none. */
import type { Knex } from 'knex'
import type { Context } from '../context.ts'
import type { Measured } from '../metrics.ts'

export async function countsOf(
  banks: Context['banks'],
  rows: Knex.QueryBuilder,
): Promise<readonly Measured[]> {
  const counted = rows.groupBy('bank').select('bank').count({ count: '*' })
  const found: readonly { bank: string; count: bigint }[] = await counted
  const counts = new Map(found.map(({ bank, count }) => [bank, count]))
  return [...banks.keys()].map((bank) => ({ labels: { bank }, value: counts.get(bank) ?? 0 }))
}
