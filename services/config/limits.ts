/** What people may spend, beside the rules in the database. */
import { z } from 'zod'
import { integer } from './kinds.ts'

export const limitSettings = {
  NO_PIN_LIMIT: integer(0, 0, 1_000_000_000).describe(
    'payments up to this many minor units need a token only; a person may set less',
  ),
  NO_PIN_DAY_LIMIT: integer(5_000, 0, 1_000_000_000).describe(
    'and so many minor units of a currency in a day, all told',
  ),
  LIMITS_TIME_ZONE: z
    .string()
    .refine(
      (name) => Intl.supportedValuesOf('timeZone').includes(name) || name === 'UTC',
      'must be a time zone like Europe/Berlin',
    )
    .default('UTC')
    .describe('where the day, the week and the month of limits begin'),
  REDUCED_LIMITS_S: integer(86_400, 0, 2_592_000).describe(
    'for how long after a change of a factor the reduced limits apply',
  ),
}
