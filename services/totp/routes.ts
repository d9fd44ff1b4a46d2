/** A person's authenticator over HTTP. What is told once is not kept under an Idempotency-Key. */
import { z } from 'zod'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type CallerOf, endpoint } from '../http/endpoint.ts'
import { Timestamp } from '../http/schemas.ts'
import type { TotpAct } from '../approvals/acts.ts'
import {
  allFactors,
  type Approval,
  APPROVAL_REFUSALS,
  ApprovalBody,
  approve,
} from '../approvals/approvals.ts'
import { qrOf, TotpCode } from './secrets.ts'
import { confirm, enrol, type Holder, newCodes, remove, stateOf } from './totp.ts'

const TAG = 'Authenticator'

const TotpOut = z
  .strictObject({
    confirmed_at: Timestamp.nullable().describe('Null where no authenticator is in use'),
    locked_until: Timestamp.nullable(),
    enrolment_expires_at: Timestamp.nullable().describe('Until when a new one may be confirmed'),
    recovery_codes_left: z.int(),
  })
  .meta({ id: 'Totp' })

const EnrolmentOut = z
  .strictObject({
    otpauth_uri: z.string().describe('For authenticator apps on the same phone'),
    secret: z.string().describe('Base32, to be typed where nothing can be scanned'),
    qr: z.string().describe('SVG: the URI, to be scanned'),
    expires_at: Timestamp,
  })
  .meta({ id: 'TotpEnrolment' })

const CodesOut = z
  .strictObject({ recovery_codes: z.array(z.string()).length(10) })
  .meta({ id: 'RecoveryCodes', description: 'Told once; each is good once' })

const Approved = z.strictObject({ approval: ApprovalBody })

export const totpEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/totp', tag: TAG, scopes: ['person'] },
    summary: 'Whether I use an authenticator',
    answers: { 200: TotpOut },
    refusals: [],
    handle: async (context, { caller: { person } }) => {
      const { confirmedAt, lockedUntil, ...state } = await stateOf(context, person.id)
      const body = {
        confirmed_at: confirmedAt?.toISOString() ?? null,
        locked_until: lockedUntil?.toISOString() ?? null,
        enrolment_expires_at: state.enrolmentExpiresAt?.toISOString() ?? null,
        recovery_codes_left: state.recoveryCodesLeft,
      }
      return { status: 200, body }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/totp', tag: TAG, scopes: ['person'], rate: 'security' },
    summary: 'Enrol an authenticator; whoever has one shows a code of it, or a recovery code',
    body: Approved,
    answers: { 201: EnrolmentOut },
    refusals: [...APPROVAL_REFUSALS, 'not_found'],
    handle: async (context, request) => {
      const { person } = request.caller
      const { confirmedAt } = await stateOf(context, person.id)
      await agree(context, 'totp.enrol', request)
      const { secret, uri, expiresAt } = await enrol(context, person, confirmedAt)
      const told = { otpauth_uri: uri, secret, qr: qrOf(uri), expires_at: expiresAt.toISOString() }
      return { status: 201, body: told }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/totp/confirm', tag: TAG, scopes: ['person'] },
    ...{ rate: 'security' },
    summary: 'Confirm the authenticator by its first code, and get recovery codes',
    body: z.strictObject({ code: TotpCode }),
    answers: { 200: CodesOut },
    refusals: ['totp_not_enrolling', 'approval_refused', 'not_found'],
    handle: async (context, { caller, body }) => ({
      status: 200,
      body: { recovery_codes: await confirm(context, holderOf(caller), body.code) },
    }),
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/totp/recovery_codes', tag: TAG, scopes: ['person'] },
    ...{ rate: 'security' },
    summary: 'Get new recovery codes; those of before are void',
    body: Approved,
    answers: { 201: CodesOut },
    refusals: [...APPROVAL_REFUSALS, 'not_found'],
    handle: async (context, request) => {
      await agreeByBoth(context, 'totp.recovery_codes', request)
      const codes = await newCodes(context, holderOf(request.caller))
      return { status: 201, body: { recovery_codes: codes } }
    },
  }),
  endpoint({
    ...{ method: 'DELETE', path: '/v1/totp', tag: TAG, scopes: ['person'], rate: 'security' },
    summary: 'Remove the authenticator and its recovery codes',
    body: Approved,
    answers: { 204: null },
    refusals: [...APPROVAL_REFUSALS, 'not_found'],
    handle: async (context, request) => {
      await agreeByBoth(context, 'totp.remove', request)
      await remove(context, holderOf(request.caller))
      return { status: 204 }
    },
  }),
]

const holderOf = ({ person, session }: CallerOf<'person'>): Holder => ({
  person: person.id,
  session,
})

interface Asked {
  readonly caller: CallerOf<'person'>
  readonly body: z.infer<typeof Approved>
  readonly idempotencyKey: string
}

/** Every factor the person has is shown before any of them changes. */
async function agree(
  context: Context,
  action: TotpAct,
  { caller, body, idempotencyKey: key }: Asked,
): Promise<Approval> {
  const person = caller.person.id
  const act = { action, person, facts: {}, key }
  return approve(context, act, body.approval, await allFactors(context, person))
}

/** An authenticator that was confirmed while we looked was not shown either. */
async function agreeByBoth(context: Context, action: TotpAct, asked: Asked): Promise<void> {
  const { stepUp } = await agree(context, action, asked)
  if (stepUp === null) throw new ServiceError('totp_not_set')
}
