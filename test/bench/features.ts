/** What each feature costs: throughput with it over throughput without it, in the same rounds. */
import type { Measured } from './books.ts'
import { type Contender, openHolds, openOurs } from './contenders.ts'
import { fill } from './fill.ts'
import { startHelper } from './helper.ts'
import { type Bench, SMALL } from './plan.ts'
import { inTurns, paceOf, ratioOf, warmUp } from './rounds.ts'
import { SEAL } from './seal.ts'
import type { Database } from './server.ts'
import { run } from './server.ts'
import { examineSides, type MeteredRound, runnerOf, type Side, sideOf, spread } from './sides.ts'

/** Ways to post; plain is what the others are compared with. */
const WAYS = {
  plain: openOurs,
  events: (database) => openOurs(database, { events: true }),
  claims: (database) => openOurs(database, { claims: true }),
  holds: openHolds,
  unchecked: openUnchecked,
  ...(SEAL !== undefined && { sealed: openSealed }),
} satisfies Record<string, (database: Database) => Contender | Promise<Contender>>

type Way = keyof typeof WAYS | 'sealed'

export interface FeaturesFigures {
  readonly features: {
    /** Transfers of one unit each, and nothing beside them. */
    readonly plain_per_s: number
    /** A row of the event log for each unit. */
    readonly events_ratio: number
    /** An idempotency key for each unit, with the answer stored under it. */
    readonly claims_ratio: number
    /** The statement trigger that checks new transfers once more. */
    readonly trigger_ratio: number
    /** Amounts reserved and then posted, per second, over amounts moved at once. */
    readonly holds_ratio: number
    /** A sealer at work in another process; null as long as there is none. */
    readonly sealing_ratio: number | null
  }
}

export async function measureFeatures(bench: Bench): Promise<Measured<FeaturesFigures>> {
  const { server, meter, plan, say } = bench
  say(`features: 20,000 funded accounts for each of ${Object.keys(WAYS).join(', ')}`)
  const template = await server.databaseOf('florin_bench_features')
  await fill(template.url, SMALL, say)
  const sides: Side[] = []
  for (const [way, open] of Object.entries(WAYS)) {
    const database = await server.databaseOf(`florin_bench_${way}`, template.name)
    sides.push(await sideOf(way, database, await open(database), SMALL))
  }
  const runners = sides.map((side) => runnerOf(meter, side, spread))
  await warmUp(runners, plan.features)
  await server.checkpoint()
  const rounds = await inTurns('features', runners, plan.features, say)
  const by = new Map(sides.map(({ name }, index) => [name, rounds[index] ?? []]))
  return { figures: { features: ratiosOf(by) }, ...(await examineSides(sides, say)) }
}

function ratiosOf(rounds: ReadonlyMap<string, readonly MeteredRound[]>) {
  const over = (way: Way, other: Way) => ratioOf(rounds.get(way), rounds.get(other))
  return {
    plain_per_s: paceOf(rounds.get('plain')),
    events_ratio: over('events', 'plain'),
    claims_ratio: over('claims', 'plain'),
    trigger_ratio: over('plain', 'unchecked'),
    holds_ratio: over('holds', 'plain'),
    sealing_ratio: rounds.has('sealed') ? over('sealed', 'plain') : null,
  }
}

async function openUnchecked(database: Database): Promise<Contender> {
  await run(database.url, 'ALTER TABLE transfers DISABLE TRIGGER check_transfers')
  return openOurs(database)
}

async function openSealed(database: Database): Promise<Contender> {
  const contender = openOurs(database)
  const sealer = startHelper(new URL('./sealer.ts', import.meta.url))
  await sealer.ask(database.urlOf('florin_worker'))
  return {
    ...contender,
    async close() {
      await contender.close()
      await sealer.dismiss()
    },
  }
}
