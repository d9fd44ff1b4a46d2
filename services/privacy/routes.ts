/** A person's data over HTTP: all of it, and then none of it. */
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { endpoint, type Streamed } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut, publicId } from '../ids.ts'
import { allFactors, APPROVAL_REFUSALS, ApprovalBody, approve } from '../approvals/approvals.ts'
import { recordSecurity } from '../security/log.ts'
import { erase, eraseFor, refuseErased } from './erasure.ts'
import { exportOf } from './export.ts'

const Export = z
  .looseObject({
    id: idOut('per'),
    name: z.string().nullable(),
    alias: z.string().nullable(),
    issuer: z.string(),
    subject: z.string(),
    created_at: Timestamp,
    factors: z.looseObject({}).describe('Which ones there are, and since when; no secrets'),
    bank_accounts: z.array(z.looseObject({ number: z.string().optional() })),
    payments: z.array(z.looseObject({})).describe('With top-ups and withdrawals'),
    exchanges: z.array(z.looseObject({})),
    events: z.array(z.looseObject({})),
    accounts: z.array(z.looseObject({})).describe('Each with all its entries'),
  })
  .meta({ id: 'PersonExport' })

async function exported(context: Context, person: Uuid): Promise<Streamed> {
  const stream = await exportOf(context, person)
  const subject = publicId('per', person)
  await recordSecurity(context, { kind: 'person_exported', subject })
  const fileName = `${subject}.json`
  return { status: 200, contentType: 'application/json', fileName, stream }
}

export const privacyEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/me/export', tag: 'Privacy', scopes: ['person'] },
    summary: 'Everything we keep about you',
    answers: { 200: Export },
    refusals: ['not_found', 'saturated'],
    handle: (context, { caller }) => exported(context, caller.person.id),
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/people/:id/export', tag: 'Privacy', scopes: ['operator'] },
    summary: 'Everything we keep about a person',
    params: z.strictObject({ id: idIn('per') }),
    answers: { 200: Export },
    refusals: ['not_found', 'saturated'],
    handle: (context, { params }) => exported(context, params.id),
  }),
  endpoint({
    ...{ method: 'DELETE', path: '/v1/me', tag: 'Privacy', scopes: ['person'] },
    summary: 'Have everything forgotten that names you, once all is paid out; ends your sessions',
    ...{ idempotency: 'required', rate: 'security' },
    body: z.strictObject({ approval: ApprovalBody.optional() }),
    answers: { 204: null },
    refusals: [...APPROVAL_REFUSALS, 'not_found', 'account_not_empty'],
    handle: async (context, { caller: { person }, body, idempotencyKey: key }) => {
      const act = { action: 'erasure' as const, person: person.id, facts: {}, key }
      await approve(context, act, body.approval, await allFactors(context, person.id))
      await erase(context, person.id)
      return { status: 204 }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/people/:id/erasure', tag: 'Privacy', scopes: ['operator'] },
    summary: 'Have everything forgotten that names a person',
    ...{ idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('per') }),
    body: z.strictObject({ reason: text(140) }),
    answers: {
      200: z.strictObject({ id: idOut('per'), erased_at: Timestamp }).meta({ id: 'Erasure' }),
    },
    refusals: ['not_found', 'account_not_empty'],
    check: ({ db }, { params }) => refuseErased(db, params.id),
    handle: (context, { caller, params, claim }) =>
      eraseFor(context, params.id, caller.subject, claimed(claim)),
  }),
]
