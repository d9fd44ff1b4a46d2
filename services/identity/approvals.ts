/**
 * Whether a person agrees to exactly this, and the proof of what they agreed to.
 */
import { z } from 'zod'
import type { CompanionRow } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Act, digestOf } from './acts.ts'
import { checkPin } from './pin_attempts.ts'

export const Pin = z
  .string()
  .regex(/^\d{4,6}$/)
  .describe('Six digits, unless it was agreed otherwise')

export const ApprovalBody = z.strictObject({ pin: Pin }).describe('How the person agrees')
export type ApprovalBody = z.infer<typeof ApprovalBody>

/** What must be shown before the act is done. */
export interface Demand {
  /** Whether the person must agree at all; else a token is enough. */
  readonly approval: boolean
  /** Whether a second factor is needed beside it. */
  readonly stepUp: boolean
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
  if (given === undefined) {
    if (!demand.approval) return { ...agreed, factor: 'none' }
    throw new ServiceError('approval_required', { detail: 'approval: give {"pin": "..."}' })
  }
  await checkPin(context, act.person, given.pin)
  return { ...agreed, factor: 'pin' }
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
