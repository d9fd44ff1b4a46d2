/** The stream of events to whoever hears nothing for long, or does not read. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { expect } from 'chai'
import { followEvents } from '../services/events/stream.ts'
import { uuidOf } from '../services/ids.ts'
import { until } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { tokenOf } from './support/api.ts'
import { merchant, type Merchant } from './support/people.ts'
import { happens } from './support/webhooks.ts'
import { world } from './support/world.ts'

const HEARTBEAT_MS = 150
/** More than all that sockets keep for a reader. */
const [EVENTS, EVENT_BYTES] = [160, 200_000]
const MEGABYTE = 1_000_000

describe('the stream of events', () => {
  let shop: Merchant
  before(async () => {
    shop = await merchant()
  })

  async function follow() {
    const { api } = await world()
    return followEvents(api, {
      reader: 'merchant',
      ...{ merchant: uuidOf(shop.id), last: undefined, isWanted: () => true },
      ...{ most_ms: 30_000, heartbeat_ms: HEARTBEAT_MS },
    })
  }

  it('says that it is there when nothing happens', async () => {
    const stream = await follow()
    const said: string[] = []
    for await (const text of stream) {
      said.push(text)
      if (said.length === 4) break
    }
    expect(said).to.deep.equal(['retry: 1000\n\n', ':\n\n', ':\n\n', ':\n\n'])
  })

  it('says so too beside what is told to others without a pause', async () => {
    const other = await merchant()
    const over = new AbortController()
    const busy = (async () => {
      while (!over.signal.aborted) await happens(other)
    })()
    const said: string[] = []
    for await (const text of await follow()) {
      said.push(text)
      if (said.length === 3) break
    }
    over.abort()
    await busy
    expect(said).to.deep.equal(['retry: 1000\n\n', ':\n\n', ':\n\n'])
  })

  it('keeps little for who does not read, cuts them off, and frees their place', async () => {
    await withAnotherApi({ EVENT_STREAMS_PER_CALLER: 1 }, async ({ port, server, apiUrl }) => {
      const answering = once(server, 'request') as Promise<[unknown, ServerResponse]>
      const authorization = `Bearer ${await tokenOf(shop)}`
      const deaf = connect(port, '127.0.0.1').pause()
      deaf.on('error', () => {})
      deaf.write(
        `GET /v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n\r\n`,
      )
      const [, response] = await answering
      await until(async () => response.headersSent)
      const more = { text: 'x'.repeat(EVENT_BYTES) }
      for (let event = 0; event < EVENTS; event += 1) await happens(shop, undefined, more)
      // Full, and it stays at that: what does not fit waits in the table.
      await until(async () => response.writableNeedDrain)
      expect(response.writableLength).to.be.lessThan(MEGABYTE)
      expect(response.socket?.bytesWritten).to.be.lessThan(EVENTS * EVENT_BYTES)
      const stream = () => fetch(`${apiUrl}/v1/events/stream`, { headers: { authorization } })
      expect((await stream()).status).to.equal(503)
      // Half a minute in which nothing moves.
      expect(response.socket?.timeout).to.equal(30_000)
      response.socket?.emit('timeout')
      await until(async () => response.destroyed)
      const again = await stream()
      expect(again.status).to.equal(200)
      await again.body?.cancel()
      deaf.destroy()
    })
  })
})
