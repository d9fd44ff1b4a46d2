/**
 * The price of an exchange, thought through a second time: whole-number fractions only, rounding
 * written out, and the least amount to sell found by trying, not by dividing.
 */

export interface ModelWanted {
  readonly side: 'sell' | 'buy'
  readonly amount: bigint
  /** Digits of the minor units of both currencies. */
  readonly sellScale: number
  readonly buyScale: number
  /** Decimal text. */
  readonly mid: string
  readonly spreadBps: number
}

interface Fraction {
  readonly over: bigint
  readonly under: bigint
}

/** '1.4' as 14 over 10. */
function fraction(decimal: string): Fraction {
  const [whole = '0', part = ''] = decimal.split('.')
  return { over: BigInt(whole + part), under: 10n ** BigInt(part.length) }
}

const times = (a: Fraction, b: Fraction): Fraction => ({
  ...{ over: a.over * b.over, under: a.under * b.under },
})

const floor = ({ over, under }: Fraction): bigint => over / under

/** The nearest whole number; exactly between two, the even one. Not for negatives. */
function nearestEven({ over, under }: Fraction): bigint {
  const down = over / under
  const twice = 2n * (over % under)
  if (twice === under) return down + (down % 2n)
  return twice > under ? down + 1n : down
}

/** The least whole number for which `isEnough`, which stays true once it is. */
function least(isEnough: (amount: bigint) => boolean): bigint {
  let high = 1n
  while (!isEnough(high)) high *= 2n
  let low = 0n
  while (high - low > 1n) {
    const middle = (low + high) / 2n
    if (isEnough(middle)) high = middle
    else low = middle
  }
  return high
}

const LARGEST = 10n ** 15n - 1n

/** What is sold, bought, kept and left; or why there is no price. */
export function modelExchange(wanted: ModelWanted) {
  const { side, amount, sellScale, buyScale, mid, spreadBps } = wanted
  const units = { over: 10n ** BigInt(buyScale), under: 10n ** BigInt(sellScale) }
  const midWorth = (sold: bigint) => times(times({ over: sold, under: 1n }, fraction(mid)), units)
  const points = (bps: number): Fraction => ({ over: BigInt(bps), under: 10_000n })
  const worth = (sold: bigint) => times(midWorth(sold), points(10_000 - spreadBps))

  const sold =
    side === 'sell' ? amount : least((sold) => worth(sold).over >= amount * worth(sold).under)
  const bought = side === 'sell' ? floor(worth(sold)) : amount
  const midValue = nearestEven(midWorth(sold))
  const spread = floor(times(midWorth(sold), points(spreadBps)))
  if (bought === 0n) return 'exchange_too_small'
  if (sold > LARGEST || midValue > LARGEST) return 'exchange_too_large'
  return { sold, bought, midValue, spread, residue: midValue - bought - spread }
}

/**
 * The most that rounding may leave, in the bought currency: less than two and a half minor units,
 * and who buys may have had to sell up to one minor unit more than it is worth.
 */
export function residueBelow(wanted: ModelWanted): Fraction {
  if (wanted.side === 'sell') return { over: 5n, under: 2n }
  const one = times(fraction(wanted.mid), {
    over: 10n ** BigInt(wanted.buyScale),
    under: 10n ** BigInt(wanted.sellScale),
  })
  return { over: 2n * one.over + 3n * one.under, under: 2n * one.under }
}
