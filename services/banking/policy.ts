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
  /** After this a person decides, once the bank was asked a last time. */
  readonly manualAfter_s: number
  /** Whether the bank can be asked at all. */
  readonly canBeAsked: boolean
}

export type Step = 'submit' | 'enquire' | 'wait' | 'manual'

export type Known = Pick<
  Instruction,
  'state' | 'sentAt' | 'lastSentAt' | 'enquiries' | 'submissions'
>

const age_ms = (since: Date, now: Date) => now.getTime() - since.getTime()

/**
 * How often the bank was asked counts as well as how long ago it was told: with a clock that is
 * wrong by a day nothing is given up, or sent again, that the bank was not asked about first.
 */
export function nextStep(instruction: Known, now: Date, policy: Policy): Step {
  const { state, sentAt, enquiries, submissions } = instruction
  if (state === 'created' || sentAt === null) return 'submit'
  const lastSentAt = instruction.lastSentAt ?? sentAt
  const isOld = age_ms(sentAt, now) >= policy.manualAfter_s * 1000
  const enough = submissions > 1 ? 0 : policy.enquiriesMax
  if (isOld && (enquiries > enough || !policy.canBeAsked)) return 'manual'
  const since_ms = age_ms(lastSentAt, now)
  if (!policy.canBeAsked || since_ms < policy.enquiryFirst_s * 1000) return 'wait'
  if (isOld || enquiries < policy.enquiriesMax) return 'enquire'
  return since_ms < policy.cutOff_s * 1000 ? 'wait' : 'enquire'
}

/**
 * Whether a bank that has just said that it knows nothing may be sent the same request again. The
 * cut-off counts from when it was last sent: a copy that was sent again may be on its way too.
 */
export function mayResend(
  { lastSentAt, enquiries }: Pick<Known, 'lastSentAt' | 'enquiries'>,
  now: Date,
  { cutOff_s, enquiriesMax }: Policy,
): boolean {
  const isPast = lastSentAt !== null && age_ms(lastSentAt, now) >= cutOff_s * 1000
  return isPast && enquiries > enquiriesMax
}

export const SOONEST_MS = 1_000

/** When to look again at what was sent. */
export function lookAgainAt(instruction: Known, now: Date, policy: Policy): Date {
  const { enquiries } = instruction
  const first_ms = (instruction.sentAt ?? now).getTime()
  const last_ms = instruction.lastSentAt?.getTime() ?? first_ms
  const tooOld_ms = first_ms + policy.manualAfter_s * 1000
  if (!policy.canBeAsked) return latest(now.getTime() + SOONEST_MS, tooOld_ms)
  const spaced_ms =
    enquiries === 0
      ? last_ms + policy.enquiryFirst_s * 1000
      : now.getTime() + policy.enquirySpacing_s * 1000
  const quietUntil_ms =
    enquiries < policy.enquiriesMax ? 0 : Math.min(last_ms + policy.cutOff_s * 1000, tooOld_ms)
  return latest(now.getTime() + SOONEST_MS, spaced_ms, quietUntil_ms)
}

const latest = (...moments_ms: readonly number[]) => new Date(Math.max(...moments_ms))

/** Full jitter: anywhere between nothing and this after so many failures in a row. */
export function backoffMax_ms(failures: number): number {
  return Math.min(BACKOFF_MS * 2 ** failures, BACKOFF_MAX_MS)
}

const BACKOFF_MS = 1_000
const BACKOFF_MAX_MS = 300_000
