/** Rounds in turns, because a machine drifts: what disturbs the one soon disturbs the other. */
import type { Round } from './load.ts'

export type Say = (line: string) => void

export interface RoundsPlan {
  readonly rounds: number
  readonly round_s: number
  readonly warmUp_s: number
}

export interface Runner<R> {
  readonly name: string
  readonly run: (seconds: number) => Promise<R>
}

export async function warmUp(
  runners: readonly Runner<unknown>[],
  { warmUp_s }: RoundsPlan,
): Promise<void> {
  for (const { run } of runners) await run(warmUp_s)
}

/** The rounds of each runner. Who goes first changes from round to round. */
export async function inTurns<R extends { readonly per_s: number }>(
  title: string,
  runners: readonly Runner<R>[],
  { rounds, round_s }: RoundsPlan,
  say: Say,
): Promise<readonly (readonly R[])[]> {
  const turns = runners.map(({ name, run }) => ({ name, run, done: [] as R[] }))
  for (let round = 1; round <= rounds; round++) {
    const order = round % 2 === 1 ? turns : turns.toReversed()
    for (const turn of order) turn.done.push(await turn.run(round_s))
    const shown = turns.map(({ name, done }) => `${name} ${done.at(-1)?.per_s.toFixed(0)}`)
    say(`${title}, round ${round} of ${rounds}, per second: ${shown.join(', ')}`)
  }
  return turns.map(({ done }) => done)
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** Each figure's median over the rounds: one round that was disturbed does not count. */
export function medianOf(rounds: readonly Round[]): Round {
  const of = (figure: keyof Round) => median(rounds.map((round) => round[figure]))
  return {
    ...{ per_s: of('per_s'), p50_ms: of('p50_ms'), p90_ms: of('p90_ms') },
    ...{ p99_ms: of('p99_ms'), p999_ms: of('p999_ms') },
  }
}

interface Paced {
  readonly per_s: number
}

export const paceOf = (rounds: readonly Paced[] = []): number =>
  median(rounds.map(({ per_s }) => per_s))

/** How many times as fast: the median of the rounds, in each of which both took part. */
export const ratioOf = (rounds: readonly Paced[] = [], others: readonly Paced[] = []): number =>
  median(rounds.map(({ per_s }, round) => per_s / (others[round]?.per_s ?? Number.NaN)))
