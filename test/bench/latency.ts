/** How long people wait while the books are half busy, and nearly busy. */
import type { Measured } from './books.ts'
import { openOurs } from './contenders.ts'
import { fill } from './fill.ts'
import { type Offered, offer, type OpenRound } from './open-loop.ts'
import { type Bench, SMALL } from './plan.ts'
import { inTurns, median, paceOf, warmUp } from './rounds.ts'
import { examineSides, type Load, LOADS, runnerOf, type Side, sideOf } from './sides.ts'

interface LatencyUnderLoad {
  /** With callers who ask again as soon as they are answered, just before. */
  readonly maximum_per_s: number
  /** At half of that. */
  readonly at_50_percent: Offered
  readonly at_80_percent: Offered
}

export interface LatencyFigures {
  readonly latency: { readonly spread: LatencyUnderLoad; readonly hot: LatencyUnderLoad }
}

export async function measureLatency(bench: Bench): Promise<Measured<LatencyFigures>> {
  const { server, say } = bench
  const database = await server.databaseOf('florin_bench_latency')
  await fill(database.url, SMALL, say)
  const side = await sideOf('closed loop', database, openOurs(database), SMALL)
  const spread = await underLoad(bench, side, 'spread')
  const hot = await underLoad(bench, side, 'hot')
  return { figures: { latency: { spread, hot } }, ...(await examineSides([side], say)) }
}

async function underLoad(
  { server, meter, plan, say }: Bench,
  side: Side,
  load: Load,
): Promise<LatencyUnderLoad> {
  const title = `latency ${load}`
  const runners = [runnerOf(meter, side, LOADS[load])]
  await warmUp(runners, plan.latency)
  await server.checkpoint()
  const [rounds] = await inTurns(title, runners, plan.latency, say)
  const maximum_per_s = paceOf(rounds)
  const at = async (share: number): Promise<Offered> => {
    const windows: OpenRound[] = []
    for (let window = 0; window < plan.latency.rounds; window++) {
      windows.push(await offered(side, load, maximum_per_s * share, plan.latency.round_s))
    }
    const shown = windows.map(({ p99_ms }) => p99_ms.toFixed(1)).join(', ')
    say(`${title}, at ${share * 100} percent of the maximum, p99 in ms: ${shown}`)
    return medianOf(windows)
  }
  return { maximum_per_s, at_50_percent: await at(0.5), at_80_percent: await at(0.8) }
}

async function offered(side: Side, load: Load, per_s: number, seconds: number) {
  const pair = LOADS[load](side.accounts)
  const window = await offer(per_s, seconds, () => side.contender.transfer(0, ...pair()))
  side.transfers += window.answered
  return window
}

function medianOf(windows: readonly OpenRound[]): Offered {
  const of = (figure: keyof Offered) => median(windows.map((window) => window[figure]))
  return {
    ...{ offered_per_s: of('offered_per_s'), answered_per_s: of('answered_per_s') },
    ...{ p50_ms: of('p50_ms'), p90_ms: of('p90_ms'), p99_ms: of('p99_ms') },
    ...{ p999_ms: of('p999_ms'), refused: windows.reduce((sum, { refused }) => sum + refused, 0) },
  }
}
