/**
 * Hours in small: seven tenths of what the service can do, for as long as it is told to. What grows
 * then grows for ever: memory, waiting, the queue.
 */
import { metricsOf, type Site } from '../../bench/site.ts'
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
import type { Second } from './timeline.ts'

interface Sample {
  readonly at_s: number
  readonly api_mb: number
  readonly worker_mb: number
  readonly api_heap_mb: number
  readonly lag_ms: number
  /** Units that wait to be written. */
  readonly waiting: number
}

export interface SoakFigures {
  readonly maximum_per_s: number
  readonly offered_per_s: number
  readonly answered_per_s: number
  /** Meant to come, and never sent. */
  readonly not_offered: number
  /** The most that the crowd was behind its own plan. */
  readonly late_ms: number
  readonly statuses: Readonly<Record<string, number>>
  readonly p50_ms: number
  readonly p99_ms: number
  /** Medians of a second's p99, in the second fifth and in the last one. */
  readonly p99_early_ms: number
  readonly p99_late_ms: number
  readonly api_mb_early: number
  readonly api_mb_late: number
  readonly worker_mb_early: number
  readonly worker_mb_late: number
  readonly api_mb_per_minute: number
  readonly worker_mb_per_minute: number
  readonly lag_ms_median: number
  readonly lag_ms_max: number
  readonly waiting_max: number
  /** Demands that were not met, in words. */
  readonly missed: readonly string[]
  readonly timeline: readonly Second[]
  readonly samples: readonly Sample[]
  readonly marks: readonly Mark[]
}

const SHARE = 0.7
const SAMPLE_EVERY_MS = 5_000

export const soak = (plan: Plan): Promise<SoakFigures> =>
  inPlace(plan, async (place) => {
    const { seconds, quick, say } = plan
    const maximum = await maximumOf(place, quick ? 4 : 10)
    const per_s = Math.round(maximum * SHARE)
    say(`soak: ${Math.round(maximum)}/s at most; ${per_s}/s for ${seconds} s`)
    const [offered, samples] = await sampledDuring(
      place.site,
      quick ? 1_000 : SAMPLE_EVERY_MS,
      () => arrive(place, per_s, seconds),
    )
    const { timeline, paid, statuses, notOffered, late_ms } = offered
    const sent = timeline.reduce((all, one) => all + one.offered, 0)
    const figures = {
      ...{ maximum_per_s: Math.round(maximum), offered_per_s: rounded(sent / seconds), statuses },
      ...{ answered_per_s: rounded(paid / seconds), not_offered: notOffered, late_ms },
      ...latencies(timeline),
      ...growth(samples, seconds),
    }
    const refusals = Object.keys(statuses).filter((status) => status !== '201')
    const missed = [
      ...missedOf(figures, quick),
      ...refusals.map((status) => `${statuses[status]} answers of ${status}`),
    ]
    return { ...figures, missed, timeline, samples, marks: [] }
  })

const arrive = ({ crowd }: Place, per_s: number, seconds: number) =>
  crowd.do({ do: 'arrive', per_s, seconds })

const of = (values: readonly (number | null)[]) => values.filter((one) => one !== null)

/** The part of a run between two shares of it. */
const part = <T>(all: readonly T[], from: number, to: number) =>
  all.slice(Math.floor(all.length * from), Math.ceil(all.length * to))

/** The first fifth is for warming up; a median of seconds does not see a neighbour's hiccup. */
function latencies(timeline: readonly Second[]) {
  const p99 = (from: number, to: number) =>
    rounded(median(of(part(timeline, from, to).map(({ p99_ms }) => p99_ms))))
  return {
    p50_ms: rounded(median(of(timeline.map(({ p50_ms }) => p50_ms)))),
    ...{ p99_ms: p99(0.2, 1), p99_early_ms: p99(0.2, 0.4), p99_late_ms: p99(0.8, 1) },
  }
}

