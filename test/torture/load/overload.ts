/**
 * Three times as many as can be served, and they do not wait for each other. Whoever cannot be
 * served must hear so at once and be told when to come again; the others must be served as if there
 * were no crowd; and when it has gone, nothing may be left of it.
 */
import {
  inPlace,
  type Mark,
  maximumOf,
  median,
  type Place,
  type Plan,
  rounded,
  unmeasured,
} from './place.ts'
import type { Offered } from './pace.ts'
import type { Second } from './timeline.ts'

export interface OverloadFigures {
  readonly maximum_per_s: number
  /** What was sent. */
  readonly offered_per_s: number
  /** Payments that were made, each second of the overload. */
  readonly goodput_per_s: number
  /** Of what it could do before and after each crowd: the median of all, and each. */
  readonly goodput_ratio: number
  readonly goodput_ratios: readonly number[]
  readonly statuses: Readonly<Record<string, number>>
  readonly without_retry_after: number
  /** The crowd's own limit: meant to come, and never sent. */
  readonly not_offered: number
  /** Of all that were meant to come. */
  readonly not_offered_share: number
  /** The most that the crowd was behind its own plan. */
  readonly late_ms: number
  readonly asking_max: number
  readonly normal_p99_ms: number
  readonly overload_p99_ms: number
  readonly refusal_p99_ms: number
  /** Seconds until p99 was below twice the normal again; null if it never was. */
  readonly recovered_after_s: number | null
  readonly missed: readonly string[]
  readonly timeline: readonly Second[]
  readonly marks: readonly Mark[]
}

const TIMES = 3
const NORMAL_SHARE = 0.5
/** Normal is what it is before, for so long, and what it should be afterwards. */
const NORMAL_S = { quick: 5, long: 10 }
/** A p99 of a few milliseconds doubles by a neighbour's hiccup. */
const ALLOWANCE_MS = 10

export const overload = (plan: Plan): Promise<OverloadFigures> =>
  inPlace(plan, async (place) => {
    const normal_s = plan.quick ? NORMAL_S.quick : NORMAL_S.long
    const maximum = await maximumOf(place, plan.quick ? 4 : 10)
    const calm = Math.round(maximum * NORMAL_SHARE)
    const before = await arrive(place, calm, normal_s)
    const storms: Storm[] = []
    let after = before
    for (const round of Array.from({ length: ROUNDS }, (_, index) => index + 1)) {
      const able = storms.at(-1)?.ableAfter ?? maximum
      plan.say(
        `overload: ${Math.round(able)}/s at most; ${TIMES} times that, ${round} of ${ROUNDS}`,
      )
      const storm = await arrive(place, Math.round(able * TIMES), plan.seconds / ROUNDS)
      if (round === ROUNDS) after = await arrive(place, calm, normal_s)
      storms.push({ able, storm, ableAfter: await maximumOf(place, plan.quick ? 3 : 5) })
    }
    return figuresOf(before, storms, after)
  })

/** What it can do changes with what else the machine does: it is asked between storms. */
interface Storm {
  readonly able: number
  readonly storm: Offered
  readonly ableAfter: number
}

/** Each comes when the one before has gone; what the machine does beside one is not the median. */
const ROUNDS = 5

