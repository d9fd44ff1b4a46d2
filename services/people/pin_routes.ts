/** A person's PIN over HTTP. It is never in an answer, a log or a stored request. */
import type { Knex } from 'knex'
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { type CallerOf, endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { hasTotp, useSecondFactor } from '../totp/check.ts'
import { SecondFactor } from '../totp/secrets.ts'
import {
  allFactors,
  APPROVAL_REFUSALS,
  ApprovalBody,
  approve,
  Pin,
} from '../approvals/approvals.ts'
import { countDevices, countRevoked } from './devices.ts'
import { findPayee } from './parties.ts'
import { checkPin } from '../pins/attempts.ts'
import { clearPin, type PinHolder, pinStateOf, resetPin, setPin } from '../pins/pins.ts'

const CHECKED = [
  ...(['approval_refused', 'pin_locked', 'pin_not_set', 'pin_reset_required'] as const),
] as const

const PinOut = z
  .strictObject({
    state: z
      .enum(['unset', 'set', 'locked', 'reset_required'])
      .describe('`reset_required`: wrong too often; only a reset helps'),
    changed_at: z.string().nullable(),
    locked_until: z.string().nullable(),
  })
  .meta({ id: 'Pin' })

export const pinEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/pin', summary: 'Whether a PIN is set, and how it stands' },
    ...{ tag: 'Identity', scopes: ['person'] },
    answers: { 200: PinOut },
    refusals: [],
    handle: async (context, { caller }) => {
      const { state, changedAt, lockedUntil } = await pinStateOf(context, caller.person.id)
      const moments = {
        changed_at: changedAt?.toISOString() ?? null,
        locked_until: lockedUntil?.toISOString() ?? null,
      }
      return { status: 200, body: { state, ...moments } }
    },
  }),
  endpoint({
    ...{ method: 'PUT', path: '/v1/pin', tag: 'Identity', scopes: ['person'], rate: 'security' },
    summary: 'Set the PIN, or change it with the current one',
    body: z.strictObject({
      pin: Pin,
      current_pin: Pin.optional(),
      totp: SecondFactor.optional().describe('Beside the current PIN, where one is set up'),
    }),
    answers: { 204: null },
    refusals: [
      ...CHECKED,
      ...(['weak_pin', 'pin_already_set', 'approval_required', 'not_found'] as const),
      ...(['step_up_required', 'totp_locked', 'totp_not_set'] as const),
    ],
    handle: async (context, { caller, body }) => {
      const { pin, current_pin: current } = body
      if (current === undefined) await refuseOthers(context, caller)
      const alsoProve = await secondProof(context, caller, body.totp)
      const proofs = { alsoProve, refuseOthers: refuseOthersOf(context, caller.person.id) }
      await setPin(context, holderOf(caller), { pin, current, known: caller.known }, proofs)
      return { status: 204 }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/pin/verify', tag: 'Identity', scopes: ['person'] },
    ...{ summary: 'Whether a PIN is right; counted like any other', rate: 'security' },
    body: z.strictObject({ pin: Pin }),
    answers: { 204: null },
    refusals: CHECKED,
    handle: async (context, { caller, body }) => {
      await checkPin(context, caller.person.id, body.pin)
      return { status: 204 }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/pin/reset', tag: 'Identity', scopes: ['person'] },
    ...{ summary: 'Set a new PIN without the old one, by another factor', rate: 'security' },
    body: z.strictObject({
      pin: Pin,
      approval: ApprovalBody.optional().describe('By a bound device'),
      totp: SecondFactor.optional().describe('Or by this alone'),
    }),
    answers: { 204: null },
    refusals: [...APPROVAL_REFUSALS, 'weak_pin', 'not_found'],
    handle: async (context, { caller, body, idempotencyKey }) => {
      const { pin, approval, totp } = body
      const { id } = caller.person
      await proveOtherwise(context, id, { approval, totp, key: idempotencyKey })
      const stillProved = (trx: Knex) =>
        approval === undefined ? refuseDevices(context, trx, id) : Promise.resolve()
      await resetPin(context, holderOf(caller), { pin, known: caller.known }, stillProved)
      return { status: 204 }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/people/:id/pin/reset', tag: 'Operators' },
    ...{ summary: 'Take a PIN away, so that the person sets a new one', scopes: ['operator'] },
    ...{ idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('per') }),
    body: z.strictObject({ reason: text(140) }),
    answers: {
      200: z
        .strictObject({ id: idOut('per'), taken_away_at: Timestamp })
        .meta({ id: 'PinTakenAway' }),
    },
    refusals: ['not_found', 'pin_not_set'],
    async check(context, { params }) {
      const person = await findPayee(context, 'person', params.id)
      if (person === undefined) throw new ServiceError('not_found')
      const { state } = await pinStateOf(context, params.id)
      if (state === 'unset') throw new ServiceError('pin_not_set')
    },
    handle: (context, { params, claim }) => clearPin(context, params.id, claimed(claim)),
  }),
]

/** Whoever has something else to agree by shows that: a token alone sets the very first factor. */
async function refuseOthers(context: Context, caller: CallerOf<'person'>): Promise<void> {
  const { state } = await pinStateOf(context, caller.person.id)
  if (state === 'unset') await refuseOthersOf(context, caller.person.id)(context.db)
}

const refuseOthersOf = (context: Context, person: Uuid) => async (db: Knex) => {
  const isAlone = (await countDevices(db, person)) === 0
  if (isAlone && !(await hasTotp({ ...context, db }, person))) return
  throw new ServiceError('approval_required', { detail: 'POST /v1/pin/reset with what you have' })
}

/**
 * Who has a device as well shows it too: all that is left of what they agree by. Nor is a code
 * enough just after one was taken away: a token takes devices away, and would leave the code alone.
 */
async function refuseDevices({ config, now }: Context, db: Knex, person: Uuid): Promise<void> {
  const since = new Date(now().getTime() - config.REDUCED_LIMITS_S * 1000)
  const lately = await countRevoked(db, person, since)
  if (lately === 0 && (await countDevices(db, person)) === 0) return
  const detail = lately === 0 ? undefined : 'a device was taken away lately; ask us, or wait'
  throw new ServiceError('approval_required', detail === undefined ? {} : { detail })
}

/** Who has an authenticator shows a code too; that it is missing is said before a PIN is tried. */
async function secondProof(context: Context, caller: CallerOf<'person'>, totp: string | undefined) {
  const { id } = caller.person
  if (!(await hasTotp(context, id))) return async () => {}
  if (totp === undefined) {
    const more = { missing: ['totp'], enrol: false, reasons: ['security'] }
    throw new ServiceError('step_up_required', { detail: 'totp is missing', more })
  }
  return async () => {
    await useSecondFactor(context, id, totp)
  }
}

const holderOf = ({ person, session }: CallerOf<'person'>): PinHolder => ({
  person: person.id,
  session,
})

/** What is to be replaced cannot prove that it may be. */
async function proveOtherwise(
  context: Context,
  person: Uuid,
  { approval, totp, key }: Proof,
): Promise<void> {
  const isByPin = approval?.pin !== undefined || approval?.pin_jwe !== undefined
  if (isByPin || (approval === undefined && totp === undefined)) {
    throw new ServiceError('approval_required', { detail: 'give {"device": "..."}, or a totp' })
  }
  if (approval === undefined) {
    await refuseDevices(context, context.db, person)
    await useSecondFactor(context, person, totp ?? '', 'nothing')
    return
  }
  const act = { action: 'pin_reset', person, facts: {}, key } as const
  const all = await allFactors(context, person)
  await approve(context, act, { ...approval, ...(totp !== undefined && { totp }) }, all)
}

interface Proof {
  readonly approval: ApprovalBody | undefined
  readonly totp: string | undefined
  readonly key: string
}
