/** When merchants are paid out, from which moment on; and the days on which nobody is. */
import type { Knex } from 'knex'
import { type Claim, newId, newUnitId, type Outcome, type Uuid } from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { securityCompanion } from '../security/log.ts'
import {
  businessDays,
  type CalendarName,
  type Day,
  dayOf,
  type IsBusinessDay,
} from './business_days.ts'
import type { Calendars, Schedule } from './due.ts'

export interface NewSchedule extends Omit<Schedule, 'id' | 'validFrom'> {
  /** Now, where it is left out. */
  readonly validFrom: Date | undefined
}

/** Who proposed it, and who agreed. */
export interface By {
  readonly operator: string
  readonly approvedBy: string | undefined
}

/** @throws {ServiceError} `settlement_schedule_in_past` */
export function refusePast(validFrom: Date | undefined, now: Date): void {
  if (validFrom !== undefined && validFrom < now) {
    throw new ServiceError('settlement_schedule_in_past')
  }
}

/** Batches whose cut-off was before keep the schedule that was in force then. */
export async function createSchedule(
  context: Context,
  schedule: NewSchedule,
  { operator, approvedBy }: By,
  claim: Claim,
): Promise<Outcome> {
  const now = context.now()
  refusePast(schedule.validFrom, now)
  const made = { ...schedule, id: newId(), validFrom: schedule.validFrom ?? now }
  const row = {
    ...toRow(made),
    ...{ created_by: operator, approved_by: approvedBy ?? null, created_at: now },
  }
  const subject = publicId('ssc', made.id)
  const created = { kind: 'settlement_schedule_created', subject } as const
  return context.group.submit({
    ...{ id: newUnitId(), at: now, transfers: [], claim },
    conclude: (verdict) =>
      verdict.accepted
        ? {
            rows: {
              settlement_schedules: [row],
              security_log: [securityCompanion(context, created)],
            },
            answer: JSON.stringify(scheduleOut(made)),
          }
        : refused(verdict),
  })
}

const toRow = (schedule: Schedule) => ({
  ...{ id: schedule.id, merchant_id: schedule.merchant, currency: schedule.currency },
  ...{ frequency: schedule.frequency, weekday: schedule.weekday, month_day: schedule.monthDay },
  ...{ cut_off: schedule.cutOff, time_zone: schedule.timeZone, delay_days: schedule.delayDays },
  ...{ calendar: schedule.calendar, minimum_amount: schedule.minimumAmount.toString() },
  valid_from: schedule.validFrom,
})

interface Row {
  readonly id: Uuid
  readonly merchant_id: Uuid
  readonly currency: string
  readonly frequency: Schedule['frequency']
  readonly weekday: number | null
  readonly month_day: number | null
  readonly cut_off: string
  readonly time_zone: string
  readonly delay_days: number
  readonly calendar: CalendarName
  readonly minimum_amount: bigint
  readonly valid_from: Date
}

const fromRow = (row: Row): Schedule => ({
  ...{ id: row.id, merchant: row.merchant_id, currency: row.currency },
  ...{ frequency: row.frequency, weekday: row.weekday, monthDay: row.month_day },
  ...{ cutOff: row.cut_off, timeZone: row.time_zone, delayDays: row.delay_days },
  ...{ calendar: row.calendar, minimumAmount: row.minimum_amount, validFrom: row.valid_from },
})

/** Of these merchants, the oldest first. */
export async function findSchedules(db: Knex, merchants: readonly Uuid[]): Promise<Schedule[]> {
  const rows: Row[] = await db('settlement_schedules')
    .whereIn('merchant_id', [...merchants])
    .orderBy('valid_from')
  return rows.map(fromRow)
}

export const scheduleOut = (schedule: Schedule) => ({
  ...{ id: publicId('ssc', schedule.id), merchant: publicId('mer', schedule.merchant) },
  ...{ currency: schedule.currency, frequency: schedule.frequency },
  ...{ weekday: schedule.weekday, month_day: schedule.monthDay, cut_off: schedule.cutOff },
  ...{ time_zone: schedule.timeZone, delay_days: schedule.delayDays },
  ...{ calendar: schedule.calendar, minimum_amount: schedule.minimumAmount.toString() },
  valid_from: schedule.validFrom.toISOString(),
})

export interface Holiday {
  readonly calendar: CalendarName
  /** An ISO date. */
  readonly day: string
  readonly name: string
}

export async function addHoliday(
  context: Context,
  { calendar, day, name }: Holiday,
  { operator, approvedBy }: By,
  claim: Claim,
): Promise<Outcome> {
  const now = context.now()
  const by = { created_by: operator, approved_by: approvedBy ?? null, created_at: now }
  const added = { kind: 'holiday_added', subject: `${calendar} ${day}` } as const
  return context.group.submit({
    ...{ id: newUnitId(), at: now, transfers: [], claim },
    conclude: (verdict) =>
      verdict.accepted
        ? {
            rows: {
              holidays: [{ calendar, day, name, ...by }],
              security_log: [securityCompanion(context, added)],
            },
            answer: JSON.stringify({ calendar, day, name }),
          }
        : refused(verdict),
  })
}

/** Those that are data; the rules of the calendar come on top. */
export async function findHolidays(db: Knex, calendar: CalendarName): Promise<Holiday[]> {
  return db('holidays')
    .where({ calendar })
    .orderBy('day')
    .select('calendar', 'name', db.raw('day::text AS day'))
}

/** The calendars with all their holidays, as they are now. */
export async function loadCalendars(db: Knex): Promise<Calendars> {
  const rows: Holiday[] = await db('holidays').select('calendar', db.raw('day::text AS day'))
  const days = new Map<string, Set<Day>>()
  for (const { calendar, day } of rows) {
    days.set(calendar, (days.get(calendar) ?? new Set()).add(dayOf(day)))
  }
  const known = new Map<CalendarName, IsBusinessDay>()
  return (name) => {
    const calendar = known.get(name) ?? businessDays(name, days.get(name) ?? new Set())
    known.set(name, calendar)
    return calendar
  }
}
