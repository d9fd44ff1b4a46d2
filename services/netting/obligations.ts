/**
 * Who owes whom, at the end of a window. Pure, and the same for the same flows in whatever order.
 *
 * What came in at one bank goes out at another: the first holds too much of our money, the second
 * too little. What neither of them is about is what came in and did not go out, because it is in
 * wallets or was earned: it stays where it came in, in proportion. The rest sums to zero.
 */
import { allocate } from '../../ledger/index.ts'

/** What a window saw at a bank, in minor units of its currency. */
export interface Flows {
  readonly bank: string
  readonly received: bigint
  readonly paid: bigint
  /** What it still owes from windows before; below zero: what it is owed. All sum to zero. */
  readonly carried: bigint
}

export interface Position extends Flows {
  /** Its part of what was retained; below zero, of what was paid out of older money. */
  readonly kept: bigint
  /** So much it owes the others; below zero, so much it is owed. All sum to zero. */
  readonly net: bigint
}

export interface Obligation {
  readonly from: string
  readonly to: string
  readonly amount: bigint
}

/**
 * `multilateral`: as few payments as easily found, one less than there are banks at most.
 * `bilateral`: every bank that owes pays every bank that is owed its share, so that a payment that
 * fails leaves all pairs but one as they should be.
 */
export type Method = 'multilateral' | 'bilateral'

/**
 * The positions, by the name of the bank. What was retained (received less paid, all banks taken
 * together) is kept by the banks that received more than they paid; what was paid out of older
 * money is borne by those that paid more: each in proportion, to the last minor unit.
 */
export function positionsOf(flows: readonly Flows[]): readonly Position[] {
  const sorted = flows.toSorted((a, b) => (a.bank < b.bank ? -1 : 1))
  const gross = sorted.map(({ received, paid, carried }) => received - paid + carried)
  const retained = sum(gross)
  const sign = retained < 0n ? -1n : 1n
  const weights = gross.map((one) => (one * sign > 0n ? one * sign : 0n))
  const kept = retained === 0n ? weights.map(() => 0n) : allocate(retained * sign, weights)
  return sorted.map((one, n) => {
    const its = sign * (kept[n] ?? 0n)
    return { ...one, kept: its, net: (gross[n] ?? 0n) - its }
  })
}

/** Payments that bring every position to zero. */
export function obligations(
  positions: readonly Pick<Position, 'bank' | 'net'>[],
  method: Method,
): readonly Obligation[] {
  const sides = positions.toSorted((a, b) => bySize(abs(a.net), abs(b.net)) || byName(a, b))
  const owing = sides.filter(({ net }) => net > 0n)
  const owed = sides.filter(({ net }) => net < 0n).map(({ bank, net }) => ({ bank, net: -net }))
  if (total(owing) !== total(owed)) throw new Error('the positions do not sum to zero')
  return METHODS[method](owing, owed).filter(({ amount }) => amount > 0n)
}

type Side = Pick<Position, 'bank' | 'net'>

const METHODS: Readonly<
  Record<Method, (owing: readonly Side[], owed: readonly Side[]) => readonly Obligation[]>
> = { multilateral: largestFirst, bilateral: everyPair }

/** Each payment ends what one side owes or is owed, and the last one ends both. */
function largestFirst(owing: readonly Side[], owed: readonly Side[]): readonly Obligation[] {
  const paid: Obligation[] = []
  let [debtor, creditor] = [0, 0]
  let [owes, due] = [owing[0]?.net ?? 0n, owed[0]?.net ?? 0n]
  for (;;) {
    const [from, to] = [owing[debtor], owed[creditor]]
    if (from === undefined || to === undefined) return paid
    const amount = owes < due ? owes : due
    paid.push({ from: from.bank, to: to.bank, amount })
    owes -= amount
    due -= amount
    if (owes === 0n) owes = owing[++debtor]?.net ?? 0n
    if (due === 0n) due = owed[++creditor]?.net ?? 0n
  }
}

/** What each bank owes is split by what the others are owed still, so that nobody gets too much. */
function everyPair(owing: readonly Side[], owed: readonly Side[]): readonly Obligation[] {
  const left = owed.map(({ net }) => net)
  return owing.flatMap(({ bank: from, net }) => {
    const shares = allocate(net, left)
    return owed.map(({ bank: to }, n) => {
      const amount = shares[n] ?? 0n
      left[n] = (left[n] ?? 0n) - amount
      return { from, to, amount }
    })
  })
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((all, one) => all + one, 0n)
const total = (sides: readonly Side[]) => sum(sides.map(({ net }) => net))
const abs = (amount: bigint) => (amount < 0n ? -amount : amount)
const bySize = (a: bigint, b: bigint) => (a === b ? 0 : a > b ? -1 : 1)
const byName = (a: Side, b: Side) => (a.bank < b.bank ? -1 : 1)
