/** What some of the figures should be. A goal that is missed is shown, and fails nothing. */
import type { Figures } from './figures.ts'

export interface Goal {
  readonly name: string
  /** Undefined when it was not measured. */
  readonly value: (figures: Figures) => number | undefined
  /** Digits after the point. */
  readonly digits: number
  readonly goal: string
  readonly isMet: (value: number, figures: Figures) => boolean
}

const atLeast = (goal: number) => ({ goal: `>= ${goal}`, isMet: (value: number) => value >= goal })
const under = (goal: number) => ({ goal: `< ${goal}`, isMet: (value: number) => value < goal })

export const GOALS: readonly Goal[] = [
  {
    ...{ name: 'spread, times one call each', value: ({ ledger }) => ledger?.spread.ratio },
    ...{ digits: 2, ...atLeast(4) },
  },
  {
    ...{ name: 'hot, times one call each', value: ({ ledger }) => ledger?.hot.ratio },
    ...{ digits: 2, ...atLeast(12) },
  },
  {
    ...{ name: 'hot, transfers/s', value: ({ ledger }) => ledger?.hot.per_s, digits: 0 },
    goal: '>= spread',
    isMet: (value, { ledger }) => value >= (ledger?.spread.per_s ?? Number.NaN),
  },
  {
    ...{ name: 'growth, large over small', value: ({ growth }) => growth?.ratio },
    ...{ digits: 2, ...atLeast(0.8) },
  },
  {
    ...{ name: 'http, payments/s', value: ({ http }) => http?.per_s, digits: 0 },
    // The higher goal is that of payments approved by a device; these need a token only.
    ...{ goal: '> 1500, then > 3000', isMet: (value) => value > 1500 },
  },
  { name: 'http, p99, ms', value: ({ http }) => http?.p99_ms, digits: 1, ...under(100) },
  { name: 'http, other than 201', value: ({ http }) => http?.errors, digits: 0, ...under(1) },
  {
    ...{ name: 'http, memory of the API, MB', value: ({ http }) => http?.rss_mb },
    ...{ digits: 0, ...under(250) },
  },
  {
    ...{ name: 'one payment alone, p50, ms', value: ({ single }) => single?.p50_ms },
    ...{ digits: 2, ...under(5) },
  },
  {
    ...{ name: 'payments beside a settlement', value: ({ settlement }) => settlement?.ratio },
    ...{ digits: 2, ...atLeast(0.9) },
  },
  { name: 'deadlocks', value: ({ deadlocks }) => deadlocks, digits: 0, ...under(1) },
]
