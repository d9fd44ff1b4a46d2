/** Endpoints, deliverers and events of a test's own. */
import { expect } from 'chai'
import { newId } from '../../ledger/index.ts'
import type { EventType } from '../../services/events/catalogue.ts'
import { recordEvent } from '../../services/events/events.ts'
import { publicId, uuidOf } from '../../services/ids.ts'
import { type Dispatcher, openDispatcher } from '../../services/webhooks/dispatch.ts'
import type { Poster } from '../../services/webhooks/post.ts'
import { call, type Who } from './api.ts'
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

/** A worker that only delivers, and takes a turn every few milliseconds. */
export async function startDelivering(poster?: Poster) {
  const { worker } = await world()
  const dispatcher: Dispatcher = openDispatcher(worker, poster)
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
export async function happens(shop: Merchant, type: EventType = 'settlement.settled') {
  const { worker } = await world()
  const object = publicId('rcl', newId())
  const [merchant, at] = [uuidOf(shop.id), new Date()]
  await worker.db.transaction((trx) =>
    recordEvent(trx, { type, object, merchant, data: { id: object }, at }),
  )
  return object
}

export async function deliveriesOf(who: Who, { id }: Made) {
  const { body } = await call(who, 'GET', `/v1/webhook_endpoints/${id}/deliveries?limit=100`)
  return body.data
}
