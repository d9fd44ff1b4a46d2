/**
 * The machine of the database is gone and does not come back. Its replica, which had all that was
 * ever confirmed, takes over while people pay.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../bench/server.ts'
import { openSite } from '../../bench/site.ts'
import { gather } from './crowd-process.ts'
import { prepareDatabase } from './database.ts'
import type { Insisted } from './insisting.ts'
import { type Kept, keptIn, ownedIn } from './kept-promises.ts'
import { findTools, openPair, type Pair, type Server } from './pair.ts'
import type { Mark, Plan } from './place.ts'
import { broken } from './stop.ts'
import { openSwitch, type Switch } from './switch.ts'
import type { Second } from './timeline.ts'

export interface FailoverFigures extends Kept {
  readonly postgres: number
  readonly sent: number
  readonly acknowledged: number
  readonly refused: Insisted['refused']
  readonly again: Insisted['again']
  readonly without_retry_after: number
  readonly slowest_ms: number
  /** Until three looks in a row had found nobody. */
  readonly noticed_ms: number
  /** From then until the replica took writes. */
  readonly promoted_ms: number
  /** Nobody could pay: from the last payment before to the first one after. */
  readonly gap_ms: number
  readonly missed: readonly string[]
  readonly timeline: readonly Second[]
  readonly marks: readonly Mark[]
}

const [PEOPLE, CALLERS, EVERY_MS] = [100, 32, 40]
const CALM_S = { quick: 5, long: 15 }
const AFTER_S = { quick: 15, long: 30 }

/** @returns undefined where the tools are not installed. */
export async function failover(plan: Plan): Promise<FailoverFigures | undefined> {
  const tools = findTools()
  if (tools === undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'florin-failover-'))
  plan.say(`failover: two servers of Postgres ${tools.version}, the second one synchronous`)
  try {
    const pair = await openPair(folder, tools.folder)
    try {
      return { postgres: tools.version, ...(await failOverSwitched(plan, folder, pair)) }
    } finally {
      await pair.stop()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function failOverSwitched(plan: Plan, folder: string, pair: Pair) {
  const turn = await openSwitch(pair.primary.port)
  try {
    return await failOver(plan, folder, pair, turn)
  } finally {
    await turn.close()
  }
}

async function failOver(plan: Plan, folder: string, pair: Pair, turn: Switch) {
  const { quick, say, seed } = plan
  const name = await prepareDatabase(pair.primary.urlOf)
  const urlOf = (role: string) => `postgres://${role}@127.0.0.1:${turn.port}/${name}`
  const database = { url: urlOf('postgres'), urlOf }
  const site = await openSite({ database, folder, people: PEOPLE, hasWorker: true })
  try {
    const crowd = await gather(site, seed)
    const calm_s = quick ? CALM_S.quick : CALM_S.long
    const seconds = calm_s + (quick ? AFTER_S.quick : AFTER_S.long)
    const [journalFile, before] = [join(folder, 'client.jsonl'), await ownedIn(database.url)]
    const started = performance.now()
    const insisting = crowd.do({
      ...{ do: 'insist', callers: CALLERS, seconds, every_ms: EVERY_MS, journalFile },
    })
    // Heard of below; until then it must not end this process, which has others to stop.
    insisting.catch(() => {})
    const now_ms = () => Math.round(performance.now() - started)
    await sleep(calm_s * 1000)
    const killed_ms = now_ms()
    say(`failover: ${killed_ms} ms: the primary is killed`)
    const noticing = gone(pair.primary)
    await pair.primary.kill()
    await noticing
    const noticed_ms = now_ms()
    const replica = await pair.promote()
    await takesWrites(replica)
    turn.turnTo(replica.port)
    const promoted_ms = now_ms()
    say(`failover: ${promoted_ms} ms: the replica takes over`)
    const done = await insisting
    await crowd.leave()
    const told = { url: replica.urlOf('postgres', name), journalFile, logFiles: pair.logFiles }
    const figures = {
      ...(await keptIn({ ...told, before, say })),
      ...{ sent: done.sent, acknowledged: done.acknowledged, refused: done.refused },
      ...{ again: done.again, without_retry_after: done.withoutRetryAfter },
      slowest_ms: Math.round(done.slowest_ms),
      ...{ noticed_ms: noticed_ms - killed_ms, promoted_ms: promoted_ms - noticed_ms },
      gap_ms: gapAround(done.paidAt_ms, killed_ms),
    }
    const marks = [
      { at_s: killed_ms / 1000, what: 'the primary is killed' },
      { at_s: promoted_ms / 1000, what: 'the replica takes over' },
    ]
    return { ...figures, missed: missedOf(figures), timeline: done.timeline, marks }
  } finally {
    await site.stop()
  }
}

/** The longest time in which nobody had paid, among those that end after `from_ms`. */
export function gapAround(paidAt_ms: readonly number[], from_ms: number): number {
  const gaps = paidAt_ms.map((at, index) => (at > from_ms ? at - (paidAt_ms[index - 1] ?? 0) : 0))
  return Math.round(Math.max(...gaps))
}

const GAP_MAX_MS = 20_000

const missedOf = (figures: Parameters<typeof broken>[0] & { readonly gap_ms: number }) => [
  ...broken(figures),
  ...(figures.gap_ms > GAP_MAX_MS ? [`nobody could pay for ${figures.gap_ms} ms`] : []),
]

const [LOOKS, LOOK_EVERY_MS] = [3, 200]

/** As whoever watches a primary would decide: not by one look. */
async function gone(server: Server): Promise<void> {
  for (let missed = 0; missed < LOOKS;) {
    await sleep(LOOK_EVERY_MS)
    const isThere = await run(server.urlOf('postgres', 'postgres'), 'SELECT 1').then(
      () => true,
      () => false,
    )
    missed = isThere ? 0 : missed + 1
  }
}

async function takesWrites(server: Server): Promise<void> {
  for (;;) {
    const [row] = await run(
      server.urlOf('postgres', 'postgres'),
      'SELECT pg_is_in_recovery()::text AS r',
    )
    if (row?.['r'] === 'false') return
    await sleep(20)
  }
}
