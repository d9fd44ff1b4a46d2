/** What became of webhooks, over HTTP; and sending them again. */
import { z } from 'zod'
import { endpoint } from '../http/endpoint.ts'
import { listOf, page, pageQuery, Timestamp } from '../http/schemas.ts'
import { idIn, idOut, uuidOf } from '../ids.ts'
import { DELIVERY_STATES, deliveryOut, findDeliveries } from './deliveries.ts'
import { findEndpoint } from './endpoints.ts'
import { ping, redeliver, startReplay } from './resend.ts'
import { oneEndpoint, ownerOf, OWNERS, READERS, WebhookEndpointOut } from './routes.ts'

const TAG = 'Webhooks'

const DeliveryOut = z
  .strictObject({
    id: idOut('whd'),
    event: idOut('evt').describe('The `webhook-id`, of every copy'),
    type: z.string(),
    state: z.enum(DELIVERY_STATES).describe('`failed`: given up after ten attempts'),
    next_attempt_at: Timestamp.nullable(),
    attempts: z.array(
      z.strictObject({
        at: Timestamp,
        status: z.int().nullable().describe('Null: there was no answer'),
        fault: z.enum(['timeout', 'blocked', 'unreachable', 'refused']).nullable(),
        latency_ms: z.int(),
        excerpt: z
          .string()
          .nullable()
          .describe('How the answer began; for operators, null for all others'),
      }),
    ),
    created_at: Timestamp,
  })
  .meta({ id: 'WebhookDelivery' })

const From = z
  .union([idOut('evt').transform(uuidOf), Timestamp.transform((at) => new Date(at))])
  .describe('An event, which is sent too, or a time')

export const deliveryEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/webhook_endpoints/:id/deliveries', tag: TAG, scopes: READERS },
    summary: 'What was sent, with every attempt, newest first',
    params: oneEndpoint,
    query: pageQuery('whd').extend({ state: z.enum(DELIVERY_STATES).optional() }),
    answers: { 200: listOf(DeliveryOut) },
    refusals: ['not_found'],
    handle: async ({ db }, { caller, params, query: { limit, cursor, state } }) => {
      const { id } = await findEndpoint(db, params.id, ownerOf(caller))
      const found = await findDeliveries(db, id, { before: cursor, state, limit })
      const shown = (one: (typeof found)[number]) => deliveryOut(one, caller.scope === 'operator')
      return { status: 200, body: page(found.map(shown), limit) }
    },
  }),
  endpoint({
    ...{ method: 'POST', tag: TAG, scopes: OWNERS },
    path: '/v1/webhook_endpoints/:id/deliveries/:delivery/redeliver',
    summary: 'Send it again, as the same event, and ten times if need be',
    params: oneEndpoint.extend({ delivery: idIn('whd') }),
    answers: { 202: DeliveryOut },
    refusals: ['not_found', 'webhook_endpoint_disabled'],
    handle: async (context, { caller, params: { id, delivery } }) => {
      const again = await redeliver(context, id, ownerOf(caller), delivery)
      return { status: 202, body: deliveryOut(again) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/webhook_endpoints/:id/replay', tag: TAG, scopes: OWNERS },
    summary: 'Send everything again from an event or a time on',
    params: oneEndpoint,
    body: z.strictObject({ from: From }),
    answers: { 202: WebhookEndpointOut },
    refusals: ['not_found', 'webhook_endpoint_disabled'],
    handle: async (context, { caller, params, body }) => {
      const replaying = await startReplay(context, params.id, ownerOf(caller), body.from)
      return { status: 202, body: replaying }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/webhook_endpoints/:id/ping', tag: TAG, scopes: OWNERS },
    summary: 'Send a test event, to this endpoint alone',
    params: oneEndpoint,
    answers: { 202: DeliveryOut },
    refusals: ['not_found', 'webhook_endpoint_disabled'],
    handle: async (context, { caller, params }) => {
      const sent = await ping(context, params.id, ownerOf(caller))
      return { status: 202, body: deliveryOut(sent) }
    },
  }),
]
