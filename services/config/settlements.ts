/** Settings of the run that pays merchants out. */
import { integer } from './kinds.ts'

export const SETTLEMENT_SETTINGS = {
  SETTLEMENTS_EVERY_MS: integer(10_000, 100, 3_600_000).describe(
    'How often a worker looks for merchants whose batch is due',
  ),
  SETTLEMENT_PACE_PERCENT: integer(25, 1, 100).describe(
    'For how much of the time the run works; it rests in between, for the sake of payments',
  ),
}
