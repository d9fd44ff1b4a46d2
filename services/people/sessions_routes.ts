/** Ending sessions over HTTP: one's own, a person's, anybody's. Good for writes at once. */
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { text } from '../http/schemas.ts'
import { idIn, publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import { findPayee } from './parties.ts'
import { endSessions, type Issued, revokeSubject } from '../credentials/revocations.ts'

const TAG = 'Identity'

function revoke(context: Context, person: Uuid, kept: Issued | null): Promise<void> {
  return context.db.transaction(async (trx) => {
    await endSessions(trx, person, context.now(), kept)
    const subject = publicId('per', person)
    await recordSecurity({ ...context, db: trx }, { kind: 'sessions_revoked', subject })
  })
}

export const sessionEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/sessions/revoke', summary: 'End one’s own sessions' },
    ...{ tag: TAG, scopes: ['person'] },
    body: z.strictObject({
      keep_this: z.boolean().describe('Whether the token of this call stays good'),
    }),
    answers: { 204: null },
    refusals: [],
    handle: async (context, { caller: { person, session }, body }) => {
      await revoke(context, person.id, body.keep_this ? session : null)
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
      await revoke(context, person.id, null)
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
    handle: async (context, { caller, body }) => {
      const { issuer = context.config.TOKEN_ISSUERS[0].issuer, subject } = body
      const when = { at: context.now(), by: caller.subject }
      await context.db.transaction(async (trx) => {
        await revokeSubject(trx, context.vault, { issuer, subject }, when)
        const entry = { kind: 'sessions_revoked', subject: `token ${issuer} ${subject}` } as const
        await recordSecurity({ ...context, db: trx }, entry)
      })
      return { status: 204 }
    },
  }),
]
