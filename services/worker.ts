/** The process that talks to banks. Any number of them may run beside each other. */
import { once } from 'node:events'
import { setInterval as every } from 'node:timers'
import { sweep } from './banking/sweep.ts'
import { openHandlers } from './handlers.ts'
import { openServer } from './http/server.ts'
import { operationEndpoints } from './http/operations.ts'
import { expireHolds } from './payments/expiry.ts'
import { runProcess } from './process.ts'

const PROBES: readonly string[] = ['/healthz', '/readyz', '/metrics']

await runProcess('florin_worker', async (context) => {
  const { config, log, queue } = context
  queue.work(openHandlers(context), config.WORKER_CONCURRENCY)

  let sweeping: Promise<unknown> | undefined
  const timer = every(() => {
    sweeping ??= Promise.all([
      sweep(context).catch((error: unknown) => log.warn({ err: error }, 'sweep')),
      expireHolds(context).catch((error: unknown) => log.warn({ err: error }, 'expiry')),
    ]).finally(() => (sweeping = undefined))
  }, config.SWEEP_EVERY_MS)

  // Probes and metrics only.
  const server = openServer(context, {
    endpoints: [],
    publicEndpoints: operationEndpoints([], []).filter(({ path }) => PROBES.includes(path)),
  })
  server.listen(config.WORKER_PORT, config.HOST)
  await once(server, 'listening')
  return {
    async drain() {
      clearInterval(timer)
      server.close()
      server.closeIdleConnections()
      await sweeping
    },
  }
})
