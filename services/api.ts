/** The process that answers HTTP. Any number of them may run beside each other. */
import { once } from 'node:events'
import { openServer } from './http/server.ts'
import { runProcess } from './process.ts'
import { openApi } from './routes.ts'

/**
 * Connections that wait to be accepted. With fewer, a crowd's are dropped by the system, and come
 * again a second later, or three, or seven: whoever is refused must hear it at once.
 */
const BACKLOG = 4_096

await runProcess('florin_api', async (context) => {
  const { config, group, hashes, metrics, screen } = context
  const server = openServer(context, openApi(config.SANDBOX))
  metrics.gauge('florin_group_waiting', 'Units that wait for a group', () => group.stats().waiting)
  metrics.gauge('florin_pin_waiting', 'PIN checks that wait', () => hashes.stats().waiting)
  metrics.total('florin_pin_hashes_total', 'PINs compared', () => hashes.stats().compared)
  metrics.gauge('florin_sanctions_list_failing', '1: it is old or cannot be asked', () =>
    screen.lists.isFailing() ? 1 : 0,
  )
  server.listen({ port: config.PORT, host: config.HOST, backlog: BACKLOG })
  await once(server, 'listening')
  return {
    async drain() {
      server.close()
      context.tail.close()
      server.closeIdleConnections()
      await once(server, 'close')
    },
  }
})
