/** What people may spend, beside the rules in the database. */
import { z } from 'zod'
import { integer } from './kinds.ts'

export const LIMIT_SETTINGS = {
  NO_PIN_LIMIT: integer(0, 0, 1_000_000_000).describe(
    'Payments up to this many minor units need a token only; a person may set less',
  ),
  NO_PIN_DAY_LIMIT: integer(5_000, 0, 1_000_000_000).describe(
    'How many minor units of a currency one may pay so in a day',
  ),
  LIMITS_TIME_ZONE: z
    .string()
    .refine(
      (name) => Intl.supportedValuesOf('timeZone').includes(name) || name === 'UTC',
      'must be a time zone like Europe/Berlin',
    )
    .default('UTC')
    .describe('Where the day, the week and the month of limits begin'),
  REDUCED_LIMITS_S: integer(86_400, 0, 2_592_000).describe(
    'For how long after a change of a factor the reduced limits apply',
  ),
}
