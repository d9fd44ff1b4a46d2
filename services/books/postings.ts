/** Which accounts each business event debits and credits. Pure; the whole of our bookkeeping. */
import type { BankReport, Direction } from '../../adapters/adapter.ts'
import type { AccountId, Money, NewTransfer, UnitId, Uuid } from '../../ledger/index.ts'

/** Why and when, the same for all legs of one event. */
export interface Occasion {
  /** The payment, settlement or instruction the money moves for. */
  readonly reference: Uuid
  /** When it happened at the bank; left out, when it is recorded. */
  readonly effectiveAt?: Date
}

export type Leg = readonly [code: string, debit: AccountId, credit: AccountId, amount: bigint]

export const movement = (
  occasion: Occasion,
  currency: string,
  kind: 'single' | 'pending',
  [code, debit, credit, amount]: Leg,
): NewTransfer => ({
  kind,
  code,
  debit,
  credit,
  money: { amount, currency },
  reference: occasion.reference,
  effectiveAt: occasion.effectiveAt,
})

/** A person pays a person. */
export function paidToPerson(
  occasion: Occasion,
  accounts: { readonly payer: AccountId; readonly payee: AccountId },
  { amount, currency }: Money,
): NewTransfer[] {
  const leg: Leg = ['payment', accounts.payer, accounts.payee, amount]
  return [movement(occasion, currency, 'single', leg)]
}

/** A person pays a merchant: gross to the merchant, who pays fee and tax out of it. */
export function paidToMerchant(
  occasion: Occasion,
  accounts: Readonly<Record<'payer' | 'merchant' | 'fees' | 'tax', AccountId>>,
  { amount, currency }: Money,
  price: { readonly fee: bigint; readonly tax: bigint },
): NewTransfer[] {
  const { payer, merchant, fees, tax } = accounts
  const legs: readonly Leg[] = [
    ['payment', payer, merchant, amount],
    ['fee', merchant, fees, price.fee],
    ['tax', merchant, tax, price.tax],
  ]
  return legs.filter((leg) => leg[3] > 0n).map((leg) => movement(occasion, currency, 'single', leg))
}

/** A payer's money is held for the payee, or for a review, until `expiresAt` at most. */
export function heldForPayee(
  occasion: Occasion,
  { payer, payee }: Readonly<Record<'payer' | 'payee', AccountId>>,
  money: Money,
  expiresAt: Date,
): NewTransfer[] {
  const held = { debit: payer, credit: payee, money, expiresAt }
  return [{ kind: 'pending', code: 'payment', ...held, ...occasion }]
}

/** A merchant takes of what is held, and pays the fee and the tax that come with it. */
export function captured(
  occasion: Occasion,
  { merchant, fees, tax }: Readonly<Record<'merchant' | 'fees' | 'tax', AccountId>>,
  hold: UnitId,
  taken: Readonly<Record<'amount' | 'fee' | 'tax', bigint>> & {
    readonly currency: string
    readonly isFinal: boolean
  },
): NewTransfer[] {
  const { amount, currency, isFinal } = taken
  const legs: readonly Leg[] = [
    ['fee', merchant, fees, taken.fee],
    ['tax', merchant, tax, taken.tax],
  ]
  return [
    { kind: 'post', code: 'payment', hold, amount, isFinal, ...occasion },
    ...legs.filter((leg) => leg[3] > 0n).map((leg) => movement(occasion, currency, 'single', leg)),
  ]
}

/** What is left of a hold is the payer's again. */
export const released = (occasion: Occasion, hold: UnitId): NewTransfer[] => [
  { kind: 'void', code: 'payment', hold, ...occasion },
]

/**
 * A person sells one currency and buys another, each leg in its own: what they sell adds to our
 * position; what they buy, the spread and what rounding left come out of it.
 */
export function exchanged(
  occasion: Occasion,
  accounts: Readonly<
    Record<'paidFrom' | 'paidTo' | 'sold' | 'bought' | 'fees' | 'rounding', AccountId>
  >,
  { sell, buy, spread, residue }: Exchanged,
): NewTransfer[] {
  const { paidFrom, paidTo, sold, bought, fees, rounding } = accounts
  const legs: readonly Leg[] = [
    ['exchange', bought, paidTo, buy.amount],
    ['spread', bought, fees, spread],
    ['rounding', bought, rounding, residue],
  ]
  return [
    movement(occasion, sell.currency, 'single', ['exchange', paidFrom, sold, sell.amount]),
    ...legs
      .filter((leg) => leg[3] > 0n)
      .map((leg) => movement(occasion, buy.currency, 'single', leg)),
  ]
}

/** Spread and residue are minor units of the bought currency. */
interface Exchanged {
  readonly sell: Money
  readonly buy: Money
  readonly spread: bigint
  readonly residue: bigint
}

/** Accounts an instruction touches: whose money it is, and ours with the bank. */
export type InstructionAccounts = Readonly<
  Record<'owner' | 'bank' | 'transit' | 'suspense', AccountId>
>

/**
 * How an instruction's money moves: as its direction says, or from our account at the bank to our
 * own at another, which then is the owner's.
 */
export type Course = Direction | 'between'

export const courseOf = ({
  purpose,
  direction,
}: {
  readonly purpose: string
  readonly direction: Direction
}): Course => (purpose === 'netting' ? 'between' : direction)

/**
 * When a bank is about to be told: money out has left its owner; money in, and money between our
 * accounts, is only reserved.
 */
