/** The fee, thought through a second time: whole-number fractions only, rounding written out. */

/** '1.4' as 14 over 10. */
function fraction(decimal: string): { over: bigint; under: bigint } {
  const [whole = '0', part = ''] = decimal.split('.')
  return { over: BigInt(whole + part), under: 10n ** BigInt(part.length) }
}

/** The nearest whole number; exactly between two, the even one. Not for negatives. */
function nearestEven(over: bigint, under: bigint): bigint {
  const down = over / under
  const twice = 2n * (over % under)
  if (twice < under) return down
  if (twice > under) return down + 1n
  return down % 2n === 0n ? down : down + 1n
}

export function modelPercent(amount: bigint, percent: string): bigint {
  const { over, under } = fraction(percent)
  return nearestEven(amount * over, under * 100n)
}

/** Fee, tax and what is left; undefined when nothing would be left to charge from. */
export function modelPrice(
  schedule: { percent: string; fixed: bigint; taxPercent: string },
  amount: bigint,
) {
  const fee = modelPercent(amount, schedule.percent) + schedule.fixed
  const tax = modelPercent(fee, schedule.taxPercent)
  return fee + tax > amount ? undefined : { fee, tax, net: amount - fee - tax }
}
