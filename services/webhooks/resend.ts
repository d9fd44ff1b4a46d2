/** Sending on request: a test, one delivery again, or everything again from somewhere on. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import { firstIdAt } from '../events/identity.ts'
import { enqueue, findDeliveries, sendAgain } from './deliveries.ts'
import {
  type Endpoint,
  ENDPOINT_COLUMNS,
  endpointOut,
  findEndpoint,
  type Owner,
} from './endpoints.ts'

/** @throws {ServiceError} `not_found`, `webhook_endpoint_disabled` */
async function enabledEndpoint(db: Knex, id: Uuid, whose: Owner): Promise<Endpoint> {
  // Before anything else of it, as everybody locks it.
  await db('webhook_endpoints')
    .where({ id, ...whose })
    .forNoKeyUpdate()
    .first('id')
  const endpoint = await findEndpoint(db, id, whose)
  if (endpoint.state === 'disabled') throw new ServiceError('webhook_endpoint_disabled')
  return endpoint
}

/**
 * An event that only this endpoint is told, whatever types it asked for.
 * @throws {ServiceError} `not_found`, `webhook_endpoint_disabled`
 */
export async function ping(context: Context, id: Uuid, whose: Owner) {
  const at = context.now()
  return context.db.transaction(async (trx) => {
    const endpoint = await enabledEndpoint(trx, id, whose)
    const data = endpointOut(endpoint)
    const merchant = endpoint.merchant_id ?? undefined
    const told = { type: 'webhook_endpoint.ping', object: data.id, merchant, data, at } as const
    const event = await recordEvent(trx, told)
    await enqueue(trx, [{ endpoint: id, event }], at)
    const [sent] = await findDeliveries(trx, id, { limit: 1 })
    if (sent === undefined) throw new Error(`endpoint ${id} was not pinged`)
    return sent
  })
}

/** @throws {ServiceError} `not_found`, `webhook_endpoint_disabled` */
export async function redeliver(context: Context, id: Uuid, whose: Owner, delivery: Uuid) {
  return context.db.transaction(async (trx) => {
    await enabledEndpoint(trx, id, whose)
    await sendAgain(trx, id, delivery, context.now())
    const [again] = await findDeliveries(trx, id, { id: delivery, limit: 1 })
    if (again === undefined) throw new Error(`delivery ${delivery} has vanished`)
    return again
  })
}

/**
 * A worker goes over all events from there up to now, and makes those wait again that the
 * endpoint asks for. What happens from now on comes by itself. A new replay takes the place of one
 * that runs.
 * @throws {ServiceError} `not_found`, `webhook_endpoint_disabled`
 */
export async function startReplay(context: Context, id: Uuid, whose: Owner, from: Uuid | Date) {
  const { db } = context
  await enabledEndpoint(db, id, whose)
  const until = firstIdAt(new Date(context.now().getTime() + 1))
  const change = { replay_from: typeof from === 'string' ? from : firstIdAt(from) }
  const [row] = await db('webhook_endpoints')
    .where({ id })
    .update({ ...change, replay_until: until })
    .returning(ENDPOINT_COLUMNS)
  return endpointOut(row)
}
