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

export type Known = Pick<Instruction, 'state' | 'sentAt' | 'enquiries' | 'submissions'>

/**
 * How often it was asked counts as well as how long ago it was sent: with a clock that is wrong by
 * a day nothing is given up, or sent again, that the bank was not asked about first.
 */
export function nextStep(instruction: Known, now: Date, policy: Policy): Step {
  const { state, sentAt, enquiries } = instruction
  if (state === 'created' || sentAt === null) return 'submit'
  const age_s = (now.getTime() - sentAt.getTime()) / 1000
  const wasAsked = !policy.canBeAsked || enquiries > policy.enquiriesMax
  if (age_s >= policy.manualAfter_s && wasAsked) return 'manual'
  if (!policy.canBeAsked || age_s < policy.enquiryFirst_s) return 'wait'
  return age_s < lastAsk_s(policy) && enquiries >= policy.enquiriesMax ? 'wait' : 'enquire'
}

/** When it is asked once more after all the enquiries that it may have at first. */
const lastAsk_s = ({ cutOff_s, manualAfter_s }: Policy) => Math.min(cutOff_s, manualAfter_s)

/** Whether a bank that still knows nothing may be sent the same request again. */
export function mayResend(sentAt: Date, now: Date, { cutOff_s }: Policy): boolean {
  return now.getTime() - sentAt.getTime() >= cutOff_s * 1000
}

export const SOONEST_MS = 1_000

/** When to look again after `enquiries` enquiries. */
export function lookAgainAt(sentAt: Date, enquiries: number, now: Date, policy: Policy): Date {
  const [sent_ms, now_ms] = [sentAt.getTime(), now.getTime()]
  if (!policy.canBeAsked) return latest(now_ms + SOONEST_MS, sent_ms + policy.manualAfter_s * 1000)
  const spacing_s = enquiries === 0 ? policy.enquiryFirst_s : policy.enquirySpacing_s
  const since_ms = enquiries === 0 ? sent_ms : now_ms
  const last_s = enquiries >= policy.enquiriesMax ? lastAsk_s(policy) : 0
  return latest(now_ms + SOONEST_MS, since_ms + spacing_s * 1000, sent_ms + last_s * 1000)
}

const latest = (...moments_ms: readonly number[]) => new Date(Math.max(...moments_ms))

/** Full jitter: anywhere between nothing and this after so many failures in a row. */
export function backoffMax_ms(failures: number): number {
  return Math.min(BACKOFF_MS * 2 ** failures, BACKOFF_MAX_MS)
}

const BACKOFF_MS = 1_000
const BACKOFF_MAX_MS = 300_000
