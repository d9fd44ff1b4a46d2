/** Keys of the chat app's servers, over HTTP: two operators agree, and one fetches the secret. */
import { z } from 'zod'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { text } from '../http/schemas.ts'
import { idIn } from '../ids.ts'
import { allowChatKey, allowNewSecret, fetchSecret, refuseNoChatKey } from './chat_keys.ts'
import { ApiKeyOut, IssuedKeyOut, issuedOut } from './clients_routes.ts'
import { nameOf } from './issuers.ts'
import { refuseMore, rightsIn } from './scopes.ts'

const TAG = 'Clients'
const ofKey = z.strictObject({ id: idIn('key') })

export const chatKeyEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/chat_keys', tag: TAG, scopes: ['operator'] },
    summary: 'A key for the chat app’s servers; its secret is fetched afterwards',
    ...{ tokensOnly: true, idempotency: 'required', secondPerson: true },
    body: z.strictObject({
      name: text(64),
      scopes: z
        .array(z.enum(['chat', 'chat:read']))
        .min(1)
        .max(2),
    }),
    answers: { 201: ApiKeyOut },
    refusals: ['too_many_api_keys'],
    async check(_, { caller, body }) {
      refuseMore(caller, rightsIn(body.scopes))
    },
    handle: (context, { caller, body: { name, scopes }, claim }) => {
      const by = nameOf(context.config, caller.session)
      const key = { name, scopes: [...new Set(scopes)], by }
      return allowChatKey(context, key, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/chat_keys/:id/rotate', tag: TAG, scopes: ['operator'] },
    summary: 'Have a new secret for it, which is fetched afterwards',
    ...{ tokensOnly: true, idempotency: 'required', secondPerson: true },
    params: ofKey,
    answers: { 200: ApiKeyOut },
    refusals: ['not_found'],
    check: (context, { params }) => refuseNoChatKey(context, params.id),
    handle: (context, { caller, params, claim }) => {
      const by = nameOf(context.config, caller.session)
      return allowNewSecret(context, params.id, by, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/chat_keys/:id/secret', tag: TAG, scopes: ['operator'] },
    summary: 'Fetch the secret that was agreed on: once, and only whoever proposed it',
    // No idempotency: an answer that is kept would keep the secret.
    tokensOnly: true,
    params: ofKey,
    answers: { 200: IssuedKeyOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const by = nameOf(context.config, caller.session)
      return { status: 200, body: issuedOut(await fetchSecret(context, params.id, by)) }
    },
  }),
]
