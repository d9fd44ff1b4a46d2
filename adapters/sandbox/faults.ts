/**
 * How the sandbox bank misbehaves unasked: a share of its requests and callbacks goes
 * wrong, drawn from a seed. For tests that want trouble everywhere and must be able to repeat it.
 */
const REQUEST_FAULTS = [
  /** The bank never sees it. */
  'request_lost',
  /** The bank does it, and nobody is told. */
  'reply_lost',
  /** The bank does it, and says that it failed. */
  'error_after',
  /** The bank says that it failed, and so it did. */
  'error_before',
  /** The bank does it, and answers with a page for people. */
  'garbage',
  /** The bank does it when everybody has stopped waiting. */
  'late',
] as const

const CALLBACK_FAULTS = [
  /** Nobody is called back. */
  'callback_lost',
  'callback_twice',
  /** It overtakes others, or is overtaken. */
  'callback_late',
  /** Once with a signature that nobody can check; then as usual. */
  'callback_forged',
] as const

export type RequestFault = (typeof REQUEST_FAULTS)[number]
export type CallbackFault = (typeof CALLBACK_FAULTS)[number]
export type Fault = RequestFault | CallbackFault

export interface FaultOptions {
  /** The share that goes wrong, from 0 to 1. */
  readonly rate: number
  readonly seed: number
}

export interface Faults {
  readonly forRequest: () => RequestFault | undefined
  readonly forCallback: () => CallbackFault | undefined
  /** From then on nothing goes wrong unless an amount asks for it. */
  readonly calm: () => void
  /** How often each has happened. */
  readonly counts: () => Readonly<Record<Fault, number>>
}

export function openFaults({ rate, seed }: FaultOptions = { rate: 0, seed: 0 }): Faults {
  const random = randomOf(seed)
  const counts = Object.fromEntries(
    [...REQUEST_FAULTS, ...CALLBACK_FAULTS].map((fault) => [fault, 0]),
  ) as Record<Fault, number>
  let isCalm = rate === 0
  const draw = <F extends Fault>(all: readonly F[]): F | undefined => {
    if (isCalm || random() >= rate) return undefined
    const fault = all[Math.floor(random() * all.length)]
    if (fault !== undefined) counts[fault] += 1
    return fault
  }
  return {
    forRequest: () => draw(REQUEST_FAULTS),
    forCallback: () => draw(CALLBACK_FAULTS),
    calm: () => (isCalm = true),
    counts: () => ({ ...counts }),
  }
}

/** Numbers between 0 and 1 that depend on nothing but the seed. Source: mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
