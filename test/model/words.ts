/** The words in which the model is spoken to, and in which it answers. Times are milliseconds. */

export interface ModelAccount {
  readonly type: string
  readonly currency: string
  readonly floor: bigint | null
}

export interface Said {
  readonly code: string
  readonly reference: string
  readonly effectiveAt: number | null
}

export type ModelTransfer = Said &
  (
    | {
        readonly kind: 'single' | 'pending'
        readonly debit: string
        readonly credit: string
        readonly amount: bigint
        readonly currency: string
        readonly expiresAt: number | null
      }
    | {
        readonly kind: 'post' | 'void'
        readonly hold: string
        readonly amount: bigint | null
        readonly isFinal: boolean
      }
    | { readonly kind: 'reversal'; readonly original: string }
  )

export interface ModelUnit {
  readonly id: string
  readonly at: number
  /** In hex; on the unit's first row, and on no other. */
  readonly evidence: string | null
  readonly transfers: readonly ModelTransfer[]
  readonly conditions: readonly {
    readonly account: string
    readonly availableAtLeast: bigint | null
    readonly lastEntry: bigint | null
  }[]
}

/** What somebody orders about an account; the last word of a kind is the one that counts. */
export type ModelOrder =
  | { readonly kind: 'freeze'; readonly debits: boolean; readonly credits: boolean }
  | { readonly kind: 'close' }
  | { readonly kind: 'close_period'; readonly through: number }

export interface Movement {
  readonly kind: 'single' | 'pending' | 'post' | 'void' | 'reversal'
  readonly debit: string
  readonly credit: string
  readonly amount: bigint
  readonly currency: string
  readonly pendingId: string | null
  readonly reversesId: string | null
  readonly expiresAt: number | null
}

/** What was accepted, as it must stand in the books. */
export interface ModelRow extends Movement, Said {
  readonly id: string
  readonly unit: string
  readonly resolution: bigint | null
  readonly bookedAt: number | null
  readonly evidence: string | null
  readonly debitEntry: bigint
  readonly creditEntry: bigint
  readonly debitBalance: bigint
  readonly creditBalance: bigint
}
