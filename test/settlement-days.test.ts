/** When merchants are paid out, against a wall calendar. SEED and RUNS repeat and lengthen it. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import {
  businessDayAfter,
  businessDays,
  CALENDARS,
  dayOf,
  easterOf,
} from '../services/settlements/business_days.ts'
import { dueBatches, type Schedule } from '../services/settlements/due.ts'
import { isTimeZone, localDay, momentOf } from '../services/settlements/local_time.ts'
import { clockTime, isWorked, later, modelCutOffs } from './model/settlement.ts'
import { randomOf } from './support/random.ts'

const SEED = Number(process.env['SEED'] ?? 4711)
const RUNS = Math.min(Number(process.env['RUNS'] ?? 60), 1_000)
const NO_HOLIDAYS = new Set<number>()

describe('a business day', () => {
  it('is one of the calendar: weekends and, for the euro, six holidays a year', () => {
    for (const calendar of CALENDARS) {
      const isBusinessDay = businessDays(calendar, NO_HOLIDAYS)
      for (let date = '2025-01-01'; date < '2029-01-01'; date = later(date, 1)) {
        const expected = isWorked(calendar, date)
        expect(isBusinessDay(dayOf(date)), `${calendar} ${date}`).to.equal(expected)
      }
    }
  })

  it('moves with Easter, in any century', () => {
    const sundays = [
      ...['1818-03-22', '1943-04-25', '2000-04-23', '2024-03-31', '2026-04-05', '2038-04-25'],
      ...['2049-04-18', '2076-04-19', '2100-03-28', '2285-03-22'],
    ]
    for (const date of sundays) {
      expect(easterOf(Number.parseInt(date.slice(0, 4), 10)), date).to.equal(dayOf(date))
    }
  })

  it('can be taken away by data, and a calendar without any is a mistake', () => {
    const extra = new Set([dayOf('2026-11-30')])
    const isBusinessDay = businessDays('weekends', extra)
    expect(businessDayAfter(isBusinessDay, dayOf('2026-11-27'), 1)).to.equal(dayOf('2026-12-01'))
    expect(businessDayAfter(isBusinessDay, dayOf('2026-11-28'), 0)).to.equal(dayOf('2026-12-01'))
    expect(() => businessDayAfter(() => false, 0, 1)).to.throw('no business day')
  })
})

const ZONES = ['Europe/Berlin', 'America/Sao_Paulo', 'Asia/Kolkata', 'Australia/Lord_Howe', 'UTC']

describe('a cut-off', () => {
  it('is when clocks show it, also on the days on which they are changed', () => {
    const days = [
      '2026-03-28',
      '2026-03-29',
      '2026-10-25',
      '2026-04-05',
      '2026-10-04',
      '2026-12-31',
    ]
    const times = ['00:00', '01:30', '02:00', '02:15', '02:30', '03:00', '17:45', '23:45']
    for (const zone of ZONES) {
      for (const date of days) {
        for (const time of times) {
          const moment = momentOf(dayOf(date), time, zone)
          const expected = clockTime(date, time, zone)
          expect(moment.toISOString(), `${date} ${time} ${zone}`).to.equal(expected.toISOString())
          expect(localDay(moment, zone)).to.equal(dayOf(date))
        }
      }
    }
    expect([isTimeZone('Europe/Berlin'), isTimeZone('Europe/Atlantis')]).to.deep.equal([
      true,
      false,
    ])
  })
})

const calendars = (name: (typeof CALENDARS)[number]) => businessDays(name, NO_HOLIDAYS)
const HOUR_MS = 3_600_000

function randomSchedules(random: () => number): Schedule[] {
  const among = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T
  const count = 1 + Math.floor(random() * 3)
  let from = Date.parse('2026-01-01T00:00:00Z') + Math.floor(random() * 9_000) * HOUR_MS
  return Array.from({ length: count }, () => {
    const frequency = among(['daily', 'daily', 'weekly', 'monthly', 'on_demand'] as const)
    const validFrom = new Date(from)
    from += Math.floor(1 + random() * 400) * HOUR_MS
    return {
      ...{ id: newId(), merchant: newId(), currency: 'EUR', frequency, validFrom },
      weekday: frequency === 'weekly' ? 1 + Math.floor(random() * 7) : null,
      monthDay: frequency === 'monthly' ? 1 + Math.floor(random() * 31) : null,
      cutOff: among(['00:00', '02:30', '12:15', '17:00', '23:45']),
      ...{ timeZone: among(ZONES), delayDays: Math.floor(random() * 4) },
      ...{ calendar: among(CALENDARS), minimumAmount: 0n },
    }
  })
}

describe('a merchant’s schedules', () => {
  it(`say which batches are due, as a wall calendar does (SEED=${SEED})`, () => {
    const random = randomOf(SEED)
    let batches = 0
    for (let run = 0; run < RUNS; run += 1) {
      const schedules = randomSchedules(random)
      let settledTo = schedules[0]?.validFrom ?? new Date(0)
      let now = settledTo
      for (let look = 0; look < 6; look += 1) {
        now = new Date(now.getTime() + Math.floor(random() * 200) * HOUR_MS)
        const passed = modelCutOffs(schedules, settledTo, now)
        const last = passed.findLastIndex(({ dueAt }) => dueAt <= now)
        const expected = passed.slice(0, last + 1)
        const { due, nextAt } = dueBatches(schedules, calendars, { settledTo, now })
        const label = JSON.stringify({
          schedules: schedules.map((one) => ({ ...one, minimumAmount: '0' })),
          now,
        })
        expect(
          due.map(({ cutOff, dueAt }) => ({ cutOff, dueAt })),
          label,
        ).to.deep.equal(expected)
        if (nextAt !== undefined) expect(nextAt.getTime(), label).to.be.greaterThan(now.getTime())
        batches += due.length
        settledTo = due.at(-1)?.cutOff ?? settledTo
      }
    }
    expect(batches).to.be.greaterThan(RUNS)
  })

  it('are looked at again when the next batch is due, and not when there is none', () => {
    const terms = randomSchedules(randomOf(1))[0] as Schedule
    const daily: Schedule = {
      ...{ ...terms, frequency: 'daily', weekday: null, monthDay: null, cutOff: '17:00' },
      ...{ timeZone: 'Europe/Berlin', delayDays: 2, calendar: 'target2' },
      validFrom: new Date('2026-04-01T00:00:00Z'),
    }
    const settledTo = daily.validFrom
    // Thursday before Easter: Friday and Monday are closed, so two business days end on Wednesday.
    const now = new Date('2026-04-02T16:00:00Z')
    const wednesday = dueBatches([daily], calendars, { settledTo, now })
    expect(wednesday.due).to.deep.equal([])
    expect(wednesday.nextAt?.toISOString()).to.equal('2026-04-06T22:00:00.000Z')
    const later = new Date('2026-04-07T22:00:00Z')
    const both = dueBatches([daily], calendars, { settledTo, now: later })
    expect(both.due.map(({ dueAt }) => dueAt.toISOString())).to.deep.equal([
      ...['2026-04-06T22:00:00.000Z', '2026-04-07T22:00:00.000Z'],
    ])
    const never = dueBatches([{ ...daily, frequency: 'on_demand' }], calendars, { settledTo, now })
    expect(never).to.deep.equal({ due: [], nextAt: undefined })
  })
})