function figuresOf(before: Offered, storms: readonly Storm[], after: Offered): OverloadFigures {
  const ratios = storms.map(
    ({ able, storm, ableAfter }) => goodputOf(settled(storm)) / ((able + ableAfter) / 2),
  )
  const parts = [before, ...storms.map(({ storm }) => storm), after]
  const { timeline, marks } = inARow(parts)
  const during = storms.flatMap(({ storm }) => storm.timeline)
  const sum = (read: (one: Offered) => number) =>
    storms.reduce((all, { storm }) => all + read(storm), 0)
  const [sent, not_offered] = [sum(offeredIn), sum(({ notOffered }) => notOffered)]
  const normal_p99_ms = p99Of(before.timeline, 'p99_ms')
  const figures = {
    maximum_per_s: Math.round(median(storms.flatMap((one) => [one.able, one.ableAfter]))),
    offered_per_s: Math.round(sent / during.length),
    goodput_per_s: Math.round(goodputOf(storms.flatMap(({ storm }) => settled(storm)))),
    ...{
      goodput_ratio: rounded(median(ratios), 3),
      goodput_ratios: ratios.map((one) => rounded(one, 3)),
    },
    statuses: added(storms.map(({ storm }) => storm.statuses)),
    without_retry_after: sum(({ withoutRetryAfter }) => withoutRetryAfter),
    ...{ not_offered, not_offered_share: rounded(not_offered / (sent + not_offered), 3) },
    late_ms: Math.max(...storms.map(({ storm }) => storm.late_ms)),
    asking_max: Math.max(...storms.map(({ storm }) => storm.askingMax)),
    ...{ normal_p99_ms, overload_p99_ms: p99Of(during, 'p99_ms') },
    refusal_p99_ms: p99Of(during, 'refused_p99_ms'),
    recovered_after_s: recoveryOf(after.timeline, 2 * normal_p99_ms + ALLOWANCE_MS),
  }
  return { ...figures, missed: missedOf(figures), timeline, marks }
}

/** For so long more are let in than may stay, and fewer refused: that is no overload yet. */
const FILLING_S = 6
const settled = ({ timeline }: Offered) => timeline.slice(FILLING_S)
const goodputOf = (seconds: readonly Second[]) =>
  seconds.reduce((all, { per_s }) => all + per_s, 0) / seconds.length

const offeredIn = ({ timeline }: Offered) => timeline.reduce((all, one) => all + one.offered, 0)

/** One after another, without what was done between them. */
function inARow(parts: readonly Offered[]): Pick<OverloadFigures, 'timeline' | 'marks'> {
  const [timeline, marks]: [Second[], Mark[]] = [[], []]
  for (const [index, part] of parts.entries()) {
    const from = timeline.length
    const isStorm = index > 0 && index < parts.length - 1
    if (index > 0) marks.push({ at_s: from, what: isStorm ? `${TIMES} times the maximum` : 'over' })
    timeline.push(...part.timeline.map((one) => ({ ...one, at_s: from + one.at_s })))
  }
  return { timeline, marks }
}

function added(all: readonly Offered['statuses'][]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [status, count] of all.flatMap((one) => Object.entries(one))) {
    sums[status] = (sums[status] ?? 0) + count
  }
  return sums
}

const arrive = ({ crowd }: Place, per_s: number, seconds: number) =>
  crowd.do({ do: 'arrive', per_s, seconds })

const p99Of = (timeline: readonly Second[], name: 'p99_ms' | 'refused_p99_ms') =>
  rounded(median(timeline.map((one) => one[name]).filter((one) => one !== null)))

/** @returns the first second from which on two in a row were below. */
export function recoveryOf(timeline: readonly Second[], below_ms: number): number | null {
  const isCalm = (one: Second | undefined) => (one?.p99_ms ?? Infinity) < below_ms
  const index = timeline.findIndex((one, at) => isCalm(one) && isCalm(timeline[at + 1]))
  return index < 0 ? null : index
}

const GOODPUT_MIN = 0.8
const RECOVERY_MAX_S = 5
/** With more of them missing it was not so many times what can be served. */
const NOT_OFFERED_SHARE_MAX = 0.05

type Judged = Omit<OverloadFigures, 'missed' | 'timeline' | 'marks'>

export function missedOf(figures: Judged): string[] {
  const { goodput_ratio, statuses, recovered_after_s, without_retry_after } = figures
  const missed = unmeasured(figures)
  if (figures.not_offered_share > NOT_OFFERED_SHARE_MAX) {
    missed.push(`${figures.not_offered} could not even ask: no ${TIMES} times the maximum`)
  }
  if (goodput_ratio < GOODPUT_MIN) missed.push(`goodput is ${goodput_ratio} of the maximum`)
  if (without_retry_after > 0) missed.push(`${without_retry_after} of 503 without Retry-After`)
  for (const [status, count] of Object.entries(statuses)) {
    if (status !== '201' && status !== '503') missed.push(`${count} answers of ${status}`)
  }
  if (recovered_after_s === null || recovered_after_s > RECOVERY_MAX_S) {
    missed.push(`not as before within ${RECOVERY_MAX_S} s`)
  }
  return missed
}
