/** Settings of risk: how long a payment may wait for a review, and where the sanctions list is. */
import { z } from 'zod'
import { integer } from './kinds.ts'

export const RISK_SETTINGS = {
  REVIEW_HOURS: integer(24, 1, 720).describe(
    'How long a payment waits for a review before its money goes back, in hours',
  ),
  SANCTIONS_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('A list of names to check against: NDJSON, or CSV with a header'),
  SANCTIONS_BYTES_MAX: integer(64 * 2 ** 20, 1_024, 2 ** 30).describe(
    'How large that file may be, in bytes',
  ),
  SANCTIONS_NAMES_MAX: integer(200_000, 1, 2_000_000).describe(
    'How many names it may have, aliases counted',
  ),
  SANCTIONS_URL: z
    .url()
    .optional()
    .describe('Somebody else’s check of names, over HTTP; beside the file or instead of it'),
  SANCTIONS_TIMEOUT_MS: integer(1_000, 50, 10_000).describe(
    'How long that check may take, in milliseconds',
  ),
}
