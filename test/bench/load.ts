/** Callers who each ask again as soon as they are answered, and what that tells. */

export interface Round {
  readonly per_s: number
  readonly p50_ms: number
  readonly p99_ms: number
}

export interface Driven extends Round {
  /** All that were answered, those before and after the measured time included. */
  readonly answered: number
}

/** Until so long after the start callers only fall into their rhythm. */
const RAMP_MS = 250

/** `call` is told which of the `callers` is asking; one that fails fails the whole. */
export async function drive(
  callers: number,
  seconds: number,
  call: (caller: number) => Promise<void>,
): Promise<Driven> {
  const opens = performance.now() + RAMP_MS
  const closes = opens + seconds * 1000
  const latencies_ms: number[] = []
  let answered = 0

  async function askUntilClosed(caller: number): Promise<void> {
    for (let asked = performance.now(); asked < closes;) {
      await call(caller)
      const now = performance.now()
      answered += 1
      if (now >= opens && now < closes) latencies_ms.push(now - asked)
      asked = now
    }
  }

  await Promise.all(Array.from({ length: callers }, (_, caller) => askUntilClosed(caller)))
  return { ...summary(latencies_ms, seconds), answered }
}

export function summary(latencies_ms: readonly number[], seconds: number): Round {
  const sorted = Float64Array.from(latencies_ms).sort()
  const percentile = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  return { per_s: sorted.length / seconds, p50_ms: percentile(0.5), p99_ms: percentile(0.99) }
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** Each figure's median over the rounds: one round that was disturbed does not count. */
export function medianOf(rounds: readonly Round[]): Round {
  const of = (figure: keyof Round) => median(rounds.map((round) => round[figure]))
  return { per_s: of('per_s'), p50_ms: of('p50_ms'), p99_ms: of('p99_ms') }
}

/** Whole numbers from 0 to `below`, the same in every run: mulberry32. */
export function openDice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
