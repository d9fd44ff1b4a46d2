/** Settings of rules that are dated data: limits, step-up, risk. */
import { integer } from './kinds.ts'

export const RULE_SETTINGS = {
  RULES_AGE_MS: integer(1_000, 0, 60_000).describe(
    'How long a process may use the rules it has read, in milliseconds',
  ),
}
