/**
 * Whose money it is in the end, of two people: that the sum is right says nothing about that. It is
 * known from what they asked for and from the bank's log alone, but where money was sent back: then
 * not whether we had heard before that it was there.
 */

/** What one of them, the first or the second, has asked for. */
export interface Wish {
  readonly reference: string
  readonly kind: 'withdrawal' | 'top_up' | 'payment'
  readonly payer: 0 | 1
  readonly amount: bigint
}

/** What each wallet gains. */
type Gains = readonly [bigint, bigint]

const NONE: Gains = [0n, 0n]
const gains = (who: 0 | 1, amount: bigint): Gains => (who === 0 ? [amount, 0n] : [0n, amount])
const both = (one: Gains, other: Gains): Gains => [one[0] + other[0], one[1] + other[1]]

const DONE: Readonly<Record<Wish['kind'], (wish: Wish) => Gains>> = {
  withdrawal: ({ payer, amount }) => gains(payer, -amount),
  top_up: ({ payer, amount }) => gains(payer, amount),
  payment: ({ payer, amount }) => gains(payer === 0 ? 1 : 0, amount),
}

/**
 * What came and went again. If it had been booked, whoever is paid keeps it, and the payer owes it:
 * from their wallet, or from suspense where that has not enough.
 */
const SENT_BACK: Readonly<Record<Wish['kind'], (wish: Wish) => readonly Gains[]>> = {
  withdrawal: () => [NONE],
  top_up: (wish) => [NONE, DONE.top_up(wish)],
  payment: (wish) => {
    const [paid, owed] = [DONE.payment(wish), gains(wish.payer, -wish.amount)]
    return [NONE, both(paid, owed), paid]
  },
}

export interface Ended {
  readonly state: string
  /** How often the bank has moved the money, less what it sent back. */
  readonly paid: number
}

function possible(wish: Wish, { state, paid }: Ended): readonly Gains[] {
  if (state === 'returned') return SENT_BACK[wish.kind](wish)
  // What waits for a person has left the wallet, and has come to nobody.
  if (state === 'manual') return [wish.kind === 'withdrawal' ? DONE.withdrawal(wish) : NONE]
  return [paid > 0 ? DONE[wish.kind](wish) : NONE]
}

/** @returns whether two wallets that had `before` may have this now. */
export function mayHave(
  before: Gains,
  wishes: readonly Wish[],
  endOf: (reference: string) => Ended,
  now: Gains,
): boolean {
  let sums = new Map([[before.join(), before]])
  for (const wish of wishes) {
    const next = new Map<string, Gains>()
    for (const one of possible(wish, endOf(wish.reference))) {
      for (const sum of sums.values()) {
        const more = both(sum, one)
        next.set(more.join(), more)
      }
    }
    sums = next
  }
  return sums.has(now.join())
}
