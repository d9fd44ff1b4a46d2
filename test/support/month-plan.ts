/** How each shop of the month is set up: as the API is told, and as its model is. */
import { type ModelTerms, simple } from '../model/fees.ts'
import type { ModelRules, ModelVersion } from '../model/month.ts'
import { DAY_MS } from './reserves.ts'

const HOUR_MS = 3_600_000

/** Three changes: on the 9th at noon, the 16th at midnight, and in the afternoon of the 23rd. */
const CHANGES_MS = [
  7 * DAY_MS + 12 * HOUR_MS,
  14 * DAY_MS,
  21 * DAY_MS + 13 * HOUR_MS + 30 * 60_000,
] as const

const DEARER: ModelTerms = {
  components: [
    { kind: 'percent', percent: '2.75' },
    { kind: 'fixed', amount: '20' },
  ],
  ...{ floor: null, cap: '150', tax_percent: '19', surcharge_rails: [], rounding: 'half_up' },
}

const TIERED: ModelTerms = {
  components: [
    {
      ...{ kind: 'tiers', of: 'payment', mode: 'graduated' },
      steps: [
        { up_to: '2000', percent: '3.1', fixed: '7' },
        { up_to: null, percent: '1.05', fixed: '0' },
      ],
    },
  ],
  ...{ floor: '45', cap: null, tax_percent: '7.7', surcharge_rails: [], rounding: 'up' },
}

const BY_MONTH: ModelTerms = {
  components: [
    {
      ...{ kind: 'tiers', of: 'month', mode: 'graduated' },
      steps: [
        { up_to: '60000', percent: '2.2', fixed: '0' },
        { up_to: '250000', percent: '1.6', fixed: '0' },
        { up_to: null, percent: '0.9', fixed: '0' },
      ],
    },
    { kind: 'fixed', amount: '11' },
  ],
  ...{ floor: null, cap: null, tax_percent: '20', surcharge_rails: [], rounding: 'down' },
}

const WAYS = [
  ...([
    { calendar: 'target2', cut_off: '17:00', time_zone: 'Europe/Berlin', delay_days: 1 },
    { calendar: 'friday_saturday', cut_off: '15:00', time_zone: 'Asia/Riyadh', delay_days: 0 },
  ] as const),
  ...([
    { calendar: 'target2', cut_off: '08:30', time_zone: 'America/New_York', delay_days: 2 },
    { calendar: 'friday_saturday', cut_off: '23:45', time_zone: 'Asia/Kuwait', delay_days: 1 },
  ] as const),
]

export type Plan = ReturnType<typeof planOf>

/** @param first the day on which it opens. */
export function planOf(index: number, first: Date) {
  const way = WAYS[index % WAYS.length]!
  const isWeekly = index % 4 === 2
  const minimum = index % 4 === 3 ? 5_000n : 0n
  const settlement = {
    ...{ currency: 'EUR', ...way, minimum_amount: `${minimum}`, valid_from: first.toISOString() },
    ...(isWeekly ? { frequency: 'weekly', weekday: 3 } : { frequency: 'daily' }),
  }
  const versions = versionsOf(first)
  // Some of it is released within the month, and what is kept later on the next day.
  const days = 10
  const rolling = index % 2 === 0 ? { percent: 10n, days } : undefined
  const fixed = index % 4 === 1 ? 0n : 4_000n
  const rules: ModelRules = {
    ...{ versions, minimum, rolling, fixed, credit: 20_000n, disputeFee: 150n },
    settlement: {
      ...{ frequency: settlement.frequency, weekday: isWeekly ? 3 : null, monthDay: null },
      ...{ cutOff: way.cut_off, timeZone: way.time_zone, delayDays: way.delay_days },
      ...{ calendar: way.calendar, validFrom: first },
    },
  }
  const reserves = [
    ...(rolling === undefined ? [] : [{ kind: 'rolling', percent: `${rolling.percent}`, days }]),
    ...(fixed === 0n ? [] : [{ kind: 'fixed', amount: `${fixed}` }]),
  ]
  const opening = { percent: '1.4', fixed: '25', tax_percent: '0' }
  return { rules, settlement, reserves, opening, schedules: versions.map(told) }
}

function versionsOf(first: Date): ModelVersion[] {
  const after = (index: 0 | 1 | 2) => new Date(first.getTime() + CHANGES_MS[index])
  return [
    { from: new Date(0), fees: simple('1.4', 25n), policy: 'pro_rata' },
    { from: after(0), fees: DEARER, policy: 'give_back' },
    { from: after(1), fees: TIERED, policy: 'keep' },
    { from: after(2), fees: BY_MONTH, policy: 'pro_rata' },
  ]
}

const told = ({ from, fees, policy }: ModelVersion) => ({
  ...{ currency: 'EUR', ...fees, refund_fees: policy, valid_from: from.toISOString() },
})
