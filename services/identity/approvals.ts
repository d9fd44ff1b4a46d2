/**
 * Whether a person agrees to exactly this, and the proof of what they agreed to.
 */
import { z } from 'zod'
import type { CompanionRow, Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Act, digestOf } from './acts.ts'
import { hasTotp, useSecondFactor } from '../totp/check.ts'
import { SecondFactor } from '../totp/secrets.ts'
import { checkPin } from './pins.ts'

export const Pin = z
  .string()
  .regex(/^\d{6}$/)
  .describe('Six digits')

export const ApprovalBody = z
  .strictObject({ pin: Pin, totp: SecondFactor.optional() })
  .describe('How the person agrees')
export type ApprovalBody = z.infer<typeof ApprovalBody>

/** What `approve` may refuse with. */
export const APPROVAL_REFUSALS = [
  ...(['approval_refused', 'approval_required', 'pin_not_set', 'pin_locked'] as const),
  ...(['saturated', 'step_up_required', 'totp_locked', 'totp_not_set'] as const),
] as const

/** What must be shown before the act is done. */
export interface Demand {
  /** Whether the person must agree at all; else a token is enough. */
  readonly approval: boolean
  /** Whether a second factor is needed beside it. */
  readonly stepUp: boolean
  /** Why, as the person is told. */
  readonly reasons?: readonly string[]
}

export interface Approval {
  readonly factor: 'pin' | 'pin_jwe' | 'device' | 'none'
  /** SHA-256 over what was approved. */
  readonly digest: Buffer
  /** Which key showed it: a device's id, a pepper's. */
  readonly key: string | null
  /** When the person agreed, by who says so: the phone's clock, or ours for a PIN. */
  readonly at: Date
  /** What the device signed, for who must be convinced later. */
  readonly proof: string | null
  readonly stepUp: 'totp' | 'recovery_code' | null
  /** Of the request: part of what was approved. */
  readonly idempotencyKey: string
}

/**
 * Checks the approval and binds it to what it approves.
 * @throws {ServiceError} `approval_required` and `step_up_required` for what is missing, and
 *   whatever checking what is given throws. None of these is stored: the same key may come again.
 */
export async function approve(
  context: Context,
  act: Act,
  given: ApprovalBody | undefined,
  demand: Demand,
): Promise<Approval> {
  const agreed = {
    ...{ digest: digestOf(act), at: context.now(), idempotencyKey: act.key },
    ...{ key: null, proof: null, stepUp: null },
  }
  if (demand.stepUp && given?.totp === undefined) {
    throw await stepUpRequired(context, act.person, given, demand)
  }
  if (given === undefined) {
    if (!demand.approval) return { ...agreed, factor: 'none' }
    throw new ServiceError('approval_required', { detail: 'approval: give {"pin": "..."}' })
  }
  await checkPin(context, act.person, given.pin)
  return { ...agreed, factor: 'pin', stepUp: await secondFactorOf(context, act, given) }
}

/** After the first factor: nobody without it can use up a code. What is given is checked. */
const secondFactorOf = async (context: Context, { person }: Act, { totp }: ApprovalBody) =>
  totp === undefined ? null : useSecondFactor(context, person, totp)

async function stepUpRequired(
  context: Context,
  person: Uuid,
  given: ApprovalBody | undefined,
  { reasons }: Demand,
): Promise<ServiceError> {
  const enrol = !(await hasTotp(context, person))
  const missing = given === undefined ? ['approval', 'totp'] : ['totp']
  const detail = enrol ? 'approval.totp: enrol an authenticator first' : 'approval.totp is missing'
  return new ServiceError('step_up_required', {
    ...{ detail, more: { missing, enrol, ...(reasons && { reasons }) } },
  })
}

/** What is kept of it beside what it approved. */
export const approvalColumns = (approval: Approval): CompanionRow => ({
  approval: approval.factor,
  approval_digest: `\\x${approval.digest.toString('hex')}`,
  approval_key: approval.key,
  approved_at: approval.at,
  approval_proof: approval.proof,
  step_up: approval.stepUp,
  idempotency_key: approval.idempotencyKey,
})
