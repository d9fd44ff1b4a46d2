/** Which accounts refunds, reserves and disputes debit and credit. Pure. */
import type { AccountId, Currency, Money, NewTransfer, Uuid } from '../../ledger/index.ts'
import { type Leg, movement, type Occasion } from './postings.ts'

/** What is taken of each of a merchant's reserves, by its id. */
export interface Drawn {
  readonly reserve: Uuid
  readonly amount: bigint
}

const some = (occasion: Occasion, currency: Currency, legs: readonly Leg[]): NewTransfer[] =>
  legs.filter((leg) => leg[3] > 0n).map((leg) => movement(occasion, currency, 'single', leg))

/** A part of what a merchant was paid is kept back; each movement is for its reserve. */
export const reserved = (
  { merchant, reserve }: Readonly<Record<'merchant' | 'reserve', AccountId>>,
  currency: Currency,
  kept: readonly Drawn[],
): NewTransfer[] =>
  kept.map(({ reserve: reference, amount }) =>
    movement({ reference }, currency, 'single', ['reserve', merchant, reserve, amount]),
  )

/** Reserves become the merchant's own again; each movement is for its reserve. */
export const reservesReleased = (
  { merchant, reserve }: { readonly merchant: AccountId; readonly reserve: AccountId | undefined },
  currency: Currency,
  drawn: readonly Drawn[],
): NewTransfer[] =>
  drawn.map(({ reserve: reference, amount }) => {
    if (reserve === undefined) throw new Error(`reserve ${reference} is in no account`)
    const leg: Leg = ['reserve_released', reserve, merchant, amount]
    return movement({ reference }, currency, 'single', leg)
  })

/**
 * A merchant gives money back: first it gets what is returned of fee and tax, then what is taken of
 * its reserves, and then it pays. In this order its account is never lower than at the end.
 */
export function refunded(
  occasion: Occasion,
  accounts: Readonly<Record<'payer' | 'merchant' | 'fees' | 'tax', AccountId>> & {
    readonly reserve: AccountId | undefined
  },
  currency: Currency,
  paid: {
    readonly amount: bigint
    readonly fee: bigint
    readonly tax: bigint
    readonly drawn: readonly Drawn[]
  },
): NewTransfer[] {
  const { payer, merchant, fees, tax } = accounts
  return [
    ...some(occasion, currency, [
      ['fee_returned', fees, merchant, paid.fee],
      ['tax_returned', tax, merchant, paid.tax],
    ]),
    ...reservesReleased(accounts, currency, paid.drawn),
    ...some(occasion, currency, [['refund', merchant, payer, paid.amount]]),
  ]
}

/** A payment is contested: its money leaves the merchant, who pays for that too. */
export function disputed(
  occasion: Occasion,
  accounts: Readonly<Record<'merchant' | 'suspense' | 'fees', AccountId>> & {
    readonly reserve: AccountId | undefined
  },
  currency: Currency,
  paid: { readonly amount: bigint; readonly fee: bigint; readonly drawn: readonly Drawn[] },
): NewTransfer[] {
  const { merchant, suspense, fees } = accounts
  return [
    ...reservesReleased(accounts, currency, paid.drawn),
    ...some(occasion, currency, [
      ['dispute', merchant, suspense, paid.amount],
      ['dispute_fee', merchant, fees, paid.fee],
    ]),
  ]
}

/** The merchant was right. */
export const disputeWon = (
  occasion: Occasion,
  { merchant, suspense }: Readonly<Record<'merchant' | 'suspense', AccountId>>,
  { amount, currency }: Money,
): NewTransfer[] => some(occasion, currency, [['chargeback_reversed', suspense, merchant, amount]])

/** The payer was right. */
export const disputeLost = (
  occasion: Occasion,
  { payer, suspense }: Readonly<Record<'payer' | 'suspense', AccountId>>,
  { amount, currency }: Money,
): NewTransfer[] => some(occasion, currency, [['chargeback', suspense, payer, amount]])

/**
 * The merchant was right after all: what the payer was given is taken back, as far as it is there.
 * A wallet is never overdrawn for it: the rest is our loss.
 * @param available of the payer's wallet.
 */
export function chargebackReversed(
  occasion: Occasion,
  { merchant, payer, loss }: Readonly<Record<'merchant' | 'payer' | 'loss', AccountId>>,
  { amount, currency }: Money,
  available: bigint,
): NewTransfer[] {
  const there = available > 0n ? available : 0n
  const back = there < amount ? there : amount
  return some(occasion, currency, [
    ['chargeback_reversed', payer, merchant, back],
    ['chargeback_reversed', loss, merchant, amount - back],
  ])
}
