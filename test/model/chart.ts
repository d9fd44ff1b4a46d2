/**
 * The chart of accounts said the other way round (by who is paid), and the division of an amount
 * worked out one step at a time: what ledger/ says about both, thought through again.
 */

/** What we own or have lost grows by debits; what we owe or have earned, by credits. */
export const GROWS_BY_DEBIT: readonly string[] = ['bank', 'loss']

/** From which types an account of each type may be credited. */
export const MAY_BE_CREDITED_FROM: Readonly<Record<string, string>> = {
  wallet: 'wallet merchant reserve transit bank fees tax suspense loss fx',
  merchant: 'wallet merchant reserve transit bank fees tax suspense loss fx',
  reserve: 'merchant transit bank loss',
  transit: 'wallet merchant reserve fees tax suspense',
  bank: 'wallet merchant reserve transit bank fees tax suspense loss fx',
  fees: 'wallet merchant transit bank loss fx',
  tax: 'wallet merchant transit',
  suspense: 'wallet merchant reserve transit bank loss',
  loss: 'wallet merchant reserve bank fees suspense fx rounding',
  fx: 'wallet merchant bank fees loss rounding',
  rounding: 'loss fx',
}

/**
 * The amount handed out to the parts: over and over, whoever is furthest behind their exact share
 * gets what they are behind, in whole units, and one at least. The first of equals is served first.
 */
export function sharesOf(amount: bigint, parts: readonly bigint[]): readonly bigint[] {
  const all = parts.reduce((sum, part) => sum + part, 0n)
  const shares = parts.map(() => 0n)
  let rest = amount
  while (rest > 0n) {
    // Behind by how much, times `all`, so that it stays a whole number.
    const behind = parts.map((part, n) => amount * part - (shares[n] ?? 0n) * all)
    const most = behind.reduce((max, one) => (one > max ? one : max))
    const next = behind.indexOf(most)
    const given = most > all ? most / all : 1n
    shares[next] = (shares[next] ?? 0n) + given
    rest -= given
  }
  return shares
}
