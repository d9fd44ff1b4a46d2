/**
 * How the sandbox bank misbehaves, on request: the last two digits of an amount in minor units ask
 * for it. Each row is a fault that real banks have, so that each can be seen and tested.
 */
export const BEHAVIOUR_NAMES = [
  'normal',
  'late',
  'rejected',
  'silent',
  'repeated',
  'dropped',
  'error',
  'garbage',
  'wrong_amount',
  'returned',
] as const

export type BehaviourName = (typeof BEHAVIOUR_NAMES)[number]

export interface Behaviour {
  /** The last two digits that ask for it. */
  readonly digits: bigint | undefined
  readonly sentence: string
  /** What the caller sees once the instruction is in the journal. */
  readonly answer: 'accepted' | 'hang_up' | 'error' | 'garbage'
  /** Whether the first request is dropped before anything is written. */
  readonly dropsFirst: boolean
  /** Added to the bank's usual time before it executes. */
  readonly delay_ms: number
  /** Refuse, and why: a code of ISO 20022, as are all reasons here. */
  readonly refusal: string | undefined
  readonly callbacks: number
  /** What the callback claims beyond what the bank moved, in minor units. */
  readonly callbackError: bigint
  /** After settling, send the money back: when, and why. */
  readonly comesBack: { readonly after_ms: number; readonly reason: string } | undefined
}

const NORMAL: Behaviour = {
  digits: undefined,
  sentence: 'Any other amount: accepted, settled if the money is there, called back once.',
  answer: 'accepted',
  dropsFirst: false,
  delay_ms: 0,
  refusal: undefined,
  callbacks: 1,
  callbackError: 0n,
  comesBack: undefined,
}

export const BEHAVIOURS: Readonly<Record<BehaviourName, Behaviour>> = {
  normal: NORMAL,
  late: {
    ...NORMAL,
    digits: 90n,
    sentence: 'Settles five seconds later than usual.',
    delay_ms: 5000,
  },
  rejected: {
    ...NORMAL,
    digits: 91n,
    sentence: 'Accepted, then rejected with AC04: the account is closed.',
    refusal: 'AC04',
  },
  silent: {
    ...NORMAL,
    digits: 92n,
    sentence: 'Accepted and executed, but the submit is never answered and nobody is called back.',
    answer: 'hang_up',
    callbacks: 0,
  },
  repeated: {
    ...NORMAL,
    digits: 93n,
    sentence: 'Calls back three times with the same event.',
    callbacks: 3,
  },
  dropped: {
    ...NORMAL,
    digits: 94n,
    sentence: 'The first request is cut off before the bank has written anything down.',
    dropsFirst: true,
  },
  error: {
    ...NORMAL,
    digits: 95n,
    sentence: 'Accepted, but answered with 500; called back as usual.',
    answer: 'error',
  },
  garbage: {
    ...NORMAL,
    digits: 96n,
    sentence: 'Accepted, but answered with a page of HTML and 200; called back as usual.',
    answer: 'garbage',
  },
  wrong_amount: {
    ...NORMAL,
    digits: 97n,
    sentence: 'Moves the whole amount, but calls back with one minor unit less.',
    callbackError: -1n,
  },
  returned: {
    ...NORMAL,
    digits: 98n,
    sentence: 'Settles, and returns the money one second later with AC06: the account is blocked.',
    comesBack: { after_ms: 1000, reason: 'AC06' },
  },
}

/** Amounts below this are always normal, so that a few cents never surprise anybody. */
const MAGIC_AMOUNT_MIN = 100n

const BY_DIGITS = new Map(Object.values(BEHAVIOURS).map((one) => [one.digits, one]))

/** @param amount in minor units. */
export function behaviourOf(amount: bigint): Behaviour {
  if (amount < MAGIC_AMOUNT_MIN) return BEHAVIOURS.normal
  return BY_DIGITS.get(amount % 100n) ?? BEHAVIOURS.normal
}
