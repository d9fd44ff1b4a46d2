/** When batches are due: from a merchant's schedules alone. Pure. */
import type { Currency, Uuid } from '../../ledger/index.ts'
import {
  businessDayAfter,
  type CalendarName,
  type Day,
  type IsBusinessDay,
  weekdayOf,
} from './business_days.ts'
import { localDay, momentOf } from './local_time.ts'

export interface Schedule {
  readonly id: Uuid
  readonly merchant: Uuid
  readonly currency: Currency
  readonly frequency: 'daily' | 'weekly' | 'monthly' | 'on_demand'
  /** 1: Monday. */
  readonly weekday: number | null
  /** A month that is shorter has it on its last day. */
  readonly monthDay: number | null
  /** What clocks show in the time zone. */
  readonly cutOff: string
  readonly timeZone: string
  /** Business days from the day of the cut-off to the payout. */
  readonly delayDays: number
  readonly calendar: CalendarName
  /** Minor units: less is carried over. */
  readonly minimumAmount: bigint
  readonly validFrom: Date
}

export interface Due {
  /** The batch covers what was recorded before. */
  readonly cutOff: Date
  /** When it is paid out: at its cut-off with no delay, else when the day of payout begins. */
  readonly dueAt: Date
  readonly schedule: Schedule
}

export type Calendars = (name: CalendarName) => IsBusinessDay

const MONTH_DAYS_MAX = 31
/** Longer than a month, so that there is a cut-off within it; and all days of it may be off. */
const DAYS_AHEAD_MAX = 100
/** So many cut-offs are looked at in one go: what was left alone for longer takes another. */
const CUT_OFFS_MAX = 100

function isCutOffDay(schedule: Schedule, day: Day, isBusinessDay: IsBusinessDay): boolean {
  const { frequency, weekday, monthDay } = schedule
  if (frequency === 'daily') return isBusinessDay(day)
  if (frequency === 'weekly') return weekdayOf(day) === weekday
  if (frequency === 'on_demand') return false
  const date = new Date(day * 86_400_000)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  return date.getUTCDate() === Math.min(monthDay ?? MONTH_DAYS_MAX, last)
}

function dueOf(schedule: Schedule, day: Day, cutOff: Date, isBusinessDay: IsBusinessDay): Due {
  const { delayDays, timeZone } = schedule
  const payoutDay = businessDayAfter(isBusinessDay, day, delayDays)
  const dueAt = payoutDay === day ? cutOff : momentOf(payoutDay, '00:00', timeZone)
  return { cutOff, dueAt, schedule }
}

/** The first cut-off of the schedule after one moment and before another. */
function cutOffWithin(
  schedule: Schedule,
  isBusinessDay: IsBusinessDay,
  { after, before }: { readonly after: Date; readonly before: Date | undefined },
): Due | undefined {
  if (schedule.frequency === 'on_demand') return undefined
  const from = localDay(after, schedule.timeZone)
  for (let day = from; day <= from + DAYS_AHEAD_MAX; day += 1) {
    if (!isCutOffDay(schedule, day, isBusinessDay)) continue
    const cutOff = momentOf(day, schedule.cutOff, schedule.timeZone)
    if (before !== undefined && cutOff >= before) return undefined
    if (cutOff > after) return dueOf(schedule, day, cutOff, isBusinessDay)
  }
  return undefined
}

/** The next cut-off after `after`, by whichever schedule is in force then. */
function nextDue(schedules: readonly Schedule[], calendars: Calendars, after: Date) {
  for (const [index, schedule] of schedules.entries()) {
    const before = schedules[index + 1]?.validFrom
    if (before !== undefined && before <= after) continue
    const from = after < schedule.validFrom ? new Date(schedule.validFrom.getTime() - 1) : after
    const isBusinessDay = calendars(schedule.calendar)
    const due = cutOffWithin(schedule, isBusinessDay, { after: from, before })
    if (due !== undefined) return due
  }
  return undefined
}

export interface Dues {
  /** Batches to make now, in the order of their cut-offs. */
  readonly due: readonly Due[]
  /** When to look again; undefined: not before the schedules change. */
  readonly nextAt: Date | undefined
}

/**
 * The batches that are due at `now`, after the last cut-off that is done. A batch whose day has
 * come takes those before it along, should their day be later.
 * @param schedules of one merchant and currency, the oldest first.
 */
export function dueBatches(
  schedules: readonly Schedule[],
  calendars: Calendars,
  { settledTo, now }: { readonly settledTo: Date; readonly now: Date },
): Dues {
  const passed: Due[] = []
  let next = nextDue(schedules, calendars, settledTo)
  while (next !== undefined && next.cutOff <= now && passed.length < CUT_OFFS_MAX) {
    passed.push(next)
    next = nextDue(schedules, calendars, next.cutOff)
  }
  const count = passed.findLastIndex(({ dueAt }) => dueAt <= now) + 1
  const waiting = [...passed.slice(count), ...(next === undefined ? [] : [next])]
  const times = waiting.map(({ dueAt }) => dueAt.getTime())
  const nextAt = times.length === 0 ? undefined : new Date(Math.min(...times))
  return { due: passed.slice(0, count), nextAt }
}
