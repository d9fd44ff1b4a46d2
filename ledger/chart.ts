/**
 * The chart of accounts: which types there are, on which side they grow, how low they may fall, and
 * which may be debited to which.
 */

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
  /** Our position in a currency: what exchanges took in, less what they gave out. */
  fx: { normalSide: 'credit', floor: null },
  /** What rounding an exchange to whole minor units left over. */
  rounding: { normalSide: 'credit', floor: null },
} as const satisfies Record<string, TypeOfAccount>

export type AccountType = keyof typeof CHART

export const ACCOUNT_TYPES = Object.keys(CHART) as AccountType[]

/**
 * Which types an account of each type may be debited to; a reversal goes the other way. The same
 * table stands in Postgres (`allowed_postings`), which refuses whatever is not in it.
 */
export const POSTINGS: Readonly<Record<AccountType, readonly AccountType[]>> = {
  wallet: ['wallet', 'merchant', 'transit', 'bank', 'fees', 'tax', 'fx', 'suspense', 'loss'],
  merchant: [
    'wallet',
    'merchant',
    'reserve',
    'transit',
    'bank',
    'fees',
    'tax',
    'fx',
    'suspense',
    'loss',
  ],
  reserve: ['wallet', 'merchant', 'transit', 'bank', 'suspense', 'loss'],
  transit: ['bank', 'wallet', 'merchant', 'reserve', 'fees', 'tax', 'suspense'],
  bank: ['wallet', 'merchant', 'reserve', 'fees', 'bank', 'fx', 'suspense', 'loss'],
  fees: ['merchant', 'wallet', 'transit', 'bank', 'fx', 'loss'],
  tax: ['merchant', 'wallet', 'transit', 'bank'],
  suspense: ['wallet', 'merchant', 'bank', 'transit', 'loss'],
  loss: ['wallet', 'merchant', 'reserve', 'bank', 'suspense', 'fees', 'fx', 'rounding'],
  fx: ['wallet', 'merchant', 'fees', 'rounding', 'bank', 'loss'],
  rounding: ['fx', 'loss'],
}
