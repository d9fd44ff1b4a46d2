/** By how much a bank's statement and our books differ without anybody knowing why. */
import type { Knex } from 'knex'
import type { Context } from '../context.ts'
import { orNothing } from '../metrics.ts'
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
export function watchUnexplained(context: Context): void {
  const { banks, db, log, metrics } = context
  metrics.gauges(
    'florin_reconciliation_unexplained',
    'Minor units by which a bank’s statement and our books differ unexplained',
    orNothing(log, 'unexplained amounts', async () => {
      const names = [...banks.keys()]
      const found = await Promise.all(names.map((bank) => newestBalances(db, bank)))
      return found.flatMap((newest) =>
        (newest?.balances ?? []).map(({ currency, unexplained }) => ({
          labels: { bank: newest?.run.bank ?? '', currency },
          value: Number(unexplained),
        })),
      )
    }),
  )
}

/**
 * How many runs of each bank came to nothing, and how old the newest is that came to something:
 * what is unexplained is only known as of then. A bank without one counts from its first run.
 */
export function watchRuns(context: Context): void {
  const { log, metrics, now } = context
  metrics.gauges(
    'florin_reconciliations_failed',
    'Reconciliations of a bank that came to nothing',
    orNothing(log, 'failed reconciliations', async () =>
      (await runsOf(context)).map(({ bank, failed }) => ({ labels: { bank }, value: failed })),
    ),
  )
  metrics.gauges(
    'florin_reconciliation_age_seconds',
    'Seconds since a bank’s newest complete reconciliation ended',
    orNothing(log, 'ages of reconciliations', async () =>
      (await runsOf(context)).map(({ bank, since }) => ({
        labels: { bank },
        value: (now().getTime() - since.getTime()) / 1000,
      })),
    ),
  )
}

interface Runs {
  readonly bank: string
  readonly failed: bigint
  readonly since: Date
}

async function runsOf({ banks, db }: Context): Promise<readonly Runs[]> {
  const { rows } = await db.raw<{ rows: Runs[] }>(
    `SELECT bank, count(*) FILTER (WHERE state = 'failed') AS failed,
            coalesce(max(completed_at) FILTER (WHERE state = 'completed'), min(created_at)) AS since
       FROM reconciliations WHERE bank = ANY (?) GROUP BY bank`,
    [[...banks.keys()]],
  )
  return rows
}
