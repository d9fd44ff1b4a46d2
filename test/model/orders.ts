/** What an order comes to, thought through a second time: whole-number fractions only. */

interface ModelLine {
  readonly quantity: number
  readonly unitAmount: bigint
  readonly taxPercent: string | null
  readonly tax: bigint | null
}

/** The nearest whole number; exactly between two, the larger. Not for negatives. */
function percentHalfUp(amount: bigint, percent: string): bigint {
  const [whole = '0', part = ''] = percent.split('.')
  const [over, under] = [amount * BigInt(whole + part), 100n * 10n ** BigInt(part.length)]
  return (2n * over + under) / (2n * under)
}

/** One unit after the other, as somebody with a pencil would. */
export function modelTotals(
  lines: readonly ModelLine[],
  { discount, shipping, tax }: { discount: bigint; shipping: bigint; tax: bigint },
) {
  let [subtotal, taxes, isTaxed] = [0n, 0n, false]
  for (const { quantity, unitAmount, taxPercent, tax: said } of lines) {
    let amount = 0n
    for (let n = 0; n < quantity; n += 1) amount += unitAmount
    subtotal += amount
    const own = taxPercent === null ? said : percentHalfUp(amount, taxPercent)
    if (own !== null) [taxes, isTaxed] = [taxes + own, true]
  }
  const all = isTaxed ? taxes : tax
  return { subtotal, tax: all, amount: subtotal + shipping + all - discount }
}
