/**
 * Shared payments, thought through a second time: a heap of coins in colours, from which shares are
 * drawn. Knows nothing of accounts or of the product.
 */
interface Beneficiary {
  /** Of all, if all is captured. */
  readonly promised: bigint
  given: bigint
  returned: bigint
  balance: bigint
  reserve: bigint
  /** Below zero it may fall so far. */
  readonly credit: bigint
}

export interface ModelShared {
  /** What a capture of everything would leave the merchant with. */
  readonly whole: bigint
  captured: bigint
  net: bigint
  refunded: bigint
  readonly others: Beneficiary[]
}

/** Each first what is its own in full coins; the coins left over to whom most is missing. */
function deal(coins: bigint, claims: readonly bigint[]): bigint[] {
  let all = 0n
  for (const claim of claims) all += claim
  const hands = claims.map((claim) =>
    all === 0n ? 0n : (coins * claim - ((coins * claim) % all)) / all,
  )
  const missing = claims.map((claim, at) => coins * claim - (hands[at] ?? 0n) * all)
  let left = all === 0n ? 0n : coins - hands.reduce((sum, hand) => sum + hand, 0n)
  for (; left > 0n; left -= 1n) {
    let neediest = 0
    for (const [at, need] of missing.entries()) if (need > (missing[neediest] ?? 0n)) neediest = at
    hands[neediest] = (hands[neediest] ?? 0n) + 1n
    missing[neediest] = -1n
  }
  return hands
}

/** @returns what each beneficiary gets of it. */
export function modelCapture(of: ModelShared, amount: bigint, net: bigint): bigint[] {
  const promised = of.others.reduce((sum, one) => sum + one.promised, 0n)
  const given = of.others.reduce((sum, one) => sum + one.given, 0n)
  const own = of.whole - promised - (of.net - given)
  const claims = [own < 0n ? 0n : own, ...of.others.map((one) => one.promised - one.given)]
  const most = claims.reduce((sum, one) => sum + one, 0n)
  const shares = deal(net < 0n ? 0n : net > most ? most : net, claims).slice(1)
  of.captured += amount
  of.net += net
  for (const [at, one] of of.others.entries()) {
    one.given += shares[at] ?? 0n
    one.balance += shares[at] ?? 0n
  }
  return shares
}

/** @returns what each gives back, and by which of its purses; the rest is the merchant's to pay. */
export function modelTakeBack(of: ModelShared, amount: bigint) {
  const held = of.others.map((one) => one.given - one.returned)
  const left = of.captured - of.refunded
  const rest = left - held.reduce((sum, one) => sum + one, 0n)
  const dues = deal(amount, [rest, ...held]).slice(1)
  of.refunded += amount
  return of.others.map((one, at) => {
    const due = dues[at] ?? 0n
    one.returned += due
    let open = due
    const from = (most: bigint) => {
      const part = most <= 0n ? 0n : most < open ? most : open
      open -= part
      return part
    }
    const balance = from(one.balance)
    const reserve = from(one.reserve)
    const limit = from(one.credit + (one.balance - balance))
    one.balance -= balance + limit
    one.reserve -= reserve
    return { due, balance, reserve, limit, payee: open }
  })
}
