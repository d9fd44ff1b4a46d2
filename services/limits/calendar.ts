/** Which day, week and month it is, as numbers that count up. */
import type { Calendar } from '../../ledger/index.ts'

/** No zone changes its offset within such a span of the clock. */
const SPAN_MS = 15 * 60_000
const DAY_MS = 86_400_000
/** 1 January 1970 was a Thursday: three days after a Monday. */
const THURSDAY = 3

/** A calendar of one time zone. Weeks begin on Monday. */
export function openCalendar(timeZone: string): (at: Date) => Calendar {
  const clock = new Intl.DateTimeFormat('en', {
    ...{ timeZone, calendar: 'gregory', numberingSystem: 'latn' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
  })
  let span = Number.NaN
  let known: Calendar = { day: 0n, week: 0n, month: 0n }

  return (at) => {
    const current = Math.floor(at.getTime() / SPAN_MS)
    if (current === span) return known
    const parts = clock.formatToParts(at)
    const part = (type: string) => parts.find((one) => one.type === type)?.value ?? ''
    const [year, month, day] = ['year', 'month', 'day'].map((type) =>
      Number.parseInt(part(type), 10),
    )
    const days = Date.UTC(year ?? 0, (month ?? 1) - 1, day) / DAY_MS
    known = {
      day: BigInt(days),
      week: BigInt(Math.floor((days + THURSDAY) / 7)),
      month: BigInt((year ?? 0) * 12 + (month ?? 1)),
    }
    span = current
    return known
  }
}

/** The first day of the period after the one that `at` is in, as a date of the calendar. */
export function nextPeriod(at: Calendar, period: keyof Calendar): string {
  const day = Number(at.day)
  const [year, month] = [Math.floor((Number(at.month) - 1) / 12), (Number(at.month) - 1) % 12]
  const first = {
    day: (day + 1) * DAY_MS,
    week: ((Number(at.week) + 1) * 7 - THURSDAY) * DAY_MS,
    month: Date.UTC(year, month + 1),
  }
  return new Date(first[period]).toISOString().slice(0, 10)
}
