/**
 * Three times as many as can be served, and they do not wait for each other. Whoever cannot be
 * served must hear so at once and be told when to come again; the others must be served as if there
 * were no crowd; and when it has gone, nothing may be left of it.
 */
import { inPlace, type Mark, maximumOf, median, type Place, type Plan, rounded } from './place.ts'
import type { Second } from './timeline.ts'

export interface OverloadFigures {
  readonly maximum_per_s: number
  readonly maximum_afterwards_per_s: number
  readonly offered_per_s: number
  /** Payments that were made, each second of the overload. */
  readonly goodput_per_s: number
  readonly goodput_ratio: number
  readonly statuses: Readonly<Record<string, number>>
  readonly without_retry_after: number
  /** The crowd's own limit: meant to come, and never sent. */
  readonly not_offered: number
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
    const { seconds, quick, say } = plan
    const measured_s = quick ? 4 : 10
    const maximum = await maximumOf(place, measured_s)
    const normal_s = quick ? NORMAL_S.quick : NORMAL_S.long
    const [calm, storm] = [Math.round(maximum * NORMAL_SHARE), Math.round(maximum * TIMES)]
    say(`overload: ${Math.round(maximum)}/s at most; ${storm}/s for ${seconds} s`)
    const before = await arrive(place, calm, normal_s)
    const during = await arrive(place, storm, seconds)
    const after = await arrive(place, calm, normal_s)
    const again = await maximumOf(place, measured_s)
    const starts = [0, normal_s, normal_s + seconds]
    const timeline = [before, during, after].flatMap((one, index) =>
      one.timeline.map((second) => ({ ...second, at_s: second.at_s + (starts[index] ?? 0) })),
    )
    const normal_p99_ms = p99Of(before.timeline, 'p99_ms')
    const goodput = during.paid / seconds
    const figures = {
      ...{ maximum_per_s: Math.round(maximum), maximum_afterwards_per_s: Math.round(again) },
      ...{ offered_per_s: storm, goodput_per_s: Math.round(goodput) },
      // The machine is shared: what it could do is what it could before and can now.
      goodput_ratio: rounded(goodput / ((maximum + again) / 2), 3),
      ...{ statuses: during.statuses, without_retry_after: during.withoutRetryAfter },
      ...{ not_offered: during.notOffered, asking_max: during.askingMax, normal_p99_ms },
      overload_p99_ms: p99Of(during.timeline, 'p99_ms'),
      refusal_p99_ms: p99Of(during.timeline, 'refused_p99_ms'),
      recovered_after_s: recoveryOf(after.timeline, 2 * normal_p99_ms + ALLOWANCE_MS),
    }
    const marks = [
      { at_s: normal_s, what: `${TIMES} times the maximum` },
      { at_s: normal_s + seconds, what: 'over' },
    ]
    return { ...figures, missed: missedOf(figures), timeline, marks }
  })

const arrive = ({ crowd }: Place, per_s: number, seconds: number) =>
  crowd.do({ do: 'arrive', per_s, seconds })

const p99Of = (timeline: readonly Second[], name: 'p99_ms' | 'refused_p99_ms') =>
  rounded(median(timeline.map((one) => one[name]).filter((one) => one !== null)))

/** @returns the first second from which on two in a row were below. */
export function recoveryOf(timeline: readonly Second[], below_ms: number): number | null {
  const isCalm = (one: Second | undefined) => one?.p99_ms != null && one.p99_ms < below_ms
  const index = timeline.findIndex((one, at) => isCalm(one) && isCalm(timeline[at + 1]))
  return index < 0 ? null : index
}

const GOODPUT_MIN = 0.8
const RECOVERY_MAX_S = 5

type Judged = Omit<OverloadFigures, 'missed' | 'timeline' | 'marks'>

export function missedOf(figures: Judged): string[] {
  const { goodput_ratio, statuses, recovered_after_s, without_retry_after } = figures
  const missed: string[] = []
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
