/** What the ledger is asked to do, and the rows that it becomes. Types alone. */
import type { TransferKind } from './balances.ts'
import type { AccountId, TransferId, UnitId, Uuid } from './ids.ts'
import type { Money } from './money.ts'
import type { Use } from './quotas.ts'

interface Common {
  /** Why, in one word of the business: payment, fee, top_up. Opaque to the ledger. */
  readonly code: string
  /** What it is for: a payment's or an instruction's id. Opaque to the ledger. */
  readonly reference: Uuid
  /** When it happened in the world; left out, when it is recorded. Never in the future. */
  readonly effectiveAt?: Date | undefined
}

/** `single` moves money now; `pending` reserves it. */
export interface Movement extends Common {
  readonly kind: 'single' | 'pending'
  readonly debit: AccountId
  readonly credit: AccountId
  readonly money: Money
  /** Until when a pending transfer may be posted; left out, for ever. */
  readonly expiresAt?: Date | undefined
}

/**
 * A hold is a unit with pending transfers, its legs, and is resolved as a whole: `post` completes
 * it, in part or in full, each leg in proportion to what is left of it; `void` releases the rest.
 */
export interface Resolution extends Common {
  readonly kind: 'post' | 'void'
  readonly hold: UnitId
  /** How much of all legs together to post, in minor units; left out, all that is left. */
  readonly amount?: bigint | undefined
  /** Whether a post releases what it leaves. */
  readonly isFinal?: boolean | undefined
}

/** Moves back all that a unit moved, in the opposite order. A unit is reversed once. */
export interface Reversal extends Common {
  readonly kind: 'reversal'
  readonly original: UnitId
}

export type NewTransfer = Movement | Resolution | Reversal

/** What must be so for the unit to be accepted, asked under the same lock as the write. */
export interface Condition {
  readonly account: AccountId
  /** Minor units. */
  readonly availableAtLeast?: bigint | undefined
  /** The number of the account's newest entry: nothing has happened to it since. */
  readonly lastEntry?: bigint | undefined
}

/**
 * Transfers that happen together or not at all. Row n gets the id `transferIdAt(id, n)`; there are
 * as many rows as transfers, except that a resolution or a reversal makes one for each leg.
 */
export interface NewUnit {
  readonly id: UnitId
  /** The time at which it is decided, by the clock of who asks. */
  readonly at: Date
  readonly transfers: readonly NewTransfer[]
  readonly conditions?: readonly Condition[] | undefined
  /** What it uses up of what somebody may do; each quota once. */
  readonly uses?: readonly Use[] | undefined
  /** SHA-256 of what authorised it: written on the first of its rows, and sealed with it. */
  readonly evidence?: Buffer | undefined
}

/** A row of `transfers`. */
export interface Transfer {
  readonly id: TransferId
  readonly kind: TransferKind
  readonly debit: AccountId
  readonly credit: AccountId
  readonly money: Money
  /** What a post or void resolves, and its number among the resolutions of that. */
  readonly pendingId: TransferId | null
  readonly resolution: bigint | null
  /** What a reversal mirrors. */
  readonly reversesId: TransferId | null
  readonly code: string
  readonly reference: Uuid
  readonly effectiveAt: Date | null
  readonly bookedAt: Date | null
  readonly expiresAt: Date | null
  /** Of the unit; on its first row alone. */
  readonly evidence: Buffer | null
  readonly debitEntry: bigint
  readonly creditEntry: bigint
  readonly debitBalance: bigint
  readonly creditBalance: bigint
}
