/**
 * A merchant's months. Each begins by the clock that the merchant's schedule names at that time,
 * and ends where the next begins: whatever schedules say later, no entry is in two months or none.
 */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { dayOf } from '../settlements/business_days.ts'
import { momentOf } from '../settlements/local_time.ts'
import { findSchedules } from '../settlements/schedules.ts'

/** Where the merchant reads the clock at a moment. */
export type Clocks = (at: Date) => string

/** @returns of the schedule that holds then, of any currency; UTC before the first. */
export async function clocksOf(db: Knex, merchant: Uuid): Promise<Clocks> {
  const schedules = await findSchedules(db, [merchant])
  return (at) => schedules.findLast(({ validFrom }) => validFrom <= at)?.timeZone ?? 'UTC'
}

/** "2026-11": its first moment and the one after its last. */
export const monthSpan = (month: string, clocks: Clocks) => ({
  from: startOf(month, clocks),
  to: startOf(monthAfter(month, 1), clocks),
})

function startOf(month: string, clocks: Clocks): Date {
  const first = `${month}-01`
  return momentOf(dayOf(first), '00:00', clocks(new Date(first)))
}

/** "2026-11". No clock is a day away from UTC. */
export function monthAt(at: Date, clocks: Clocks): string {
  const month = at.toISOString().slice(0, 7)
  if (at < startOf(month, clocks)) return monthAfter(month, -1)
  const next = monthAfter(month, 1)
  return at < startOf(next, clocks) ? month : next
}

function monthAfter(month: string, by: number): string {
  const [year = 0, number = 0] = month.split('-').map((part) => Number.parseInt(part, 10))
  return new Date(Date.UTC(year, number - 1 + by, 1)).toISOString().slice(0, 7)
}
