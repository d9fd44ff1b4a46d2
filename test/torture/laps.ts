/** How a run went over time, as a page shows it. */
import { quantile } from './judge.ts'

/** So long a stretch of a run. */
const LAP_S = 1

export interface Lap {
  /** When it began, since things began to go wrong. */
  readonly at_s: number
  /** Answered within it, on average. */
  readonly per_s: number
  /** With all retries; null where nobody was answered. */
  readonly p50_ms: number | null
  readonly p99_ms: number | null
}

/** @param startedAt_ms what came before is left out. */
export function timelineOf(
  answers: readonly { readonly at_ms: number; readonly took_ms: number }[],
  startedAt_ms: number,
): Lap[] {
  const laps: number[][] = []
  for (const { at_ms, took_ms } of answers) {
    const lap = Math.floor((at_ms - startedAt_ms) / 1000 / LAP_S)
    if (lap < 0) continue
    while (laps.length <= lap) laps.push([])
    laps[lap]?.push(took_ms)
  }
  return laps.map((times, lap) => ({
    ...{ at_s: lap * LAP_S, per_s: times.length / LAP_S },
    p50_ms: times.length === 0 ? null : quantile(times, 0.5),
    p99_ms: times.length === 0 ? null : quantile(times, 0.99),
  }))
}
