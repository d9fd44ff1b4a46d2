/** What a merchant gives to others of what it was paid. Pure. */
import type { AccountId, Currency, NewTransfer } from '../../ledger/index.ts'
import type { Occasion } from './postings.ts'

interface Shared {
  readonly account: AccountId
  readonly amount: bigint
}

/** In the unit of the payment, after the fee. */
export const shared = (
  occasion: Occasion,
  merchant: AccountId,
  currency: Currency,
  shares: readonly Shared[],
): NewTransfer[] =>
  shares.map(({ account: credit, amount }) => ({
    ...{ kind: 'single', code: 'split', debit: merchant, credit },
    ...{ money: { amount, currency }, ...occasion },
  }))
