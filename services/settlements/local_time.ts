/** What clocks show in a place, and when they show it. Pure. */
import type { Day } from './business_days.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

const clocks = new Map<string, Intl.DateTimeFormat>()

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat('en', {
    ...{ timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' },
  })
  clocks.set(timeZone, made)
  return made
}

export function isTimeZone(name: string): boolean {
  try {
    return clockOf(name) !== undefined
  } catch {
    return false
  }
}

/** What clocks there show, as if it were UTC, in milliseconds. */
function shown(at: number, timeZone: string): number {
  const parts = clockOf(timeZone).formatToParts(at)
  const part = (type: string) =>
    Number.parseInt(parts.find((one) => one.type === type)?.value ?? '', 10)
  const date = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'))
  return date + (((at % MINUTE_MS) + MINUTE_MS) % MINUTE_MS)
}

const offsetAt = (at: number, timeZone: string) => shown(at, timeZone) - at

/** Which day it is there. */
export const localDay = (at: Date, timeZone: string): Day =>
  Math.floor(shown(at.getTime(), timeZone) / DAY_MS)

/** Minutes since midnight of "17:30". */
const minutesOf = (time: string) =>
  Number.parseInt(time.slice(0, 2), 10) * 60 + Number.parseInt(time.slice(3), 10)

/**
 * When clocks there show `time` on that day. Where they show it twice, the first time; where they
 * skip it, as much after the skip as it is after its beginning.
 */
export function momentOf(day: Day, time: string, timeZone: string): Date {
  const local = day * DAY_MS + minutesOf(time) * MINUTE_MS
  const [before, after] = [local - DAY_MS, local + DAY_MS].map((at) => offsetAt(at, timeZone))
  const first = local - (before ?? 0)
  const second = local - (after ?? 0)
  const isSecond = offsetAt(first, timeZone) !== before && offsetAt(second, timeZone) === after
  return new Date(isSecond ? second : first)
}
