/** By how much a bank's statement and our books differ without anybody knowing why. */
import type { Knex } from 'knex'
import type { Context } from '../context.ts'
import { type Balance, findBalances, newestCompleted, type Run } from './runs.ts'

/** What the newest reconciliation of the bank came to. */
export async function newestBalances(
  db: Knex,
  bank: string,
): Promise<{ readonly run: Run; readonly balances: readonly Balance[] } | undefined> {
  const run = await newestCompleted(db, bank)
  return run && { run, balances: await findBalances(db, [run.id]) }
}

/** In minor units, as of the newest reconciliation of each bank; asked when it is scraped. */
export function watchUnexplained({ banks, db, log, metrics }: Context): void {
  metrics.gauges(
    'florin_reconciliation_unexplained',
    'Minor units by which a bank’s statement and our books differ unexplained',
    async () => {
      try {
        const names = [...banks.keys()]
        const found = await Promise.all(names.map((bank) => newestBalances(db, bank)))
        return found.flatMap((newest) =>
          (newest?.balances ?? []).map(({ currency, unexplained }) => ({
            labels: { bank: newest?.run.bank ?? '', currency },
            value: Number(unexplained),
          })),
        )
      } catch (error) {
        // Everything else is still worth knowing.
        log.warn({ err: error }, 'unexplained amounts')
        return []
      }
    },
  )
}
