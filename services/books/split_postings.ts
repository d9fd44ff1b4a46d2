/** What a merchant gives to others of what it was paid. Pure. */
import type { AccountId, Currency, NewTransfer } from '../../ledger/index.ts'
import { movement, type Occasion } from './postings.ts'
import { type Drawn, reservesReleased } from './refund_postings.ts'

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

/** Their shares of what is refunded, before the merchant pays: each first with its reserves. */
export const sharesReturned = (
  occasion: Occasion,
  merchant: AccountId,
  currency: Currency,
  shares: readonly (Shared & {
    readonly reserve: AccountId | undefined
    readonly drawn: readonly Drawn[]
  })[],
): NewTransfer[] =>
  shares.flatMap(({ account, reserve, amount, drawn }) => [
    ...reservesReleased({ merchant: account, reserve }, currency, drawn),
    movement(occasion, currency, 'single', ['split_returned', account, merchant, amount]),
  ])
