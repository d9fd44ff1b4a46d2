/** How people watch over each other: the second person, and the security log. */
import { z } from 'zod'
import { integer, key } from './kinds.ts'

export const OVERSIGHT_SETTINGS = {
  MERCHANT_REVIEW: z
    .enum(['required', 'off'])
    .default('required')
    .describe('Whether two operators look at a merchant before it is paid; production refuses off'),
  PROPOSALS_PENDING_MAX: integer(1_000, 1, 100_000).describe(
    'How many proposals may wait to be decided',
  ),
  PROPOSAL_HOURS: integer(24, 1, 168).describe('How long a second person may take to decide'),
  SECURITY_LOG_KEY: key
    .optional()
    .describe(
      'Hides addresses and subjects in the security log; where left out, made of PIN_PEPPER',
    ),
  SECURITY_LOG_PER_ADDRESS: integer(20, 1, 100_000).describe(
    'Failures of one kind from one address that get a row each, in a minute; more are counted',
  ),
  SECURITY_LOG_PER_MINUTE: integer(300, 1, 1_000_000).describe(
    'Failures that get a row each, in a minute, from everywhere',
  ),
}