function growth(samples: readonly Sample[], seconds: number) {
  const steady = part(samples, 0.2, 1)
  const middle = (name: keyof Sample, from: number, to: number) =>
    rounded(median(part(samples, from, to).map((one) => one[name])))
  const slope = (name: keyof Sample) =>
    rounded(slopeOf(steady.map((one) => [one.at_s / 60, one[name]])), 2)
  return {
    ...{ api_mb_early: middle('api_mb', 0.2, 0.4), api_mb_late: middle('api_mb', 0.8, 1) },
    worker_mb_early: middle('worker_mb', 0.2, 0.4),
    worker_mb_late: middle('worker_mb', 0.8, 1),
    ...{ api_mb_per_minute: slope('api_mb'), worker_mb_per_minute: slope('worker_mb') },
    lag_ms_median: middle('lag_ms', 0, 1),
    lag_ms_max: rounded(Math.max(...steady.map((one) => one.lag_ms))),
    waiting_max: Math.max(...samples.map((one) => one.waiting)),
    samples_taken: samples.length,
    seconds,
  }
}

/** By least squares. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, one) => sum + one, 0) / values.length
  const [x, y] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const above = points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0)
  return above / points.reduce((sum, [px]) => sum + (px - x) ** 2, 0)
}

/** Megabytes a minute over half an hour: less than what a process may have at all. */
const GROWTH_MAX_MB = 2
/** In minutes a heap still finds its size: what it grows by then says nothing of hours. */
const GROWTH_JUDGED_FROM_S = 300
const MEMORY_RATIO_MAX = 1.25
const P99_RATIO_MAX = 1.5
const P99_ALLOWANCE_MS = 20
/** Of the 4,096 that may wait before anybody is refused. */
const WAITING_MAX = 2_048

type Judged = ReturnType<typeof growth> &
  ReturnType<typeof latencies> &
  Pick<SoakFigures, 'not_offered'>

export function missedOf(figures: Judged, quick: boolean): string[] {
  const missed = unmeasured(figures)
  if (figures.not_offered > 0) missed.push(`${figures.not_offered} could not even ask`)
  for (const who of ['api', 'worker'] as const) {
    const [early, late] = [figures[`${who}_mb_early`], figures[`${who}_mb_late`]]
    const perMinute = figures[`${who}_mb_per_minute`]
    if (late > early * MEMORY_RATIO_MAX) missed.push(`${who}: from ${early} MB to ${late} MB`)
    const isLong = !quick && figures.seconds >= GROWTH_JUDGED_FROM_S
    if (isLong && perMinute > GROWTH_MAX_MB) missed.push(`${who}: ${perMinute} MB more a minute`)
  }
  const { p99_early_ms: early, p99_late_ms: late, waiting_max } = figures
  if (late > early * P99_RATIO_MAX + P99_ALLOWANCE_MS) {
    missed.push(`p99: from ${early} ms to ${late} ms`)
  }
  if (waiting_max > WAITING_MAX) missed.push(`${waiting_max} units waited`)
  return missed
}

/** What `work` gives, and what the processes said of themselves meanwhile. */
async function sampledDuring<T>(
  site: Site,
  every_ms: number,
  work: () => Promise<T>,
): Promise<readonly [T, readonly Sample[]]> {
  const started = performance.now()
  const samples: Promise<Sample>[] = []
  const take = () => {
    const sample = sampleOf(site, (performance.now() - started) / 1000)
    // Heard of in the end; until then it must not end this process, which has others to stop.
    sample.catch(() => {})
    samples.push(sample)
  }
  const timer = setInterval(take, every_ms)
  try {
    return [await work(), await Promise.all(samples)]
  } finally {
    clearInterval(timer)
  }
}

async function sampleOf({ port, workerPort = 0 }: Site, at_s: number): Promise<Sample> {
  const said = async (by: number) => demanded(await metricsOf(by))
  const [api, worker] = await Promise.all([said(port), said(workerPort)])
  const mb = (read: typeof api, name: string) => rounded(read(name) / 1_000_000)
  return {
    ...{ at_s: rounded(at_s), api_mb: mb(api, 'florin_process_resident_memory_bytes') },
    worker_mb: mb(worker, 'florin_process_resident_memory_bytes'),
    api_heap_mb: mb(api, 'florin_nodejs_heap_size_used_bytes'),
    lag_ms: rounded(api('florin_nodejs_eventloop_lag_p99_seconds') * 1000),
    waiting: api('florin_group_waiting'),
  }
}

type Metrics = (name: string) => number | undefined

/** What a process does not say would be no number, and no number is ever too large. */
export const demanded = (read: Metrics) => (name: string) => {
  const value = read(name)
  if (value === undefined || !Number.isFinite(value)) throw new Error(`${name} is ${value}`)
  return value
}
