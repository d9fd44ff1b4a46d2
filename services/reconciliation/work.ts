/** What a worker does: reconciles what was asked for, and what is due today. */
import { BankError } from '../../adapters/adapter.ts'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { StatementError } from './lines.ts'
import { reconcile } from './reconcile.ts'
import { addRun, findRun, type Run, runOut } from './runs.ts'
import { withBank } from './session.ts'
import { toldBy } from './sources.ts'

/** A bank that starts again is silent for seconds, one that is down for hours. */
const AGAIN_AFTER_S = [5, 30, 300, 1800, 7200] as const
/** Neither a bank that is silent nor a worker that dies of it is tried for ever. */
const ATTEMPTS_MAX = AGAIN_AFTER_S.length + 1

/** A process does one at a time: each keeps a connection, and reads with others. */
const busy = new WeakSet<Context>()

/** Safe to be called at any time, by any number of workers: one of them does it. */
export async function advanceReconciliation(context: Context, id: Uuid): Promise<void> {
  const { queue } = context
  if (busy.has(context)) return
  busy.add(context)
  let isDone = false
  try {
    isDone = await advance(context, id)
  } finally {
    busy.delete(context)
  }
  // Whoever rang meanwhile was not heard. What another worker is doing is not rung for again.
  if (isDone) await queue.ring('reconciliation', await unfinished(context, ['queued'], 1))
}

/** Whether anything was done. */
async function advance(context: Context, id: Uuid): Promise<boolean> {
  const { db } = context
  const asked = await findRun(db, id)
  if (asked === undefined || isOver(asked)) return false
  const done = await withBank(db, asked.bank, async (session) => {
    const run = await findRun(db, id)
    if (run === undefined || isOver(run)) return false
    const attempts = run.attempts + 1
    if (attempts > ATTEMPTS_MAX) {
      await fail(context, run, run.failure ?? 'it was begun too often')
      return true
    }
    await db('reconciliations').where({ id }).update({ state: 'running', attempts })
    try {
      const { RECONCILIATION_LATE_DAYS: lateDays, STATEMENT_LINES_MAX: linesMax } = context.config
      const bounds = { lateDays, linesMax, now: context.now }
      warnOfLength(context, await reconcile(session, run, toldBy(context, run), bounds))
    } catch (error) {
      if (isFinal(error)) await fail(context, run, error.message.slice(0, 500))
      else if (error instanceof BankError) await postpone(context, { ...run, attempts }, error)
      else throw error
    }
    return true
  })
  return done === true
}

/** Of `STATEMENT_LINES_MAX`. */
const NEARLY_PERCENT = 80

/** A bank that tells all its history each day tells too much one day: that is known long before. */
function warnOfLength({ config, log }: Context, { bank, ...run }: Run): void {
  const [lines, linesMax] = [Number(run.lines), config.STATEMENT_LINES_MAX]
  if (lines * 100 < linesMax * NEARLY_PERCENT) return
  log.warn({ bank, lines, linesMax }, 'a statement is nearly too long to be reconciled')
}

const isOver = ({ state }: Run) => state === 'completed' || state === 'failed'

/** What would be the same the next time. A bank that is silent is asked again. */
const isFinal = (error: unknown): error is Error =>
  error instanceof StatementError ||
  (error instanceof BankError && error.code === 'bank_not_capable')

async function postpone({ db, now }: Context, run: Run, error: BankError): Promise<void> {
  const wait_s = AGAIN_AFTER_S[run.attempts - 1] ?? 0
  const due_at = new Date(now().getTime() + wait_s * 1000)
  await db('reconciliations')
    .where({ id: run.id })
    .update({ state: 'queued', failure: error.message.slice(0, 500), due_at })
}

/** As long as none is complete nothing is compared, so somebody has to know. */
async function fail({ db, log, now }: Context, run: Run, failure: string): Promise<void> {
  const [{ id, bank }, at, object] = [run, now(), publicId('rcn', run.id)]
  await db.transaction(async (trx) => {
    await trx('reconciliations')
      .where({ id })
      .update({ state: 'failed', failure, completed_at: at })
    await trx('statement_files').where({ upload_id: id }).delete()
    const failed = { ...run, state: 'failed' as const, failure, completed_at: at }
    const data = runOut(failed, [])
    await recordEvent(trx, { type: 'reconciliation.failed', object, data, at })
  })
  log.error({ bank, reconciliation: object, failure }, 'a reconciliation came to nothing')
}

const unfinished = (
  { db, now }: Context,
  states: readonly Run['state'][],
  limit: number,
): Promise<Uuid[]> =>
  db('reconciliations')
    .whereIn('state', states)
    .where('due_at', '<=', now())
    .orderBy('due_at')
    .limit(limit)
    .pluck('id')

const RINGS_MAX = 50
const DAY_MS = 86_400_000

/** Rings for what is not over, begins what is due today, forgets uploads that broke off. */
export async function sweepReconciliations(context: Context): Promise<void> {
  const { db, now, queue } = context
  await schedule(context)
  const open = await unfinished(context, ['queued', 'running'], RINGS_MAX)
  await queue.ringAgain('reconciliation', open, context.now())
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
