/**
 * What to do next about an instruction whose outcome is open. Pure.
 *
 * A bank that does not answer has not refused. So: one reference for ever, few enquiries and far
 * apart, and the same request again only when the bank's cut-off has passed and it still knows
 * nothing, because until then the first one may yet arrive.
 */
import type { Instruction } from './instructions.ts'

export interface Policy {
  /** No enquiry sooner than this after sending: the callback is usually on its way. */
  readonly enquiryFirst_s: number
  readonly enquirySpacing_s: number
  /** Enquiries before the cut-off. */
  readonly enquiriesMax: number
  /** After this the bank no longer accepts a request that was on its way. */
  readonly cutOff_s: number
  /** After this a person decides. */
  readonly manualAfter_s: number
}

export type Step = 'submit' | 'enquire' | 'wait' | 'manual'

export function nextStep(
  instruction: Pick<Instruction, 'state' | 'sentAt' | 'enquiries'>,
  now: Date,
  policy: Policy,
): Step {
  const { state, sentAt, enquiries } = instruction
  if (state === 'created' || sentAt === null) return 'submit'
  const age_s = (now.getTime() - sentAt.getTime()) / 1000
  if (age_s >= policy.manualAfter_s) return 'manual'
  if (age_s < policy.enquiryFirst_s) return 'wait'
  return age_s < policy.cutOff_s && enquiries >= policy.enquiriesMax ? 'wait' : 'enquire'
}

/** Whether a bank that still knows nothing may be sent the same request again. */
export function mayResend(sentAt: Date, now: Date, { cutOff_s }: Policy): boolean {
  return now.getTime() - sentAt.getTime() >= cutOff_s * 1000
}

/** When to look again after `enquiries` enquiries. */
export function lookAgainAt(sentAt: Date, enquiries: number, now: Date, policy: Policy): Date {
  const after_s =
    enquiries === 0
      ? policy.enquiryFirst_s
      : (now.getTime() - sentAt.getTime()) / 1000 + policy.enquirySpacing_s
  const cutOff = enquiries >= policy.enquiriesMax ? policy.cutOff_s : 0
  const soonest = now.getTime() + 1_000
  return new Date(Math.max(soonest, sentAt.getTime() + Math.max(after_s, cutOff) * 1000))
}
