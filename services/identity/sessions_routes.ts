/** Ending sessions over HTTP: one's own, a person's, anybody's. Good for writes at once. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { text } from '../http/schemas.ts'
import { idIn } from '../ids.ts'
import { findPayee } from './parties.ts'
import { endSessions, revokeSubject } from './revocations.ts'

const TAG = 'Identity'

export const sessionEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/sessions/revoke', summary: 'End one’s own sessions' },
    ...{ tag: TAG, scopes: ['person'] },
    body: z.strictObject({
      keep_this: z.boolean().describe('Whether the token of this call stays good'),
    }),
    answers: { 204: null },
    refusals: [],
    handle: async ({ db, now }, { caller: { person, session }, body }) => {
      await endSessions(db, person.id, now(), body.keep_this ? session.jti : null)
      return { status: 204 }
    },
  }),
  endpoint({
    method: 'POST',
    ...{ path: '/v1/people/:id/sessions/revoke', summary: 'End a person’s sessions' },
    ...{ tag: TAG, scopes: ['chat', 'operator'] },
    params: z.strictObject({ id: idIn('per') }),
    answers: { 204: null },
    refusals: ['not_found'],
    handle: async (context, { params }) => {
      const person = await findPayee(context, 'person', params.id)
      if (person === undefined) throw new ServiceError('not_found')
      await endSessions(context.db, person.id, context.now(), null)
      return { status: 204 }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/revocations', summary: 'Revoke all tokens of a subject' },
    ...{ tag: 'Operators', scopes: ['operator'] },
    body: z.strictObject({
      issuer: text(200).optional().describe('The first configured unless told'),
      subject: text(200),
    }),
    answers: { 204: null },
    refusals: [],
    handle: async ({ db, now, config }, { caller, body }) => {
      const { issuer = config.TOKEN_ISSUERS[0].issuer, subject } = body
      const when = { at: now(), by: caller.subject }
      await db.transaction((trx) => revokeSubject(trx, { issuer, subject }, when))
      return { status: 204 }
    },
  }),
]
