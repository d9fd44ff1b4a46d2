/**
 * Settlement with a wall calendar and a pencil: every quarter of an hour is looked at, holidays are
 * a list out of a circular, and an account is the list of what happened to it.
 */

/** Weekdays on which TARGET is closed. Source: the ECB's calendar for these years. */
const TARGET_CLOSED = [
  ...['2025-01-01', '2025-04-18', '2025-04-21', '2025-05-01', '2025-12-25', '2025-12-26'],
  ...['2026-01-01', '2026-04-03', '2026-04-06', '2026-05-01', '2026-12-25'],
  ...['2027-01-01', '2027-03-26', '2027-03-29'],
  ...['2028-04-14', '2028-04-17', '2028-05-01', '2028-12-25', '2028-12-26'],
]

const NAMES = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const OFF: Readonly<Record<string, readonly string[]>> = {
  ...{ weekends: ['Sat', 'Sun'], target2: ['Sat', 'Sun'], friday_saturday: ['Fri', 'Sat'] },
}

/** A date as text, so many days later. */
export function later(date: string, days: number): string {
  const [year = 0, month = 0, day = 0] = date.split('-').map((part) => Number.parseInt(part, 10))
  return new Date(Date.UTC(year, month - 1, day + days)).toISOString().slice(0, 10)
}

const nameOf = (date: string) =>
  new Intl.DateTimeFormat('en', { weekday: 'short', timeZone: 'UTC' }).format(
    new Date(`${date}T12:00:00Z`),
  )

export const isWorked = (calendar: string, date: string): boolean =>
  !OFF[calendar]?.includes(nameOf(date)) &&
  !(calendar === 'target2' && TARGET_CLOSED.includes(date))

const clocks = new Map<string, Intl.DateTimeFormat>()

/** "2026-03-29 02:30", as clocks there show it. */
function wallClock(at: number, timeZone: string): string {
  const known = clocks.get(timeZone)
  const clock =
    known ?? new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  clocks.set(timeZone, clock)
  return clock.format(at)
}

const QUARTER_MS = 900_000

/** The first quarter of an hour at which clocks show it; else so long after midnight. */
export function clockTime(date: string, time: string, timeZone: string): Date {
  const noon = Date.parse(`${date}T00:00:00Z`)
  let midnight: number | undefined
  for (let at = noon - 86_400_000; at < noon + 2 * 86_400_000; at += QUARTER_MS) {
    const shown = wallClock(at, timeZone)
    if (shown === `${date} ${time}`) return new Date(at)
    if (midnight === undefined && shown.startsWith(date)) midnight = at
  }
  const [hours = 0, minutes = 0] = time.split(':').map((part) => Number.parseInt(part, 10))
  return new Date((midnight ?? 0) + (hours * 60 + minutes) * 60_000)
}

export interface ModelTerms {
  readonly frequency: string
  readonly weekday: number | null
  readonly monthDay: number | null
  readonly cutOff: string
  readonly timeZone: string
  readonly delayDays: number
  readonly calendar: string
  readonly validFrom: Date
}

function hasCutOff(terms: ModelTerms, date: string): boolean {
  if (terms.frequency === 'daily') return isWorked(terms.calendar, date)
  if (terms.frequency === 'weekly') return NAMES[(terms.weekday ?? 0) - 1] === nameOf(date)
  if (terms.frequency !== 'monthly') return false
  const isLast = later(date, 1).endsWith('-01')
  const day = Number.parseInt(date.slice(8), 10)
  return day === terms.monthDay || (isLast && day < (terms.monthDay ?? 0))
}

function payoutOf(terms: ModelTerms, date: string): Date {
  let [at, left] = [date, terms.delayDays]
  while (left > 0 || !isWorked(terms.calendar, at)) {
    at = later(at, 1)
    if (isWorked(terms.calendar, at) && left > 0) left -= 1
  }
  return clockTime(at, at === date ? terms.cutOff : '00:00', terms.timeZone)
}

export interface ModelDue {
  readonly cutOff: Date
  readonly dueAt: Date
}

/** Every cut-off there is between two moments, in order, by the terms in force at each. */
export function modelCutOffs(
  versions: readonly ModelTerms[],
  after: Date,
  upTo: Date,
): readonly ModelDue[] {
  const found: ModelDue[] = []
  versions.forEach((terms, index) => {
    const ends = versions[index + 1]?.validFrom
    const first = new Date(after.getTime() - 2 * 86_400_000).toISOString().slice(0, 10)
    for (
      let date = first;
      Date.parse(date) < upTo.getTime() + 2 * 86_400_000;
      date = later(date, 1)
    ) {
      if (!hasCutOff(terms, date)) continue
      const cutOff = clockTime(date, terms.cutOff, terms.timeZone)
      const isInForce = cutOff >= terms.validFrom && (ends === undefined || cutOff < ends)
      if (!isInForce || cutOff <= after || cutOff > upTo) continue
      found.push({ cutOff, dueAt: payoutOf(terms, date) })
    }
  })
  return found.sort((a, b) => a.cutOff.getTime() - b.cutOff.getTime())
}

/** Something that happened to the account; `isLine` unless a batch sent it out. */
export interface ModelEntry {
  readonly code: string
  readonly change: bigint
  readonly isLine: boolean
  /** When it was written down, where anybody asks. */
  readonly at: Date | undefined
}

export interface ModelBatch {
  readonly net: bigint
  readonly carriedIn: bigint
  readonly payout: bigint
  readonly carriedOut: bigint
  readonly byCode: Readonly<Record<string, bigint>>
}

const sumOf = (entries: readonly ModelEntry[]) =>
  entries.reduce((sum, { change }) => sum + change, 0n)

/** The merchant's side of the books: a list, and where the last batch ended. */
export function openModelAccount() {
  const entries: ModelEntry[] = []
  let [settled, carried] = [0, 0n]
  /** How many were written down before. */
  const before = (moment: Date | undefined) => {
    const first = entries.findIndex(({ at }) => moment && at && at >= moment)
    return first < 0 ? entries.length : first
  }
  return {
    add: (code: string, change: bigint, isLine = true, at?: Date) =>
      void entries.push({ code, change, isLine, at }),
    balance: () => sumOf(entries),
    carried: () => carried,
    length: () => entries.length,
    settled: () => settled,
    /** What the next batch would be, of what was written down before. `held` cannot leave. */
    next(held: bigint, minimum: bigint, until?: Date): ModelBatch {
      const lines = entries.slice(settled, before(until)).filter(({ isLine }) => isLine)
      const net = sumOf(lines)
      const free = sumOf(entries) - held
      const wanted = carried + net < free ? carried + net : free
      const payout = wanted > 0n && wanted >= minimum ? wanted : 0n
      const byCode: Record<string, bigint> = {}
      for (const { code, change } of lines) byCode[code] = (byCode[code] ?? 0n) + change
      return { net, carriedIn: carried, payout, carriedOut: carried + net - payout, byCode }
    },
    /** It is made: what comes now is in the next one. */
    made({ carriedOut, payout }: ModelBatch, until?: Date) {
      settled = before(until)
      carried = carriedOut
      if (payout > 0n) {
        entries.push({ code: 'payout', change: -payout, isLine: false, at: undefined })
      }
    },
  }
}
