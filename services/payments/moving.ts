/** How the money of a payment moves once the payer's wallet has it. */
import type { Money, NewTransfer, Uuid } from '../../ledger/index.ts'
import { feeAccounts, merchantAccountOf, reviewAccount, walletOf } from '../books/chart.ts'
import { heldForPayee, type Occasion, paidToMerchant, paidToPerson } from '../books/postings.ts'
import { shared } from '../books/split_postings.ts'
import type { Context } from '../context.ts'
import type { Split } from '../fees/splits.ts'
import { intoAccounts } from './shares.ts'

interface Paying {
  readonly kind: 'person' | 'order'
  readonly payer: Uuid
  readonly payee: Uuid
  readonly money: Money
  readonly fee: bigint
  readonly tax: bigint
  /** What of it goes on to other merchants. */
  readonly splits: readonly Split[]
  /** Only held, and until then; null where it is paid at once. */
  readonly heldUntil: Date | null
  /** Held by us meanwhile: no account of the payee may tell them that somebody wants to pay. */
  readonly isReviewed?: boolean
}

/** The transfers by which the payee is paid out of the payer's wallet. */
export async function transfersOf(
  context: Context,
  occasion: Occasion,
  { kind, payer, payee, money, fee, tax, splits, heldUntil, isReviewed = false }: Paying,
): Promise<NewTransfer[]> {
  const { currency } = money
  const wallet = await walletOf(context, payer, currency)
  if (isReviewed && heldUntil !== null) {
    const between = { payer: wallet, payee: await reviewAccount(context, currency) }
    return heldForPayee(occasion, between, money, heldUntil)
  }
  const payeeOf = kind === 'person' ? walletOf : merchantAccountOf
  const between = { payer: wallet, payee: await payeeOf(context, payee, currency) }
  if (heldUntil !== null) return heldForPayee(occasion, between, money, heldUntil)
  if (kind === 'person') return paidToPerson(occasion, between, money)
  const accounts = {
    ...between,
    merchant: between.payee,
    ...(await feeAccounts(context, currency)),
  }
  const shares = await intoAccounts(context, splits, currency)
  return [
    ...paidToMerchant(occasion, accounts, money, { fee, tax }),
    ...shared(occasion, accounts.merchant, currency, shares),
  ]
}
