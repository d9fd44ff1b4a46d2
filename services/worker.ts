/** The process that talks to banks. Any number of them may run beside each other. */
import { once } from 'node:events'
import { setInterval as every } from 'node:timers'
import { sweep } from './banking/sweep.ts'
import { purgeClaims } from '../ledger/index.ts'
import { openHandlers } from './handlers.ts'
import { openServer } from './http/server.ts'
import { operationEndpoints } from './http/operations.ts'
import { sweepProofs } from './identity/proofs.ts'
import { forgetFailures } from './identity/pin_failures.ts'
import { purgeNonces } from './identity/nonces.ts'
import { expireHolds, expireReviews } from './payments/expiry.ts'
import { runProcess } from './process.ts'
import { openSealing } from './seals/sealing.ts'

const PROBES: readonly string[] = ['/healthz', '/readyz', '/metrics']

const FORGET_EVERY_MS = 600_000
/** Several workers look at the same part at the same time; one of them finds something. */
const PURGE_EVERY_MS = 60_000

await runProcess('florin_worker', async (context) => {
  const { config, log, queue } = context
  queue.work(openHandlers(context), config.WORKER_CONCURRENCY)

  const repeat = (what: string, work: () => Promise<unknown>, every_ms: number) => {
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
  const sealing = openSealing(context)
  const days = config.CLAIM_DAYS
  const turnAt = () => Math.floor(context.now().getTime() / PURGE_EVERY_MS)
  const repeated = [
    repeat('sweep', () => sweep(context), config.SWEEP_EVERY_MS),
    repeat('used proofs', () => sweepProofs(context), config.SWEEP_EVERY_MS),
    repeat('expiry', () => expireHolds(context), config.SWEEP_EVERY_MS),
    repeat('forget', () => forgetFailures(context), FORGET_EVERY_MS),
    repeat('nonces', () => purgeNonces(context), config.SWEEP_EVERY_MS),
    repeat('review expiry', () => expireReviews(context), config.SWEEP_EVERY_MS),
    repeat('seal', sealing.run, config.SEAL_EVERY_MS),
    repeat('purge', () => purgeClaims(context.db, { days, turn: turnAt() }), PURGE_EVERY_MS),
  ]

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
      await Promise.all(repeated.map((end) => end()))
    },
  }
})
