/** On which days banks work. Pure: holidays that are data are handed in. */

/** Days since 1 January 1970, of whatever place. */
export type Day = number

const DAY_MS = 86_400_000

export const dayOf = (date: string): Day => Date.parse(`${date}T00:00:00Z`) / DAY_MS

/** 1 is Monday, 7 is Sunday. 1 January 1970 was a Thursday. */
export const weekdayOf = (day: Day): number => ((day + 3) % 7) + 1

interface Rule {
  /** Days of the week on which nobody works. */
  readonly weekend: readonly number[]
  /** The holidays of a year. */
  readonly holidays: (year: number) => readonly Day[]
}

const SATURDAY_SUNDAY = [6, 7]

/** What holds every year; holidays that are data come on top, by the calendar's name. */
const RULES = {
  weekends: { weekend: SATURDAY_SUNDAY, holidays: () => [] },
  friday_saturday: { weekend: [5, 6], holidays: () => [] },
  /** The euro's settlement days. Source: ECB, long-term calendar of TARGET closing days. */
  target2: { weekend: SATURDAY_SUNDAY, holidays: targetHolidays },
} as const satisfies Record<string, Rule>

export type CalendarName = keyof typeof RULES

export const CALENDARS = Object.keys(RULES) as [CalendarName, ...CalendarName[]]

function targetHolidays(year: number): readonly Day[] {
  const easter = easterOf(year)
  const fixed = ['01-01', '05-01', '12-25', '12-26'].map((date) => dayOf(`${year}-${date}`))
  return [...fixed, easter - 2, easter + 1]
}

/** Easter Sunday. Source: the anonymous Gregorian algorithm (Meeus, Jones, Butcher). */
export function easterOf(year: number): Day {
  const [golden, century, years] = [year % 19, Math.floor(year / 100), year % 100]
  const [leaps, rest] = [Math.floor(century / 4), century % 4]
  const drift = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3)
  const epact = (19 * golden + century - leaps - drift + 15) % 30
  const sunday = (32 + 2 * rest + 2 * Math.floor(years / 4) - epact - (years % 4)) % 7
  const late = Math.floor((golden + 11 * epact + 22 * sunday) / 451)
  const count = epact + sunday - 7 * late + 114
  const date = Date.UTC(year, Math.floor(count / 31) - 1, (count % 31) + 1)
  return date / DAY_MS
}

/** Whether a day is a business day. */
export type IsBusinessDay = (day: Day) => boolean

/** @param extra further holidays of the calendar. */
export function businessDays(name: CalendarName, extra: ReadonlySet<Day>): IsBusinessDay {
  const { weekend, holidays }: Rule = RULES[name]
  const known = new Map<number, ReadonlySet<Day>>()
  const isHoliday = (day: Day) => {
    const year = new Date(day * DAY_MS).getUTCFullYear()
    const ofYear = known.get(year) ?? new Set(holidays(year))
    known.set(year, ofYear)
    return ofYear.has(day)
  }
  return (day) => !weekend.includes(weekdayOf(day)) && !extra.has(day) && !isHoliday(day)
}

/** More days off in a row than that is a mistake in the data. */
const DAYS_OFF_MAX = 60

/** The `count`th business day after `day`; with 0 the day itself, or the next that is one. */
export function businessDayAfter(isBusinessDay: IsBusinessDay, day: Day, count: number): Day {
  let [left, at, off] = [count, day, 0]
  while (left > 0 || !isBusinessDay(at)) {
    at += 1
    off = isBusinessDay(at) ? 0 : off + 1
    if (off > DAYS_OFF_MAX) throw new Error(`no business day within ${DAYS_OFF_MAX} days`)
    if (off === 0 && left > 0) left -= 1
  }
  return at
}
