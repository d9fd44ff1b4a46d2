/**
 * Limits, thought through a second time: a list of what was accepted. What somebody has used up of
 * a period is the sum over that list, every time. Shares no code with ledger/.
 */

export interface ModelUse {
  readonly quota: string
  readonly amount: bigint
  /** Day, week and month. */
  readonly at: readonly [bigint, bigint, bigint]
  /** For this use alone, then for the day, the week and the month: null where there is none. */
  readonly most: readonly (readonly [amount: bigint | null, count: bigint | null])[]
}

interface Accepted {
  readonly quota: string
  readonly amount: bigint
  readonly counts: bigint
  /** The periods in which it was counted. */
  readonly counted: readonly bigint[]
}

const fits = (amount: bigint, count: bigint, most: ModelUse['most'][number] | undefined) =>
  amount <= (most?.[0] ?? amount) && count <= (most?.[1] ?? count)

export function openLimits() {
  const accepted: Accepted[] = []

  const of = (quota: string) => accepted.filter((one) => one.quota === quota)
  const newest = (quota: string, period: number) =>
    of(quota).reduce((max, { counted }) => (counted[period]! > max ? counted[period]! : max), 0n)

  /** What is used up of the newest period. */
  function usedUp(quota: string, period: number, number = newest(quota, period)) {
    const inside = of(quota).filter(({ counted }) => counted[period] === number)
    return {
      number,
      amount: inside.reduce((sum, { amount }) => sum + amount, 0n),
      count: inside.reduce((sum, { counts }) => sum + counts, 0n),
    }
  }

  /** Whether all of them are accepted; if not, none is. */
  function use(wanted: readonly ModelUse[]): boolean {
    const before = accepted.length
    for (const { quota, amount, at, most } of wanted) {
      // A clock that is behind does not open an old period again.
      const counted = at.map((number, period) => {
        const latest = newest(quota, period)
        return latest > number ? latest : number
      })
      const isFine =
        fits(amount, 1n, most[0]) &&
        counted.every((number, period) => {
          const used = usedUp(quota, period, number)
          return fits(used.amount + amount, used.count + 1n, most[period + 1])
        })
      if (!isFine) {
        accepted.length = before
        return false
      }
      accepted.push({ quota, amount, counts: 1n, counted })
    }
    return true
  }

  /** Gives back what was used at `at`, in those of its periods that are still the newest. */
  function giveBack(quota: string, amount: bigint, counts: bigint, at: readonly bigint[]): void {
    const counted = at.map((number, period) => (newest(quota, period) === number ? number : -1n))
    accepted.push({ quota, amount: -amount, counts: -counts, counted })
  }

  return { use, giveBack, usedUp }
}
