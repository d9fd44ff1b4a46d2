/**
 * The life of a dispute: what is to come of everything that can happen in every state. Pure.
 *
 * Its money waits in suspense from when it is opened. `won`: it is the merchant's again. `lost`: it
 * is the payer's, a chargeback. `reversed`: a chargeback that turned out wrong is taken back.
 */

export const DISPUTE_STATES = [
  ...(['needs_evidence', 'under_review', 'won', 'lost', 'reversed'] as const),
] as const
export type DisputeState = (typeof DISPUTE_STATES)[number]

/** The merchant's: submit, accept; an operator's: win, lose, reverse; the clock's: expire. */
export type DisputeEvent = 'submit' | 'accept' | 'win' | 'lose' | 'reverse' | 'expire'

/** `refused`: nothing comes of it, and whoever asked is told. */
type Next = DisputeState | 'refused'

const ENDED = {
  ...{ submit: 'refused', accept: 'refused', win: 'refused', lose: 'refused' },
  ...{ reverse: 'refused', expire: 'refused' },
} as const satisfies Record<DisputeEvent, Next>

export const NEXT = {
  needs_evidence: {
    ...{ submit: 'under_review', accept: 'lost', win: 'won', lose: 'lost' },
    ...{ reverse: 'refused', expire: 'lost' },
  },
  // Who has answered has kept the deadline, and may say more until then.
  under_review: {
    ...{ submit: 'under_review', accept: 'lost', win: 'won', lose: 'lost' },
    ...{ reverse: 'refused', expire: 'refused' },
  },
  won: ENDED,
  lost: { ...ENDED, reverse: 'reversed' },
  reversed: ENDED,
} as const satisfies Record<DisputeState, Record<DisputeEvent, Next>>

export const nextState = (state: DisputeState, event: DisputeEvent): Next => NEXT[state][event]
