/** A receiver of webhooks that does as it is told, and remembers what it got. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface Got {
  readonly id: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly at: number
  readonly type: string
  readonly object: string
}

export interface Receiver {
  readonly url: string
  readonly got: Got[]
  /** How many it was given at the same time, at most. */
  readonly atOnce: () => number
  readonly until: (done: (got: readonly Got[]) => boolean, wait_ms?: number) => Promise<void>
  readonly close: () => Promise<void>
}

type Answer = (response: ServerResponse, got: Got) => unknown

const accept: Answer = (response) => response.writeHead(204).end()

export async function openReceiver(answer: Answer = accept): Promise<Receiver> {
  const got: Got[] = []
  let [now, most] = [0, 0]
  const server = createServer((request, response) => {
    now += 1
    most = Math.max(most, now)
    response.once('close', () => (now -= 1))
    buffer(request).then(
      (bytes) => {
        const body = bytes.toString()
        const { type, object } = JSON.parse(body)
        const id = String(request.headers['webhook-id'])
        const one = { id, headers: request.headers, body, at: performance.now(), type, object }
        got.push(one)
        answer(response, one)
      },
      () => response.destroy(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    ...{ url: `http://127.0.0.1:${port}/hooks`, got, atOnce: () => most },
    async until(done, wait_ms = 30_000) {
      const deadline = performance.now() + wait_ms
      while (!done(got)) {
        if (performance.now() > deadline) throw new Error(`after ${wait_ms} ms: ${got.length} came`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
