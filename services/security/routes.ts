/** The security log, for operators. */
import { z } from 'zod'
import { endpoint } from '../http/endpoint.ts'
import { listOf, page, pageQuery, text, Timestamp } from '../http/schemas.ts'
import { idOut, publicId } from '../ids.ts'
import { SECURITY_KINDS } from './kinds.ts'
import { findSecurity, type SecurityRow } from './log.ts'

const BY_NAME = 'As an entry has it, or `token`, the issuer and the subject of a token, in clear'

const EntryOut = z
  .strictObject({
    id: idOut('sec'),
    at: Timestamp,
    kind: z.enum(SECURITY_KINDS),
    actor: z
      .string()
      .nullable()
      .describe('Of a token that has no role here, the issuer and a hash'),
    subject: z.string().nullable(),
    request_id: z.uuid().nullable().describe('The X-Request-Id of the answer'),
    address: z.string().nullable().describe('The same for the same address; not the address'),
    times: z.int().describe('How often; more than once only where a flood was counted'),
    detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  })
  .meta({ id: 'SecurityEntry' })

const entryOut = (row: SecurityRow) => ({
  ...{ id: publicId('sec', row.id), at: row.at.toISOString(), kind: row.kind },
  ...{ actor: row.actor, subject: row.subject, request_id: row.request_id },
  ...{ address: row.address?.toString('hex') ?? null, times: row.times, detail: row.detail },
})

export const securityEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/security_log', summary: 'Who did or tried what, newest first' },
    ...{ tag: 'Operators', scopes: ['operator'] },
    query: pageQuery('sec').extend({
      kind: z.enum(SECURITY_KINDS).optional(),
      actor: text(300).optional().describe(BY_NAME),
      subject: text(300).optional().describe(BY_NAME),
    }),
    answers: { 200: listOf(EntryOut) },
    refusals: [],
    handle: async (context, { query: { limit, cursor, ...where } }) => {
      const found = await findSecurity(context, { ...where, before: cursor, limit })
      return { status: 200, body: page(found.map(entryOut), limit) }
    },
  }),
]
