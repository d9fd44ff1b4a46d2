/**
 * A database that is not there for twenty seconds: once because all of its processes stand still,
 * and once because it was killed. People go on paying meanwhile, and again until they know.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Insisted } from './insisting.ts'
import { inPlace, type Mark, type Place, type Plan } from './place.ts'
import { type Kept, keptIn, ownedIn } from './kept-promises.ts'
import { type Second } from './timeline.ts'
import { join } from 'node:path'

export interface StopFigures extends Kept {
  readonly sent: number
  readonly acknowledged: number
  readonly refused: Insisted['refused']
  readonly again: Insisted['again']
  readonly without_retry_after: number
  readonly slowest_ms: number
  /** From the moment at which the database was there again to the first payment. */
  readonly frozen_back_ms: number | null
  readonly killed_back_ms: number | null
  readonly missed: readonly string[]
  readonly timeline: readonly Second[]
  readonly marks: readonly Mark[]
}

const CALLERS = 32
const EVERY_MS = 40
const AWAY_S = { quick: 12, long: 20 }
/** Before, between and after. */
const CALM_S = { quick: 4, long: 10 }
/** A statement's time, a lock's, and what a connection may be silent beside. */
const ANSWER_MAX_MS = 13_000
/** The breathing of pools that connect again. */
const BACK_MAX_MS = 10_000

export const stop = (plan: Plan): Promise<StopFigures> =>
  inPlace(plan, async (place) => {
    const { say, quick } = plan
    const [away_s, calm_s] = quick ? [AWAY_S.quick, CALM_S.quick] : [AWAY_S.long, CALM_S.long]
    const journalFile = join(place.folder, 'client.jsonl')
    const seconds = 3 * calm_s + 2 * away_s
    say(`stop: the database stands still for ${away_s} s, and is killed for as long`)
    const before = await ownedIn(place.database.url)
    const order = { do: 'insist', callers: CALLERS, seconds, every_ms: EVERY_MS } as const
    const started = performance.now()
    const insisting = place.crowd.do({ ...order, journalFile })
    // Heard of below; until then it must not end this process, which has others to stop.
    insisting.catch(() => {})
    const marks: Mark[] = []
    const mark = (what: string) => {
      const at_s = (performance.now() - started) / 1000
      marks.push({ at_s, what })
      say(`stop: ${at_s.toFixed(1)} s: ${what}`)
      return at_s
    }
    const thawed = await freeze(place, calm_s, away_s, mark)
    const restarted = await kill(place, calm_s, away_s, mark)
    const done = await insisting
    const logFiles = [join(place.folder, 'postgres.log')]
    const kept = await keptIn({ url: place.database.url, journalFile, logFiles, before, say })
    const figures = {
      ...{ sent: done.sent, acknowledged: done.acknowledged, refused: done.refused, ...kept },
      ...{ again: done.again, without_retry_after: done.withoutRetryAfter },
      slowest_ms: Math.round(done.slowest_ms),
      frozen_back_ms: backOf(done.paidAt_ms, thawed * 1000),
      killed_back_ms: backOf(done.paidAt_ms, restarted * 1000),
    }
    return { ...figures, missed: missedOf(figures), timeline: done.timeline, marks }
  })

type MarkAt = (what: string) => number

async function freeze({ database }: Place, calm_s: number, away_s: number, mark: MarkAt) {
  await sleep(calm_s * 1000)
  mark('Postgres stands still')
  database.freeze()
  await sleep(away_s * 1000)
  database.thaw()
  return mark('Postgres goes on')
}

async function kill({ database }: Place, calm_s: number, away_s: number, mark: MarkAt) {
  await sleep(calm_s * 1000)
  mark('Postgres is killed')
  await database.kill()
  await sleep(away_s * 1000)
  await database.startAgain()
  return mark('Postgres is there again')
}

/** Milliseconds from then until somebody had paid. */
export function backOf(paidAt_ms: readonly number[], from_ms: number): number | null {
  const first = paidAt_ms.find((at) => at >= from_ms)
  return first === undefined ? null : Math.round(first - from_ms)
}

type Judged = Omit<StopFigures, 'missed' | 'timeline' | 'marks'>

function missedOf(figures: Judged): string[] {
  const missed = broken(figures)
  for (const name of ['frozen_back_ms', 'killed_back_ms'] as const) {
    const ms = figures[name]
    if (ms === null || ms > BACK_MAX_MS) missed.push(`${name} is ${ms}`)
  }
  return missed
}

/** Unavailable, or still at work on the same key. */
const AGAIN = ['503', '409']

/** What must never be, whatever becomes of the database. */
export function broken(
  figures: Kept & Pick<StopFigures, 'refused' | 'again' | 'without_retry_after' | 'slowest_ms'>,
): string[] {
  const { lost, duplicated, invented, balances_wrong, violations, deadlocks, again } = figures
  const zeros = { lost, duplicated, invented, balances_wrong, violations, deadlocks }
  const missed = Object.entries(zeros)
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => `${name}: ${count}`)
  missed.push(...Object.entries(figures.refused).map(([what, count]) => `${count} of ${what}`))
  for (const [why, count] of Object.entries(again)) {
    if (!AGAIN.includes(why)) missed.push(`${count} had to ask again because of ${why}`)
  }
  if (figures.without_retry_after > 0) {
    missed.push(`${figures.without_retry_after} of 503 without Retry-After`)
  }
  if (figures.slowest_ms > ANSWER_MAX_MS) missed.push(`an answer took ${figures.slowest_ms} ms`)
  return missed
}
