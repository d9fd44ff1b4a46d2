/** The process that talks to banks and sends webhooks. Any number may run beside each other. */
import { once } from 'node:events'
import { setInterval as every } from 'node:timers'
import type { Logger } from 'pino'
import { runBatches } from './banking/batches.ts'
import { watchManual } from './banking/desk.ts'
import { collectFiles, watchFailedFiles } from './banking/files.ts'
import { sweep } from './banking/sweep.ts'
import { suspenseOf } from './books/chart.ts'
import type { Context } from './context.ts'
import { purgeClaims } from '../ledger/index.ts'
import { expireDisputes } from './disputes/expire.ts'
import { openHandlers } from './handlers.ts'
import { openServer } from './http/server.ts'
import { operationEndpoints } from './http/operations.ts'
import { sweepProofs } from './credentials/proofs.ts'
import { forgetFailures } from './pins/failures.ts'
import { purgeNonces } from './approvals/nonces.ts'
import { issueInvoices } from './invoices/invoices.ts'
import { advanceWindows } from './netting/advance.ts'
import { expireHolds, expireReviews } from './payments/expiry.ts'
import { orNothing } from './metrics.ts'
import { runProcess } from './process.ts'
import { watchRuns, watchUnexplained } from './reconciliation/unexplained.ts'
import { sweepReconciliations } from './reconciliation/work.ts'
import { releaseReserves } from './reserves/release.ts'
import { reserveAll } from './reserves/reserve.ts'
import { openSealing } from './seals/sealing.ts'
import { openSettlements } from './settlements/run.ts'
import { type Dispatcher, openDispatcher, purgeDeliveries } from './webhooks/dispatch.ts'

const PROBES: readonly string[] = ['/healthz', '/readyz', '/metrics']

const MINUTE_MS = 60_000

/** What is being delivered when a worker is told to stop may end so long. */
const WEBHOOKS_PATIENCE_MS = 4_000

interface Repeated {
  readonly what: string
  readonly every_ms: number
  /** As much as is due, and bounded: what is left waits for the next time. */
  readonly work: () => Promise<unknown>
}

/** What every worker does again and again. Several may do the same at a time. */
function repeatedOf(context: Context, webhooks: Dispatcher): readonly Repeated[] {
  const { config, db, now } = context
  const sealing = openSealing(context)
  const [often, days] = [config.SWEEP_EVERY_MS, config.CLAIM_DAYS]
  // Several workers look at the same part at the same time; one of them finds something.
  const turn = () => Math.floor(now().getTime() / MINUTE_MS)
  return [
    { what: 'sweep', every_ms: often, work: () => sweep(context) },
    { what: 'reconciliations', every_ms: often, work: () => sweepReconciliations(context) },
    { what: 'batches', every_ms: often, work: () => runBatches(context) },
    { what: 'files', every_ms: config.FILES_EVERY_MS, work: () => collectFiles(context) },
    { what: 'hold expiry', every_ms: often, work: () => expireHolds(context) },
    { what: 'review expiry', every_ms: often, work: () => expireReviews(context) },
    { what: 'settlements', every_ms: config.SETTLEMENTS_EVERY_MS, work: openSettlements(context) },
    { what: 'fee invoices', every_ms: 10 * MINUTE_MS, work: () => issueInvoices(context) },
    { what: 'reserves', every_ms: MINUTE_MS, work: () => reserveAll(context) },
    { what: 'released reserves', every_ms: MINUTE_MS, work: () => releaseReserves(context) },
    { what: 'dispute expiry', every_ms: MINUTE_MS, work: () => expireDisputes(context) },
    { what: 'netting', every_ms: often, work: () => advanceWindows(context) },
    { what: 'seal', every_ms: config.SEAL_EVERY_MS, work: sealing.run },
    { what: 'webhooks', every_ms: config.WEBHOOK_EVERY_MS, work: webhooks.run },
    { what: 'webhook log', every_ms: MINUTE_MS, work: () => purgeDeliveries(context) },
    { what: 'used proofs', every_ms: often, work: () => sweepProofs(context) },
    { what: 'used nonces', every_ms: often, work: () => purgeNonces(context) },
    { what: 'wrong PINs', every_ms: 10 * MINUTE_MS, work: () => forgetFailures(context) },
    { what: 'claims', every_ms: MINUTE_MS, work: () => purgeClaims(db, { days, turn: turn() }) },
  ]
}

/** Never twice at the same time. @returns what ends it, when what is running is done. */
function repeat(log: Logger, { what, every_ms, work }: Repeated): () => Promise<void> {
  let working: Promise<unknown> | undefined
  const timer = every(() => {
    working ??= work()
      .catch((error: unknown) => log.warn({ err: error }, what))
      .finally(() => (working = undefined))
  }, every_ms)
  return async () => {
    clearInterval(timer)
    await working
  }
}

await runProcess('florin_worker', async (context) => {
  const { config, log, metrics, queue } = context
  queue.work(openHandlers(context), config.WORKER_CONCURRENCY)
  watchUnexplained(context)
  watchRuns(context)
  watchFailedFiles(context)
  watchManual(context)

  const [suspense, help] = ['florin_suspense_minor_units', 'Money that has no owner yet']
  const inSuspense = orNothing(log, 'money in suspense', () => suspenseOf(context))
  metrics.gauges(suspense, help, inSuspense)

  const webhooks = openDispatcher(context)
  const { stats } = webhooks
  metrics.gauge('florin_webhook_endpoints', 'Webhook endpoints in hand', () => stats().running)
  metrics.total('florin_webhooks_arrived_total', 'Webhooks that arrived', () => stats().arrived)
  metrics.total('florin_webhooks_failed_total', 'Webhooks that failed', () => stats().failed)

  const repeated = repeatedOf(context, webhooks).map((job) => repeat(log, job))

  // Probes and metrics only.
  const server = openServer(context, {
    endpoints: [],
    publicEndpoints: operationEndpoints([], []).filter(({ path }) => PROBES.includes(path)),
  })
  server.listen(config.WORKER_PORT, config.HOST)
  await once(server, 'listening')
  return {
    async drain() {
      server.close()
      server.closeIdleConnections()
      await Promise.all([...repeated.map((end) => end()), webhooks.close(WEBHOOKS_PATIENCE_MS)])
    },
  }
})
