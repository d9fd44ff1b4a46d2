/**
 * How often somebody may ask, in this process: what protects its work. What protects money is in
 * the books, and what protects PINs is in the database; neither is here.
 */
import type { Config } from '../config.ts'
import { ServiceError } from '../errors.ts'

interface Allowance {
  /** So many within the window; 0 is any number. */
  readonly max: number
  readonly window_s: number
}

const MINUTE_S = 60
const DAY_S = 24 * 60 * 60

/** What is counted, each by who does it. */
const RATES = {
  money: (config) => [
    { max: config.RATE_MONEY_PER_MINUTE, window_s: MINUTE_S },
    { max: config.RATE_MONEY_PER_DAY, window_s: DAY_S },
  ],
  lookup: (config) => [{ max: config.RATE_LOOKUPS_PER_MINUTE, window_s: MINUTE_S }],
  security: (config) => [{ max: config.RATE_SECURITY_PER_MINUTE, window_s: MINUTE_S }],
  anonymous: (config) => [{ max: config.RATE_ANONYMOUS_PER_MINUTE, window_s: MINUTE_S }],
  callback: (config) => [{ max: config.RATE_CALLBACKS_PER_SECOND, window_s: 1 }],
} as const satisfies Record<string, (config: Config) => readonly Allowance[]>

export type Rate = keyof typeof RATES

export interface Rates {
  /** @throws {ServiceError} `too_many_requests` when nothing is left. Counts nothing. */
  readonly refuse: (rate: Rate, who: string) => void
  readonly count: (rate: Rate, who: string) => void
  /** Both: refuses, or counts. */
  readonly use: (rate: Rate, who: string) => void
}

/** How many may be remembered; beyond that the one that came first is forgotten. */
const REMEMBERED_MAX = 100_000

/** How often somebody asked in the window that runs, and in the one before it. */
interface Tally {
  readonly window: number
  readonly before: number
  count: number
}

export function openRates(config: Config, now: () => Date, rememberedMax = REMEMBERED_MAX): Rates {
  const tallies = new Map<string, Tally>()

  function tallyOf(name: string, window: number): Tally {
    const known = tallies.get(name)
    if (known?.window === window) return known
    const before = known?.window === window - 1 ? known.count : 0
    tallies.delete(name)
    const [oldest] = tallies.keys()
    if (tallies.size >= rememberedMax && oldest !== undefined) tallies.delete(oldest)
    const tally = { window, before, count: 0 }
    tallies.set(name, tally)
    return tally
  }

  const allowances = new Map(
    Object.entries(RATES).map(([rate, of]) => [rate, of(config).filter(({ max }) => max > 0)]),
  )

  function take(rate: Rate, who: string, { refuses, counts }: typeof BOTH): void {
    const now_s = now().getTime() / 1000
    const tallies: Tally[] = []
    let wait_s = 0
    for (const allowance of allowances.get(rate) ?? []) {
      const windows = now_s / allowance.window_s
      const tally = tallyOf(`${rate} ${allowance.window_s} ${who}`, Math.floor(windows))
      if (refuses) wait_s = Math.max(wait_s, waitOf(tally, allowance, windows % 1))
      tallies.push(tally)
    }
    if (wait_s > 0) {
      throw new ServiceError('too_many_requests', { retryAfter_s: Math.ceil(wait_s) })
    }
    if (counts) for (const tally of tallies) tally.count += 1
  }

  return {
    refuse: (rate, who) => take(rate, who, { refuses: true, counts: false }),
    count: (rate, who) => take(rate, who, { refuses: false, counts: true }),
    use: (rate, who) => take(rate, who, BOTH),
  }
}

const BOTH = { refuses: true, counts: true }

/**
 * How many seconds it takes until one more is allowed; 0 for now. The window slides: of the one
 * before counts as much as it still covers, as if it had been spread evenly.
 * @param past how much of the running window is over, from 0 to 1
 */
function waitOf(
  { before, count }: Pick<Tally, 'before' | 'count'>,
  { max, window_s }: Allowance,
  past: number,
): number {
  const left = max - 1 - count
  if (left >= 0) {
    if (before * (1 - past) <= left) return 0
    return (1 - left / before - past) * window_s
  }
  // In the next window this one is the one before.
  return (1 - past + 1 - (max - 1) / count) * window_s
}
