/** The chart of accounts: which types there are, on which side they grow, how low they may fall. */

export type Side = 'debit' | 'credit'

interface TypeOfAccount {
  /** The side on which it grows: `credit` for what we owe, `debit` for what we own. */
  readonly normalSide: Side
  /** What is available may not fall below this, in minor units. Null: no limit. */
  readonly floor: bigint | null
}

export const CHART = {
  /** What we owe a person. */
  wallet: { normalSide: 'credit', floor: 0n },
  /** What we owe a merchant and have not settled. */
  merchant: { normalSide: 'credit', floor: 0n },
  /** Kept back from a merchant against refunds and disputes. */
  reserve: { normalSide: 'credit', floor: 0n },
  /** Money on its way out through a bank, its outcome not yet known. */
  transit: { normalSide: 'credit', floor: 0n },
  /** Our money at a bank. */
  bank: { normalSide: 'debit', floor: null },
  /** Merchant fees earned. */
  fees: { normalSide: 'credit', floor: null },
  /** Tax collected on fees. */
  tax: { normalSide: 'credit', floor: null },
  /** Money that arrived and has no owner yet. */
  suspense: { normalSide: 'credit', floor: null },
  /** What we wrote off, with a reason. */
  loss: { normalSide: 'debit', floor: null },
} as const satisfies Record<string, TypeOfAccount>

export type AccountType = keyof typeof CHART
