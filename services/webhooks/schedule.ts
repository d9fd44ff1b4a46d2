/** When a delivery that failed is tried again, and when it is given up. */

const [SECOND, MINUTE, HOUR] = [1, 60, 3_600]

/** After the first failure, the second ...: ten attempts in all, over about 75 hours. */
const DELAYS_S = [
  ...[5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR],
  ...[10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
] as const

/** So much of a delay is left to chance, so that a receiver that comes back is not overrun. */
const SPREAD = 0.2

/**
 * In how many milliseconds to try again after so many failures; undefined when that was the last.
 * @param chance from 0 to 1
 */
export function delayAfter_ms(failures: number, chance: number): number | undefined {
  const delay_s = DELAYS_S[failures - 1]
  if (delay_s === undefined) return undefined
  return Math.round(delay_s * 1000 * (1 - SPREAD / 2 + SPREAD * chance))
}
