/** The same load on small, new books and on large, old ones. */
import type { Measured } from './books.ts'
import { openOurs } from './contenders.ts'
import { type Cost, costOf, tallyIn } from './counters.ts'
import { fill, transfersOf } from './fill.ts'
import { type Bench, SMALL } from './plan.ts'
import { inTurns, paceOf, ratioOf, warmUp } from './rounds.ts'
import { examineSides, runnerOf, sideOf, spread } from './sides.ts'

interface Size {
  readonly accounts: number
  readonly transfers: number
  readonly per_s: number
  readonly cost: Cost
}

export interface GrowthFigures {
  readonly growth: {
    /** Large over small. */
    readonly ratio: number
    readonly per_s_small: number
    readonly per_s_large: number
    readonly fill_s: number
    readonly small: Size
    readonly large: Size
  }
}

export async function measureGrowth(bench: Bench): Promise<Measured<GrowthFigures>> {
  const { server, meter, plan, say } = bench
  const past = plan.growth.large
  say(`growth: ${past.wallets} accounts and ${transfersOf(past)} transfers, against 20,000`)
  const smallBooks = await server.databaseOf('florin_bench_small')
  await fill(smallBooks.url, SMALL, say)
  const largeBooks = await server.databaseOf('florin_bench_large')
  const fillBegun = performance.now()
  await fill(largeBooks.url, past, say)
  const fill_s = (performance.now() - fillBegun) / 1000
  const sides = [
    await sideOf('large', largeBooks, openOurs(largeBooks), past),
    await sideOf('small', smallBooks, openOurs(smallBooks), SMALL),
  ]
  const runners = sides.map((side) => runnerOf(meter, side, spread))
  await warmUp(runners, plan.growth)
  await server.checkpoint()
  const tallies = () => Promise.all(sides.map((side) => tallyIn(side.database)))
  const before = await tallies()
  const rounds = await inTurns('growth', runners, plan.growth, say)
  const after = await tallies()
  const [large, small] = [past, SMALL].map((size, index): Size => {
    const [of = [], from, to] = [rounds[index], before[index], after[index]]
    if (from === undefined || to === undefined) throw new Error('a side was not counted')
    const counts = { accounts: size.wallets, transfers: transfersOf(size) }
    return { ...counts, per_s: paceOf(of), cost: costOf(of, from, to) }
  }) as [Size, Size]
  const ratio = ratioOf(rounds[0], rounds[1])
  const paces = { ratio, per_s_small: small.per_s, per_s_large: large.per_s }
  const examined = await examineSides(sides, say)
  return { figures: { growth: { ...paces, fill_s, small, large } }, ...examined }
}
