/**
 * Refunds, thought through a second time: a purse, a reserve and a debt, and shares as fractions of
 * whole numbers. Knows nothing of accounts or of the product.
 */

export interface ModelSale {
  readonly paid: bigint
  readonly fee: bigint
  readonly fixed: bigint
  readonly tax: bigint
  readonly policy: 'give_back' | 'keep' | 'pro_rata'
  refunded: bigint
}

export interface ModelMerchant {
  /** Below zero, it owes us. */
  balance: bigint
  reserve: bigint
  readonly credit: bigint
}

/** The nearest whole number; exactly between two, the even one. */
export function nearest(over: bigint, under: bigint): bigint {
  const candidates = [over / under, over / under + 1n]
  const distance = (whole: bigint) => {
    const off = whole * under - over
    return off < 0n ? -off : off
  }
  const [low = 0n, high = 0n] = candidates
  if (distance(low) === distance(high)) return low % 2n === 0n ? low : high
  return distance(low) < distance(high) ? low : high
}

/** Fee and tax that have come back once `refunded` has: as if it were the first and only refund. */
function backAt(sale: ModelSale, refunded: bigint): [bigint, bigint] {
  if (sale.policy === 'keep' || sale.fee === 0n) return [0n, 0n]
  const kept = sale.policy === 'pro_rata' ? sale.fixed : 0n
  const returnable = sale.fee - kept
  return [
    nearest(returnable * refunded, sale.paid),
    nearest(sale.tax * returnable * refunded, sale.fee * sale.paid),
  ]
}

/**
 * What a refund does, or why it is refused; refused, it does nothing.
 * @param helped what others pay of it.
 */
export function modelRefund(merchant: ModelMerchant, sale: ModelSale, amount: bigint, helped = 0n) {
  const after = sale.refunded + amount
  if (after > sale.paid) return 'refund_exceeds_capture'
  const [before, now] = [backAt(sale, sale.refunded), backAt(sale, after)]
  const [fee, tax] = [now[0] - before[0], now[1] - before[1]]
  let missing = amount - fee - tax - helped
  const { reserve } = merchant
  let { balance } = merchant
  if (missing < 0n) {
    balance -= missing
    missing = 0n
  }
  // Coin by coin would be the same, and slow: from each what it has, one after the other.
  const purse = balance > 0n ? (balance < missing ? balance : missing) : 0n
  const kept = missing - purse < reserve ? missing - purse : reserve
  const owed = missing - purse - kept
  const left = balance - purse - owed
  if (owed > 0n && left < -merchant.credit) return 'insufficient_funds'
  merchant.balance = left
  merchant.reserve = reserve - kept
  sale.refunded = after
  return { fee, tax, balance: purse, reserve: kept, limit: owed }
}
