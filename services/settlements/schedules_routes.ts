/** When merchants are paid out, and on which days nobody is, over HTTP. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { CurrencyCode, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { refuseUnknown } from '../merchants/merchants.ts'
import { CALENDARS } from './business_days.ts'
import { isTimeZone } from './local_time.ts'
import {
  addHoliday,
  createSchedule,
  findHolidays,
  findSchedules,
  refusePast,
  scheduleOut,
} from './schedules.ts'

const CalendarName = z.enum(CALENDARS).describe('The business days that count')

const Terms = z.strictObject({
  currency: CurrencyCode,
  frequency: z
    .enum(['daily', 'weekly', 'monthly', 'on_demand'])
    .describe('How often there is a cut-off; daily: every business day'),
  weekday: z.int().min(1).max(7).optional().describe('Of a weekly one; 1 is Monday'),
  month_day: z.int().min(1).max(31).optional().describe('Of a monthly one, or the last there is'),
  cut_off: z
    .string()
    .regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/)
    .describe('What clocks show in the time zone'),
  time_zone: z.string().max(64).refine(isTimeZone, 'is no time zone').describe('Europe/Berlin'),
  delay_days: z.int().min(0).max(30).describe('T+N: business days from cut-off to payout'),
  calendar: CalendarName,
  minimum_amount: z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,14})$/)
    .default('0')
    .describe('Minor units: less is carried over to the next batch'),
  valid_from: z.iso.datetime({ precision: 3 }).optional().describe('Now, where it is left out'),
})

const NewScheduleBody = Terms.refine(
  ({ frequency, weekday }) => (frequency === 'weekly') === (weekday !== undefined),
  { path: ['weekday'], message: 'is said where it is weekly, and only there' },
).refine(({ frequency, month_day }) => (frequency === 'monthly') === (month_day !== undefined), {
  path: ['month_day'],
  message: 'is said where it is monthly, and only there',
})

const ScheduleOut = z
  .strictObject({
    ...Terms.shape,
    id: idOut('ssc'),
    merchant: idOut('mer'),
    weekday: z.int().nullable(),
    month_day: z.int().nullable(),
    time_zone: z.string(),
    minimum_amount: z.string(),
    valid_from: Timestamp,
  })
  .meta({ id: 'SettlementSchedule' })

const dateOrUndefined = (at: string | undefined) => (at === undefined ? undefined : new Date(at))

function scheduleOf(merchant: string, body: z.output<typeof NewScheduleBody>) {
  const { currency } = body
  if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
  return {
    ...{ merchant, currency, frequency: body.frequency, cutOff: body.cut_off },
    ...{ weekday: body.weekday ?? null, monthDay: body.month_day ?? null },
    ...{ timeZone: body.time_zone, delayDays: body.delay_days, calendar: body.calendar },
    minimumAmount: BigInt(body.minimum_amount),
    validFrom: dateOrUndefined(body.valid_from),
  }
}

const ofMerchant = { params: z.strictObject({ id: idIn('mer') }), tag: 'Settlements' } as const

const schedules = [
  endpoint({
    ...{ method: 'POST', path: '/v1/merchants/:id/settlement_schedules', ...ofMerchant },
    ...{ scopes: ['operator'], idempotency: 'required', secondPerson: true },
    summary: 'Change when a merchant is paid out, from a moment on',
    body: NewScheduleBody,
    answers: { 201: ScheduleOut },
    refusals: [
      ...(['not_found', 'currency_unknown', 'settlement_schedule_exists'] as const),
      'settlement_schedule_in_past',
    ],
    async check({ db, now }, { params, body }) {
      await refuseUnknown(db, params.id)
      refusePast(scheduleOf(params.id, body).validFrom, now())
    },
    handle: (context, { params, body, caller, claim }) => {
      const { subject: operator, approvedBy } = caller
      const schedule = scheduleOf(params.id, body)
      return createSchedule(context, schedule, { operator, approvedBy }, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/merchants/:id/settlement_schedules', ...ofMerchant },
    ...{ scopes: ['merchant', 'operator'], summary: 'When a merchant is paid out, oldest first' },
    answers: { 200: z.strictObject({ data: z.array(ScheduleOut) }) },
    refusals: ['not_found'],
    handle: async ({ db }, { caller, params: { id } }) => {
      if (caller.scope === 'merchant' && caller.merchant !== id) throw new ServiceError('not_found')
      await refuseUnknown(db, id)
      const found = await findSchedules(db, [id])
      return { status: 200, body: { data: found.map(scheduleOut) } }
    },
  }),
]

const HolidayOut = z
  .strictObject({ calendar: CalendarName, day: z.iso.date(), name: text(100) })
  .meta({ id: 'Holiday' })

const holidays = [
  endpoint({
    ...{ method: 'POST', path: '/v1/holidays', tag: 'Settlements', scopes: ['operator'] },
    ...{ summary: 'Add a day off to a calendar', idempotency: 'required', secondPerson: true },
    body: HolidayOut,
    answers: { 201: HolidayOut },
    refusals: ['holiday_exists'],
    handle: (context, { body, caller, claim }) => {
      const { subject: operator, approvedBy } = caller
      return addHoliday(context, body, { operator, approvedBy }, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/holidays', tag: 'Settlements', scopes: ['operator'] },
    summary: 'The days off that were added to a calendar, beside those it knows by itself',
    query: z.strictObject({ calendar: CalendarName }),
    answers: { 200: z.strictObject({ data: z.array(HolidayOut) }) },
    refusals: [],
    handle: async ({ db }, { query }) => ({
      status: 200,
      body: { data: await findHolidays(db, query.calendar) },
    }),
  }),
]

export const scheduleEndpoints = [...schedules, ...holidays]
