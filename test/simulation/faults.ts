/** What may go wrong. Each seed has some of it, so that rare things meet often. */

/** By their chance where a seed has them. */
const FAULTS = {
  /** No connection: certainly not sent. */
  refused: 0.15,
  /** Sent, and never arrives. */
  requestLost: 0.15,
  /** Arrives hours later. */
  late: 0.15,
  replyLost: 0.15,
  /** Comes when the lease of whoever asked is long over. */
  replyLate: 0.1,
  garbage: 0.1,
  rejected: 0.2,
  /** By days. */
  returned: 0.15,
  /** What is accepted and not yet done is `not_found` to whoever asks. */
  hidden: 0.5,
  /** What is known already is answered with 409. */
  duplicateReference: 1,
  /** The bank knows no reference again: it pays what it is sent. */
  forgetful: 1,
  callbackLost: 0.3,
  callbackTwice: 0.3,
  callbackLate: 0.3,
  wrongAmount: 0.05,
  forged: 0.2,
  ringLost: 0.3,
  ringTwice: 0.2,
  ringLate: 0.2,
  /** The chat app: not reached, failing, slow, or heard with nothing coming back. */
  ...{ hookLost: 0.2, hookFails: 0.2, hookSlow: 0.2, hookUnanswered: 0.2 },
  /** The process dies at some step of a task. */
  death: 0.12,
  /** The machine stops it between two steps: for seconds, or for hours. */
  stop: 0.05,
  /** Breakers leave the bank alone. */
  leftAlone: 0.1,
} as const

export type Fault = keyof typeof FAULTS

export interface Swarm {
  readonly kinds: readonly Fault[]
  /** Whether it happens now. */
  readonly hits: (fault: Fault) => boolean
  /** From now on nothing goes wrong. */
  readonly end: () => void
}

export function openSwarm(random: () => number): Swarm {
  const all = Object.keys(FAULTS) as Fault[]
  const kinds = all.filter(() => random() < 0.5)
  let isOver = false
  return {
    kinds,
    hits: (fault) => !isOver && kinds.includes(fault) && random() < FAULTS[fault],
    end: () => (isOver = true),
  }
}
