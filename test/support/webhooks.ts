/** Endpoints, deliverers and events of a test's own. */
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { newId } from '../../ledger/index.ts'
import { type Config, inherited } from '../../services/config.ts'
import type { EventType } from '../../services/events/catalogue.ts'
import { recordEvent } from '../../services/events/events.ts'
import { publicId, uuidOf } from '../../services/ids.ts'
import { type Dispatcher, openDispatcher } from '../../services/webhooks/dispatch.ts'
import { call, type Who } from './api.ts'
import { madeUp } from './event-checks.ts'
import type { Merchant } from './people.ts'
import { world } from './world.ts'

export const CHAT: Who = { sub: 'chat', scope: 'chat' }

export interface Made {
  readonly id: string
  readonly secret: string
}

export async function newEndpoint(who: Who, url: string, types = ['*']): Promise<Made> {
  const made = await call(who, 'POST', '/v1/webhook_endpoints', { body: { url, types } })
  expect(made.status, made.text).to.equal(201)
  return { id: made.body.id, secret: made.body.secret }
}

/** Its receiver is gone after the test, and others must not wait for it. */
export async function removeEndpoint(who: Who, { id }: Made): Promise<void> {
  const { status, text } = await call(who, 'DELETE', `/v1/webhook_endpoints/${id}`)
  expect(status, text).to.equal(204)
}

/** A worker that only delivers, and takes a turn every few milliseconds; by a clock of its own. */
export async function startDelivering(settings: Partial<Config> = {}, now?: () => Date) {
  const { worker } = await world()
  const config = { ...worker.config, ...settings }
  const dispatcher: Dispatcher = openDispatcher({ ...worker, config, ...(now && { now }) })
  const over = new AbortController()
  let failure: unknown
  async function turns(): Promise<void> {
    while (!over.signal.aborted) {
      await dispatcher.run()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const work = turns().catch((error: unknown) => (failure = error))
  return {
    async stop() {
      over.abort()
      await work
      await dispatcher.close(100)
      expect(failure).to.equal(undefined)
    },
  }
}

/** An event about nothing that is there, for the merchant; by the public id of its object. */
export async function happens(
  shop: Merchant,
  type: EventType = 'settlement.settled',
  more: object = {},
) {
  const { worker } = await world()
  const object = publicId('rcl', newId())
  madeUp.add(object)
  const [merchant, at] = [uuidOf(shop.id), new Date()]
  await worker.db.transaction((trx) =>
    recordEvent(trx, { type, object, merchant, data: { id: object, ...more }, at }),
  )
  return object
}

export async function deliveriesOf(who: Who, { id }: Made) {
  const { body } = await call(who, 'GET', `/v1/webhook_endpoints/${id}/deliveries?limit=100`)
  return body.data
}

const ROOT = new URL('../../', import.meta.url)

/** A worker as it is deployed, to be killed. */
export async function spawnWorker(settings: Readonly<Record<string, string>>) {
  const { environment } = await world()
  const told = { ...environment, WORKER_PORT: '0', ...settings }
  const given = Object.entries({ ...inherited(), ...told }).filter(([, value]) => value)
  const child = spawn(process.execPath, ['services/run.mjs', 'services/worker.ts'], {
    ...{ cwd: ROOT, env: Object.fromEntries(given) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const gone = once(child, 'exit')
  await Promise.race([
    once(child, 'message'),
    gone.then(([code]) => {
      throw new Error(`the worker ended with ${code}`)
    }),
  ])
  return {
    async end(signal: 'SIGKILL' | 'SIGTERM') {
      child.kill(signal)
      await gone
    },
  }
}

/** As if all the time had passed that deliveries wait for; leases of workers stay theirs. */
export async function letTimePass(endpoint: Made): Promise<void> {
  const { owner } = await world()
  await owner.raw(
    `WITH due AS (
       UPDATE webhook_deliveries SET next_at = now() - interval '1 s'
        WHERE endpoint_id = :id AND state = 'waiting' AND next_at > now())
     UPDATE webhook_endpoints SET due_at = now() - interval '1 s' WHERE id = :id`,
    { id: uuidOf(endpoint.id) },
  )
}
