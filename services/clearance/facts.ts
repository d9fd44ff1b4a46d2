/** What is known of money that is about to move, before anybody has agreed to anything. */
import type { Money, Uuid } from '../../ledger/index.ts'
import type { Standing } from '../credentials/standing.ts'

/**
 * The ways money moves. `wallet`: person to person; `order`: to a merchant; `bank`: either, out of
 * a linked bank account; the rest is a person's own money.
 */
export type Rail = 'wallet' | 'order' | 'bank' | 'top_up' | 'withdrawal' | 'exchange'

export interface Facts {
  readonly rail: Rail
  readonly payer: { readonly id: Uuid; readonly standing: Standing }
  /** Null where a person moves money of their own. */
  readonly payee: { readonly kind: 'person' | 'merchant'; readonly id: Uuid } | null
  readonly money: Money
  readonly at: Date
}
