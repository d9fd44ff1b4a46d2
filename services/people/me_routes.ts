/** A person about themselves. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { Timestamp } from '../http/schemas.ts'
import { idOut } from '../ids.ts'
import { APPROVAL_REFUSALS, ApprovalBody } from '../approvals/approvals.ts'
import { lowerNoPinLimit, PIN_STATES, setNoPinLimit, showMe } from './me.ts'

const Limit = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,14})$/)
  .describe('Payments up to this many minor units need a token only')

const MeOut = z
  .strictObject({
    id: idOut('per'),
    alias: z.string().nullable(),
    name: z.string(),
    tier: z.string().describe('How well we know the person; limits depend on it'),
    no_pin_limit: Limit,
    factors: z.strictObject({
      pin: z.enum(PIN_STATES),
      totp: z.boolean(),
      devices: z.int().min(0),
    }),
    security_changed_at: Timestamp.nullable(),
  })
  .meta({ id: 'Me' })

export const meEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/me', tag: 'Identity', scopes: ['person'] },
    summary: 'Who you are to us, and what you can agree with',
    answers: { 200: MeOut },
    refusals: [],
    handle: async (context, { caller }) => ({
      ...{ status: 200, body: await showMe(context, caller.person, context.db) },
    }),
  }),
  endpoint({
    ...{ method: 'PUT', path: '/v1/me', tag: 'Identity', scopes: ['person'], rate: 'security' },
    summary: 'Change how much you pay with a token alone: less at will, more with an approval',
    idempotency: 'optional',
    body: z.strictObject({ no_pin_limit: Limit, approval: ApprovalBody.optional() }),
    answers: { 200: MeOut },
    refusals: [...APPROVAL_REFUSALS, 'no_pin_limit_too_high'],
    handle: async (context, { caller: { person }, body, claim, idempotencyKey: key }) => {
      const limit = BigInt(body.no_pin_limit)
      const { approval } = body
      if (approval === undefined && (await lowerNoPinLimit(context, person.id, limit))) {
        return { status: 200, body: await showMe(context, person, context.db) }
      }
      // An approval is good for one request, and the key is what tells requests apart.
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      return setNoPinLimit(context, person, { limit, approval }, { claim, key })
    },
  }),
]