export function instructed(
  occasion: Occasion,
  course: Course,
  { owner, bank, transit }: InstructionAccounts,
  { amount, currency }: Money,
): NewTransfer[] {
  const legs: Readonly<Record<Course, readonly ['single' | 'pending', Leg]>> = {
    debit: ['pending', [HOLDS.debit, bank, owner, amount]],
    credit: ['single', ['payout', owner, transit, amount]],
    between: ['pending', [HOLDS.between, owner, bank, amount]],
  }
  const [kind, leg] = legs[course]
  return [movement(occasion, currency, kind, leg)]
}

/** What the movements of a hold are called. */
const HOLDS = { debit: 'top_up', credit: 'payout', between: 'netting' } as const

type Outcome = BankReport['outcome']

/** What the books do when the bank has spoken. A `hold` is resolved; other money moves anew. */
const RESOLUTIONS = {
  debit: {
    settled: () => 'post',
    rejected: () => 'void',
    returned: ({ owner, bank }, amount) => ['return', owner, bank, amount],
  },
  credit: {
    settled: ({ transit, bank }, amount) => ['payout', transit, bank, amount],
    rejected: ({ transit, owner }, amount) => ['payout_rejected', transit, owner, amount],
    returned: ({ bank, owner }, amount) => ['return', bank, owner, amount],
  },
  between: {
    settled: () => 'post',
    rejected: () => 'void',
    returned: ({ bank, owner }, amount) => ['return', bank, owner, amount],
  },
} as const satisfies Record<
  Course,
  Record<Outcome, (accounts: InstructionAccounts, amount: bigint) => Leg | 'post' | 'void'>
>

export function resolvedByBank(
  occasion: Occasion,
  course: Course,
  outcome: Outcome,
  { accounts, money, hold }: { accounts: InstructionAccounts; money: Money; hold: UnitId },
): NewTransfer {
  const resolution: Leg | 'post' | 'void' = RESOLUTIONS[course][outcome](accounts, money.amount)
  if (typeof resolution !== 'string') {
    return movement(occasion, money.currency, 'single', resolution)
  }
  return { kind: resolution, code: HOLDS[course], hold, ...occasion }
}

/**
 * The same where the owner's account cannot take part: it is empty, closed or frozen. We stand in
 * for it, from or to `suspense`, until a person has sorted it out.
 */
export function resolvedWithoutOwner(
  occasion: Occasion,
  course: Course,
  outcome: Outcome,
  { accounts, money, hold }: { accounts: InstructionAccounts; money: Money; hold: UnitId },
): NewTransfer {
  const { suspense, bank } = accounts
  if (course === 'debit' && outcome === 'returned') {
    const leg: Leg = ['return_unfunded', suspense, bank, money.amount]
    return movement(occasion, money.currency, 'single', leg)
  }
  const standIn = { accounts: { ...accounts, owner: suspense }, money, hold }
  return resolvedByBank(occasion, course, outcome, standIn)
}

type ReconciliationAccounts = Readonly<Record<'bank' | 'suspense' | 'loss', AccountId>>

/**
 * What corrects our account at a bank, by how it and the bank's statement differ. What has no
 * owner, or what the bank owes us, waits in `suspense` until somebody has sorted it out.
 */
const CORRECTIONS = {
  /** Money came that nobody knows. */
  unknown_incoming: ({ bank, suspense }, amount) => ['unknown_incoming', bank, suspense, amount],
  /** Money left that nobody sent: what banks take for their service. */
  bank_charge: ({ loss, bank }, amount) => ['bank_charge', loss, bank, amount],
  /** We believe that money came, or left, and the bank does not. */
  never_came: ({ suspense, bank }, amount) => ['never_came', suspense, bank, amount],
  never_left: ({ bank, suspense }, amount) => ['never_left', bank, suspense, amount],
  /** The bank moved it although it had said otherwise, or although we no longer believed it. */
  came_after_all: ({ bank, suspense }, amount) => ['came_after_all', bank, suspense, amount],
  left_after_all: ({ bank, suspense }, amount) => ['left_after_all', suspense, bank, amount],
  /** More or less than we booked. */
  came_more: ({ bank, suspense }, amount) => ['amount_differs', bank, suspense, amount],
  came_less: ({ suspense, bank }, amount) => ['amount_differs', suspense, bank, amount],
  /** The bank did it twice. */
  came_twice: ({ bank, suspense }, amount) => ['duplicate', bank, suspense, amount],
  left_twice: ({ suspense, bank }, amount) => ['duplicate', suspense, bank, amount],
} as const satisfies Record<string, (accounts: ReconciliationAccounts, amount: bigint) => Leg>

export type Difference = keyof typeof CORRECTIONS

export const DIFFERENCES = Object.keys(CORRECTIONS) as [Difference, ...Difference[]]

/** @param money the difference, positive. */
export function reconciled(
  occasion: Occasion,
  difference: Difference,
  accounts: ReconciliationAccounts,
  { amount, currency }: Money,
): NewTransfer {
  const leg: Leg = CORRECTIONS[difference](accounts, amount)
  return movement(occasion, currency, 'single', leg)
}
/** Money that came without our asking: at the bank it is ours, and we owe it to somebody. */
export const received = (
  occasion: Occasion,
  { bank, suspense }: Readonly<Record<'bank' | 'suspense', AccountId>>,
  { amount, currency }: Money,
): NewTransfer[] => [movement(occasion, currency, 'single', ['incoming', bank, suspense, amount])]

/** It is known whose it is. */
export const matched = (
  occasion: Occasion,
  { suspense, owner }: Readonly<Record<'suspense' | 'owner', AccountId>>,
  { amount, currency }: Money,
): NewTransfer[] => [
  movement(occasion, currency, 'single', ['incoming_matched', suspense, owner, amount]),
]
