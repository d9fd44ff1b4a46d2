/** Webhook endpoints over HTTP: where somebody wants to be told what happens. */
import { z } from 'zod'
import { isKnownFilter } from '../events/catalogue.ts'
import { endpoint, type CallerOf } from '../http/endpoint.ts'
import { text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { nameOf } from '../credentials/issuers.ts'
import {
  changeEndpoint,
  createEndpoint,
  DISABLED_REASONS,
  endpointOut,
  findEndpoint,
  findEndpoints,
  type Issued,
  type Owner,
  removeEndpoint,
  rotateSecret,
} from './endpoints.ts'
import { secretText } from './signature.ts'
import { URL_LENGTH_MAX } from './targets.ts'

const TAG = 'Webhooks'
const FILTERS_MAX = 64

/** Operators look, and change nothing: a secret is its owner's. */
export const READERS = ['chat', 'merchant', 'operator'] as const
export const OWNERS = ['chat', 'merchant'] as const

export function ownerOf(caller: CallerOf<(typeof READERS)[number]>): Owner {
  if (caller.scope === 'operator') return {}
  return { merchant_id: caller.scope === 'merchant' ? caller.merchant : null }
}

export const oneEndpoint = z.strictObject({ id: idIn('whe') })

const Url = z.string().min(1).max(URL_LENGTH_MAX)
const Description = text(140)
const Filters = z
  .array(z.string().max(64).refine(isKnownFilter, 'is no type of event'))
  .min(1)
  .max(FILTERS_MAX)
  .describe('Types of `GET /v1/event_types`; `payment.*` is all of a kind, `*` is all')

const EndpointShape = z.strictObject({
  id: idOut('whe'),
  merchant: idOut('mer').nullable().describe('Null: of the chat app'),
  url: z.string(),
  types: z.array(z.string()),
  description: z.string().nullable(),
  state: z.enum(['enabled', 'disabled']),
  disabled_reason: z
    .enum(DISABLED_REASONS)
    .nullable()
    .describe('`gone`: it answered 410; `failing`: nothing arrived for days'),
  failing_since: Timestamp.nullable().describe('Nothing has arrived since then'),
  previous_secret_until: Timestamp.nullable().describe('Until then both secrets sign'),
  is_replaying: z.boolean(),
  created_at: Timestamp,
  changed_at: Timestamp,
})
export const WebhookEndpointOut = EndpointShape.meta({ id: 'WebhookEndpoint' })

const IssuedOut = EndpointShape.extend({
  secret: z.string().describe('`whsec_` and 32 bytes in base64. It is not shown again'),
}).meta({ id: 'IssuedWebhookEndpoint' })

const issuedOut = ({ row, secret }: Issued) => ({ ...endpointOut(row), secret: secretText(secret) })

export const webhookEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/webhook_endpoints', summary: 'Where events are sent' },
    ...{ tag: TAG, scopes: READERS },
    answers: { 200: z.strictObject({ data: z.array(WebhookEndpointOut) }) },
    refusals: [],
    handle: async ({ db }, { caller }) => {
      const rows = await findEndpoints(db, ownerOf(caller))
      return { status: 200, body: { data: rows.map(endpointOut) } }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/webhook_endpoints', summary: 'Have events sent to a URL' },
    // No idempotency: an answer that is kept would keep the secret.
    ...{ tag: TAG, scopes: OWNERS },
    body: z.strictObject({ url: Url, types: Filters, description: Description.optional() }),
    answers: { 201: IssuedOut },
    refusals: ['url_not_allowed', 'too_many_webhook_endpoints'],
    handle: async (context, { caller, body: { url, types, description } }) => {
      const merchant = caller.scope === 'merchant' ? caller.merchant : null
      const by = nameOf(context.config, caller.session)
      const asked = { merchant, url, types: [...new Set(types)], description, by }
      return { status: 201, body: issuedOut(await createEndpoint(context, asked)) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/webhook_endpoints/:id', summary: 'One of them' },
    ...{ tag: TAG, scopes: READERS },
    params: oneEndpoint,
    answers: { 200: WebhookEndpointOut },
    refusals: ['not_found'],
    handle: async ({ db }, { caller, params }) => {
      const row = await findEndpoint(db, params.id, ownerOf(caller))
      return { status: 200, body: endpointOut(row) }
    },
  }),
  endpoint({
    ...{ method: 'PUT', path: '/v1/webhook_endpoints/:id', tag: TAG, scopes: OWNERS },
    summary: 'Change it, or enable it again; what is left out stays',
    params: oneEndpoint,
    body: z.strictObject({
      url: Url.optional(),
      types: Filters.optional(),
      description: Description.nullable().optional(),
      state: z.enum(['enabled', 'disabled']).optional(),
    }),
    answers: { 200: WebhookEndpointOut },
    refusals: ['not_found', 'url_not_allowed'],
    handle: async (context, { caller, params, body }) => {
      const row = await changeEndpoint(context, params.id, ownerOf(caller), body)
      return { status: 200, body: endpointOut(row) }
    },
  }),
  endpoint({
    ...{ method: 'DELETE', path: '/v1/webhook_endpoints/:id', summary: 'Send nothing there' },
    ...{ tag: TAG, scopes: OWNERS },
    params: oneEndpoint,
    answers: { 204: null },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      await removeEndpoint(context, params.id, ownerOf(caller))
      return { status: 204 }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/webhook_endpoints/:id/rotate', tag: TAG, scopes: OWNERS },
    summary: 'A new secret; the old one signs too for a day',
    params: oneEndpoint,
    answers: { 200: IssuedOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const issued = await rotateSecret(context, params.id, ownerOf(caller))
      return { status: 200, body: issuedOut(issued) }
    },
  }),
]
