/** What a worker does: reconciles what was asked for, and what is due today. */
import type { Knex } from 'knex'
import { BankError } from '../../adapters/adapter.ts'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { StatementError } from './lines.ts'
import { reconcile } from './reconcile.ts'
import { addRun, findRun, type Run } from './runs.ts'
import { withBank } from './session.ts'
import { toldBy } from './sources.ts'

/** A reconciliation that ends no worker's life is begun no more often. */
const ATTEMPTS_MAX = 5

/** A process does one at a time: each keeps a connection, and reads with others. */
const busy = new WeakSet<Context>()

/** Safe to be called at any time, by any number of workers: one of them does it. */
export async function advanceReconciliation(context: Context, id: Uuid): Promise<void> {
  const { db, queue } = context
  if (busy.has(context)) return
  busy.add(context)
  try {
    await advance(context, id)
  } finally {
    busy.delete(context)
  }
  await queue.ring('reconciliation', await waiting(db))
}

async function advance(context: Context, id: Uuid): Promise<void> {
  const { db } = context
  const asked = await findRun(db, id)
  if (asked === undefined || isOver(asked)) return
  await withBank(db, asked.bank, async (session) => {
    const run = await findRun(db, id)
    if (run === undefined || isOver(run)) return
    const attempts = run.attempts + 1
    if (attempts > ATTEMPTS_MAX) return fail(context, run, 'it was begun too often')
    await db('reconciliations').where({ id }).update({ state: 'running', attempts })
    try {
      const { RECONCILIATION_LATE_DAYS: lateDays, STATEMENT_LINES_MAX: linesMax } = context.config
      await reconcile(session, run, toldBy(context, run), { lateDays, linesMax, now: context.now })
    } catch (error) {
      if (!isFinal(error)) throw error
      await fail(context, run, error.message.slice(0, 500))
    }
  })
}

const isOver = ({ state }: Run) => state === 'completed' || state === 'failed'

/** What would be the same the next time. A bank that is silent is asked again. */
const isFinal = (error: unknown): error is Error =>
  error instanceof StatementError ||
  (error instanceof BankError && error.code === 'bank_not_capable')

async function fail({ db, now }: Context, { id }: Run, failure: string): Promise<void> {
  await db.transaction(async (trx) => {
    await trx('reconciliations')
      .where({ id })
      .update({ state: 'failed', failure, completed_at: now() })
    await trx('statement_files').where({ upload_id: id }).delete()
  })
}

/** Whoever had to wait for this one. */
const waiting = (db: Knex): Promise<Uuid[]> =>
  db('reconciliations').where({ state: 'queued' }).orderBy('created_at').limit(1).pluck('id')

const RINGS_MAX = 50
const DAY_MS = 86_400_000

/** Rings for what is not over, begins what is due today, forgets uploads that broke off. */
export async function sweepReconciliations(context: Context): Promise<void> {
  const { db, now, queue } = context
  await schedule(context)
  const unfinished: Uuid[] = await db('reconciliations')
    .whereIn('state', ['queued', 'running'])
    .orderBy('created_at')
    .limit(RINGS_MAX)
    .pluck('id')
  await queue.ring('reconciliation', unfinished)
  const forgotten = new Date(now().getTime() - DAY_MS)
  await db('statement_files')
    .where('received_at', '<', forgotten)
    .whereNotIn(
      'upload_id',
      db('reconciliations').whereIn('state', ['queued', 'running']).select('id'),
    )
    .delete()
}

/** Each bank that has a statement, once a day from its hour on (UTC). */
async function schedule(context: Context): Promise<void> {
  const { banks, config, db, now } = context
  const [day = '', time = ''] = now().toISOString().split('T')
  for (const { name, capabilities } of banks.values()) {
    const at = config.RECONCILIATION_TIMES[name] ?? config.RECONCILIATION_TIMES['*']
    if (at === undefined || time < at || !capabilities.has('statement')) continue
    const wanted = { bank: name, source: 'bank', requestedBy: 'schedule' } as const
    await addRun(db, { ...wanted, scheduledFor: day, at: now() })
  }
}
