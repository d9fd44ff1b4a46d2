/** Another process of the API on the world's database, with settings or a clock of its own. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import type { Config } from '../../services/config.ts'
import { closeContext, type Context, openContext } from '../../services/context.ts'
import { openServer } from '../../services/http/server.ts'
import { openMetrics } from '../../services/metrics.ts'
import { world } from './world.ts'

interface AnotherApi {
  readonly apiUrl: string
  readonly port: number
  readonly context: Context
  readonly server: Server
  readonly close: () => Promise<void>
}

async function openAnotherApi(settings: Partial<Config>, now?: () => Date): Promise<AnotherApi> {
  const { config, routes } = await world()
  const context = openContext({
    ...{ config: { ...config, ...settings }, role: 'florin_api' },
    ...{ log: pino({ level: 'silent' }), metrics: openMetrics('another') },
    ...(now && { now }),
  })
  const server = openServer(context, routes)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    ...{ port, context, server, apiUrl: `http://127.0.0.1:${port}` },
    async close() {
      server.close()
      server.closeAllConnections()
      await closeContext(context)
    },
  }
}

/** Opens it for the work and closes it after. */
export async function withAnotherApi<T>(
  settings: Partial<Config>,
  work: (api: AnotherApi) => Promise<T>,
  now?: () => Date,
): Promise<T> {
  const api = await openAnotherApi(settings, now)
  try {
    return await work(api)
  } finally {
    await api.close()
  }
}
