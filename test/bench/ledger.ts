/** The books alone: transfers per second through the group commit, against one call for each. */
import { openBaseline } from './baseline.ts'
import { type Measured, shapeOf } from './books.ts'
import { openOurs } from './contenders.ts'
import { type Cost, costOf, tallyIn } from './counters.ts'
import { fill } from './fill.ts'
import type { Round } from './load.ts'
import { type Bench, SMALL } from './plan.ts'
import { inTurns, medianOf, paceOf, ratioOf, warmUp } from './rounds.ts'
import { examineSides, type Load, LOADS, runnerOf, type Side, sideOf } from './sides.ts'

export interface ThroughputFigures extends Round {
  /** How many times the baseline. */
  readonly ratio: number
  readonly baseline_per_s: number
  readonly cost: Cost
  readonly baseline_cost: Cost
}

export interface LedgerFigures {
  readonly ledger: { readonly spread: ThroughputFigures; readonly hot: ThroughputFigures }
}

export async function measureLedger(bench: Bench): Promise<Measured<LedgerFigures>> {
  const { server, say } = bench
  say('ledger: 20,000 funded accounts, twice')
  const ours = await server.databaseOf('florin_bench_ours')
  await fill(ours.url, SMALL, say)
  const baseline = await server.databaseOf('florin_bench_baseline', ours.name)
  const a = await sideOf('ours', ours, openOurs(ours), SMALL)
  const b = await sideOf('one call each', baseline, await openBaseline(baseline), SMALL)
  const spread = await race(bench, 'spread', a, b)
  const hot = await race(bench, 'hot', a, b)
  const { faults, deadlocks } = await examineSides([a, b], say)
  const unequal = await differences(a, b)
  return { figures: { ledger: { spread, hot } }, faults: [...faults, ...unequal], deadlocks }
}

async function race(
  { server, meter, plan, say }: Bench,
  load: Load,
  a: Side,
  b: Side,
): Promise<ThroughputFigures> {
  const runners = [a, b].map((side) => runnerOf(meter, side, LOADS[load]))
  await warmUp(runners, plan.ledger)
  await server.checkpoint()
  const tallies = () => Promise.all([tallyIn(a.database), tallyIn(b.database)])
  const before = await tallies()
  const [ours = [], theirs = []] = await inTurns(`ledger ${load}`, runners, plan.ledger, say)
  const after = await tallies()
  return {
    ...{ ...medianOf(ours), ratio: ratioOf(ours, theirs), baseline_per_s: paceOf(theirs) },
    cost: costOf(ours, before[0], after[0]),
    baseline_cost: costOf(theirs, before[1], after[1]),
  }
}

/** A baseline that wrote less, or more, would be no baseline. */
async function differences(a: Side, b: Side): Promise<string[]> {
  const [ours, theirs] = await Promise.all([shapeOf(a.database), shapeOf(b.database)])
  return ours === theirs ? [] : [`ours fills ${ours}; the baseline fills ${theirs}`]
}
