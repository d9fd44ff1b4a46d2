/**
 * The life of an instruction: every state, everything that can happen in it, and what comes of it.
 * One table, and nothing else decides about states. Pure.
 *
 * A bank that does not answer has not refused, so nothing that happens between us and a bank ends
 * an instruction: only the bank's own word does, or a person who has seen it.
 */
import type { BankReport } from '../../adapters/adapter.ts'

export type State = 'created' | 'sent' | 'unknown' | 'manual' | 'settled' | 'rejected' | 'returned'

/** `manual` waits for a person; what the bank says still counts. */
const OPEN: readonly State[] = ['created', 'sent', 'unknown', 'manual']

/** Whether the outcome is open: no money has moved but into the hold or to transit. */
export const isOpen = (state: State): boolean => OPEN.includes(state)

/** Those that a worker takes further. */
export const WORKED_ON = ['created', 'sent', 'unknown'] as const satisfies readonly State[]

/** What happens between us and the bank, or to us. */
export type Happening =
  /** It is about to be handed over, for the first time or again: written down before the call. */
  | 'sending'
  /** The bank has it. */
  | 'accepted'
  /** Nothing can have reached the bank, and nothing did before. */
  | 'never_sent'
  /** Nothing usable came back. */
  | 'unclear'
  /** The bank does not know it; its first copy may still be on its way. */
  | 'not_found'
  /** Nobody has known for too long. */
  | 'too_old'
  /** Whoever works on it dies. */
  | 'quarantined'
  /** A person wants it taken up again. */
  | 'reopened'
  /** The payer took it back before any bank heard of it. */
  | 'canceled'
  /** Its account turned out not to be whose we took it for. */
  | 'refused'
  /** The bank's word is about another amount than ours. */
  | 'contradicted'

export type Event = Happening | BankReport['outcome']

/**
 * `duplicate`: told already. `contradiction`: it cannot be true beside what was applied, and nobody
 * but a person may decide. `late`: what came is older than what is known; nothing changes.
 */
export type Next = State | 'duplicate' | 'contradiction' | 'late'

/** What the bank says while the outcome is open. */
const WORD = { settled: 'settled', rejected: 'rejected', returned: 'returned' } as const

/** What happens on the way to a bank that has spoken already. */
const AFTER_THE_WORD = {
  ...{ sending: 'late', accepted: 'late', never_sent: 'late', unclear: 'late', not_found: 'late' },
  ...{ too_old: 'late', quarantined: 'late', reopened: 'late', canceled: 'late', refused: 'late' },
  contradicted: 'contradiction',
} as const satisfies Record<Happening, Next>

/**
 * What comes of each event in each state. A return tells of a settlement too: whoever hears of the
 * return first finds nothing new in the settlement.
 */
export const NEXT = {
  created: {
    ...{ sending: 'sent', accepted: 'late', never_sent: 'created', unclear: 'late' },
    ...{ not_found: 'late', too_old: 'manual', quarantined: 'manual', reopened: 'created' },
    ...{ canceled: 'rejected', refused: 'rejected', contradicted: 'manual', ...WORD },
  },
  sent: {
    ...{ sending: 'sent', accepted: 'sent', never_sent: 'created', unclear: 'unknown' },
    ...{ not_found: 'unknown', too_old: 'manual', quarantined: 'manual', reopened: 'sent' },
    ...{ canceled: 'late', refused: 'late', contradicted: 'manual', ...WORD },
  },
  unknown: {
    ...{ sending: 'sent', accepted: 'unknown', never_sent: 'unknown', unclear: 'unknown' },
    ...{ not_found: 'unknown', too_old: 'manual', quarantined: 'manual', reopened: 'unknown' },
    ...{ canceled: 'late', refused: 'manual', contradicted: 'manual', ...WORD },
  },
  manual: {
    ...{ sending: 'late', accepted: 'manual', never_sent: 'manual', unclear: 'manual' },
    ...{ not_found: 'manual', too_old: 'manual', quarantined: 'manual', reopened: 'unknown' },
    ...{ canceled: 'late', refused: 'late', contradicted: 'manual', ...WORD },
  },
  settled: {
    ...AFTER_THE_WORD,
    ...{ settled: 'duplicate', rejected: 'contradiction', returned: 'returned' },
  },
  rejected: {
    ...AFTER_THE_WORD,
    ...{ settled: 'contradiction', rejected: 'duplicate', returned: 'contradiction' },
  },
  returned: {
    ...AFTER_THE_WORD,
    ...{ settled: 'duplicate', rejected: 'contradiction', returned: 'duplicate' },
  },
} as const satisfies Record<State, Record<Event, Next>>

export const next = (state: State, event: Event): Next => NEXT[state][event]
