/** Everything that one run may have measured: what a part was left out of is not there. */
import type { FeaturesFigures } from './features.ts'
import type { GrowthFigures } from './growth.ts'
import type { HttpFigures } from './http.ts'
import type { LatencyFigures } from './latency.ts'
import type { LedgerFigures } from './ledger.ts'
import type { LimitFigures } from './limit.ts'
import type { Machine } from './machine.ts'
import type { ProcessesFigures } from './processes.ts'
import type { SettlementFigures } from './settlement.ts'

export interface Figures
  extends
    Partial<LedgerFigures>,
    Partial<LatencyFigures>,
    Partial<ProcessesFigures>,
    Partial<FeaturesFigures>,
    Partial<GrowthFigures>,
    Partial<LimitFigures>,
    Partial<SettlementFigures>,
    Partial<HttpFigures> {
  readonly machine: Machine
  readonly quick: boolean
  /** SQLSTATE 40P01, in all parts. */
  readonly deadlocks: number
}
