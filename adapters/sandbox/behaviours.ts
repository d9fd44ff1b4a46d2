/**
 * How the sandbox bank misbehaves, on request: the last two digits of an amount in minor units ask
 * for it. Each row is a fault that real banks have, so that each can be seen and tested.
 */
export const BEHAVIOUR_NAMES = [
  'normal',
  'at_once',
  'burst',
  'bad_signature',
  'reordered',
  'found_late',
  'duplicate',
  'days_later',
  'recall_refused',
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
  readonly answer: 'accepted' | 'final' | 'hang_up' | 'error' | 'garbage' | 'duplicate'
  /** How many requests are dropped before anything is written, and how the caller sees that. */
  readonly drops: number
  readonly dropsBy: 'hang_up' | 'unavailable'
  /** Enquiries do not find it until it is executed. */
  readonly isHidden: boolean
  /** Added to the bank's usual time before it executes. */
  readonly delay_ms: number
  /** Refuse, and why: a code of ISO 20022, as are all reasons here. */
  readonly refusal: string | undefined
  readonly callbacks: number
  /** The first callback of each event carries a signature that nobody can check. */
  readonly isForgedFirst: boolean
  /** What happened later is told first. */
  readonly isReordered: boolean
  /** What the callback claims beyond what the bank moved, in minor units. */
  readonly callbackError: bigint
  /** After settling, send the money back: when, and why. */
  readonly comesBack: { readonly after_ms: number; readonly reason: string } | undefined
  /** Why a recall is refused; where undefined, the money comes back if the account still has it. */
  readonly recallRefusal: string | undefined
}

const NORMAL: Behaviour = {
  digits: undefined,
  sentence: 'Any other amount: accepted, settled if the money is there, called back once.',
  answer: 'accepted',
  drops: 0,
  dropsBy: 'hang_up',
  isHidden: false,
  delay_ms: 0,
  refusal: undefined,
  callbacks: 1,
  isForgedFirst: false,
  isReordered: false,
  callbackError: 0n,
  comesBack: undefined,
  recallRefusal: undefined,
}

const DAY_MS = 86_400_000

export const BEHAVIOURS: Readonly<Record<BehaviourName, Behaviour>> = {
  normal: NORMAL,
  at_once: {
    ...NORMAL,
    digits: 80n,
    sentence: 'Settled before the request is answered, and the answer says so; called back too.',
    answer: 'final',
  },
  burst: {
    ...NORMAL,
    digits: 81n,
    sentence: 'The first two requests are answered with 503, and nothing is written down.',
    drops: 2,
    dropsBy: 'unavailable',
  },
  bad_signature: {
    ...NORMAL,
    digits: 82n,
    sentence: 'Calls back with a signature that nobody can check, then with the right one.',
    isForgedFirst: true,
  },
  reordered: {
    ...NORMAL,
    digits: 83n,
    sentence: 'Settles and returns the money (AC06) at once, and tells of the return first.',
    comesBack: { after_ms: 0, reason: 'AC06' },
    isReordered: true,
  },
  found_late: {
    ...NORMAL,
    digits: 84n,
    sentence: 'Cuts the request off, is not found when asked about, and settles two seconds later.',
    answer: 'hang_up',
    isHidden: true,
    delay_ms: 2000,
  },
  duplicate: {
    ...NORMAL,
    digits: 85n,
    sentence: 'Accepted, but answered with 409, as if the reference had been used before.',
    answer: 'duplicate',
  },
  days_later: {
    ...NORMAL,
    digits: 86n,
    sentence: 'Settles, and returns the money three days later with AC06: see the clock.',
    comesBack: { after_ms: 3 * DAY_MS, reason: 'AC06' },
  },
  recall_refused: {
    ...NORMAL,
    digits: 87n,
    sentence: 'Settles; when it is recalled the money is kept, with CUST.',
    recallRefusal: 'CUST',
  },
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
    drops: 1,
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

/** What the bank says of an account that only exists to be refused, or to be asked about. */
export interface MagicAccount {
  /** What the number ends in. */
  readonly suffix: string
  readonly sentence: string
  readonly refusal: string | undefined
  readonly nameCheck: 'match' | 'close_match' | 'no_match' | 'not_possible'
}

const refusing = (suffix: string, why: string): MagicAccount => ({
  ...{ suffix, sentence: `Rejects with ${suffix}: ${why}.`, refusal: suffix, nameCheck: 'match' },
})

const named = (suffix: string, nameCheck: MagicAccount['nameCheck'], sentence: string) => ({
  ...{ suffix, sentence, refusal: undefined, nameCheck },
})

/** Any number that ends in a hyphen and one of these, such as `TEST-AC06`. */
export const MAGIC_ACCOUNTS: readonly MagicAccount[] = [
  refusing('AC01', 'the account number is wrong'),
  refusing('AC04', 'the account is closed'),
  refusing('AC06', 'the account is blocked'),
  refusing('AG01', 'this kind of payment is forbidden on the account'),
  refusing('AM02', 'the amount is not allowed'),
  refusing('AM04', 'there is not enough money'),
  refusing('BE04', 'the address of the creditor is missing'),
  refusing('MD01', 'there is no mandate'),
  refusing('MS03', 'no reason is given'),
  refusing('RR04', 'for a regulatory reason'),
  named('CLOSE', 'close_match', 'Whatever the name, it nearly matches.'),
  named('OTHER', 'no_match', 'Whatever the name, it is another.'),
  named('UNKNOWN', 'not_possible', 'The bank cannot check the name.'),
]

const BY_SUFFIX = new Map(MAGIC_ACCOUNTS.map((one) => [one.suffix, one]))

export const magicAccountOf = (number: string): MagicAccount | undefined =>
  BY_SUFFIX.get(/-([A-Z0-9]+)$/.exec(number)?.[1] ?? '')
