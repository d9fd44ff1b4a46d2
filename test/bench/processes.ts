/** Several processes on the same books: only the row locks keep them from each other. */
import { examine, type Measured } from './books.ts'
import { fill, transfersOf } from './fill.ts'
import { type Helper, startHelper } from './helper.ts'
import { type Bench, SMALL } from './plan.ts'
import type { PosterOrder, PosterPlan, PosterReport } from './poster.ts'
import { inTurns, median, paceOf, ratioOf, type Runner, warmUp } from './rounds.ts'
import type { Load } from './sides.ts'

interface Together {
  readonly per_s: number
  /** Of the fastest and the slowest of them. */
  readonly fastest_process_per_s: number
  readonly slowest_process_per_s: number
  /** All of them over one alone. */
  readonly ratio: number
}

type ByCount = Readonly<Record<'one' | 'two' | 'three', Together>>

export interface ProcessesFigures {
  readonly processes: {
    readonly spread: ByCount
    readonly hot: ByCount
    /** SQLSTATE 40P01. */
    readonly deadlocks: number
  }
}

const PROCESSES = 3

export async function measureProcesses(bench: Bench): Promise<Measured<ProcessesFigures>> {
  const { server, say } = bench
  say(`processes: ${PROCESSES} of them, each with a group of its own, on the same accounts`)
  const database = await server.databaseOf('florin_bench_processes')
  const { name, url, urlOf } = database
  await fill(url, SMALL, say)
  const posters = Array.from({ length: PROCESSES }, () =>
    startHelper(new URL('./poster.ts', import.meta.url)),
  )
  const transfers = { count: transfersOf(SMALL) }
  try {
    for (const [index, { ask }] of posters.entries()) {
      const plan: PosterPlan = { name, url, apiUrl: urlOf('florin_api'), seed: 1 + index }
      await ask(plan)
    }
    const spread = await measure(bench, posters, 'spread', transfers)
    const hot = await measure(bench, posters, 'hot', transfers)
    await Promise.all(posters.map(({ dismiss }) => dismiss({ seconds: 0 })))
    const examined = await examine(database, transfers.count, say)
    const { deadlocks } = examined
    return { figures: { processes: { spread, hot, deadlocks } }, ...examined }
  } finally {
    await Promise.all(posters.map(({ dismiss }) => dismiss()))
  }
}

interface RoundTogether {
  readonly per_s: number
  readonly each_per_s: readonly number[]
}

async function measure(
  { server, plan, say }: Bench,
  posters: readonly Helper[],
  load: Load,
  transfers: { count: number },
): Promise<ByCount> {
  const runners = posters.map((_, index): Runner<RoundTogether> => ({
    name: `${index + 1}`,
    async run(seconds) {
      const order: PosterOrder = { load, seconds }
      const busy = posters.slice(0, index + 1)
      const reports = await Promise.all(busy.map(({ ask }) => ask<PosterReport>(order)))
      transfers.count += reports.reduce((sum, { answered }) => sum + answered, 0)
      const each_per_s = reports.map(({ per_s }) => per_s)
      return { per_s: each_per_s.reduce((sum, one) => sum + one, 0), each_per_s }
    },
  }))
  await warmUp(runners, plan.processes)
  await server.checkpoint()
  const rounds = await inTurns(`processes ${load}`, runners, plan.processes, say)
  const of = (index: number): Together => {
    const ours = rounds[index] ?? []
    return {
      per_s: paceOf(ours),
      fastest_process_per_s: median(ours.map(({ each_per_s }) => Math.max(...each_per_s))),
      slowest_process_per_s: median(ours.map(({ each_per_s }) => Math.min(...each_per_s))),
      ratio: ratioOf(ours, rounds[0]),
    }
  }
  return { one: of(0), two: of(1), three: of(2) }
}
