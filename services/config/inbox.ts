/** Settings of what banks tell us, and of what is handed to them or fetched from them in bulk. */
import { integer } from './kinds.ts'

export const INBOX_SETTINGS = {
  ORPHAN_ALERT_S: integer(3_600, 60, 604_800).describe(
    'After so long an event about an instruction that we do not know is given to a person',
  ),
  FILES_EVERY_MS: integer(30_000, 100, 3_600_000).describe(
    'How often a worker fetches what banks have put down for us',
  ),
  BATCH_SIZE_MAX: integer(500, 1, 10_000).describe(
    'Instructions that are handed over together, to banks that take batches',
  ),
  BATCH_AFTER_MS: integer(60_000, 0, 86_400_000).describe(
    'How long the oldest instruction waits for others to go with it',
  ),
  RECALL_MANUAL_AFTER_S: integer(1_296_000, 60, 7_776_000).describe(
    'After so long a recall that nobody answered is given to a person',
  ),
}
