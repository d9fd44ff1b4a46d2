/** The closed loop: callers who each ask again as soon as they are answered. */

export interface Latency {
  readonly p50_ms: number
  readonly p90_ms: number
  readonly p99_ms: number
  readonly p999_ms: number
}

export interface Round extends Latency {
  readonly per_s: number
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

export const summary = (latencies_ms: readonly number[], seconds: number): Round => ({
  per_s: latencies_ms.length / seconds,
  ...latencyOf(latencies_ms),
})

export function latencyOf(latencies_ms: readonly number[]): Latency {
  const sorted = Float64Array.from(latencies_ms).sort()
  const percentile = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  return {
    ...{ p50_ms: percentile(0.5), p90_ms: percentile(0.9) },
    ...{ p99_ms: percentile(0.99), p999_ms: percentile(0.999) },
  }
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
