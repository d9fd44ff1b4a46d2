/** How long each part takes, in a full run and in a quick one, and what all parts are given. */
import type { Meter } from './counters.ts'
import type { Past } from './fill.ts'
import type { RoundsPlan, Say } from './rounds.ts'
import type { BenchServer } from './server.ts'
import type { Takings } from './takings.ts'

export interface Plan {
  readonly ledger: RoundsPlan
  readonly latency: RoundsPlan
  readonly processes: RoundsPlan
  readonly features: RoundsPlan
  readonly growth: RoundsPlan & { readonly large: Past }
  readonly limit: RoundsPlan
  readonly settlement: RoundsPlan & { readonly takings: Takings }
  readonly http: { readonly seconds: number; readonly warmUp_s: number }
}

export interface Bench {
  readonly server: BenchServer
  readonly meter: Meter
  readonly plan: Plan
  readonly say: Say
}

export const SMALL: Past = { wallets: 20_000, roundsOfPayments: 0 }

export const FULL: Plan = {
  ledger: { rounds: 11, round_s: 2, warmUp_s: 3 },
  latency: { rounds: 3, round_s: 6, warmUp_s: 3 },
  processes: { rounds: 5, round_s: 2, warmUp_s: 2 },
  features: { rounds: 9, round_s: 1.5, warmUp_s: 2 },
  growth: {
    ...{ rounds: 11, round_s: 2, warmUp_s: 3 },
    large: { wallets: 1_000_000, roundsOfPayments: 8 },
  },
  limit: { rounds: 7, round_s: 2, warmUp_s: 2 },
  settlement: {
    ...{ rounds: 7, round_s: 3, warmUp_s: 3 },
    takings: { merchants: 10_000, paymentsEach: 100 },
  },
  http: { seconds: 10, warmUp_s: 5 },
}

export const QUICK: Plan = {
  ledger: { rounds: 5, round_s: 0.8, warmUp_s: 1 },
  latency: { rounds: 1, round_s: 3, warmUp_s: 1 },
  processes: { rounds: 3, round_s: 1, warmUp_s: 1 },
  features: { rounds: 3, round_s: 0.8, warmUp_s: 0.5 },
  growth: {
    ...{ rounds: 3, round_s: 1, warmUp_s: 1 },
    large: { wallets: 100_000, roundsOfPayments: 8 },
  },
  limit: { rounds: 3, round_s: 1, warmUp_s: 0.5 },
  settlement: {
    ...{ rounds: 3, round_s: 1, warmUp_s: 1 },
    takings: { merchants: 2_000, paymentsEach: 50 },
  },
  http: { seconds: 3, warmUp_s: 2 },
}
