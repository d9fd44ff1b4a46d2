/** Settings of the banks: who they are, and how long we wait for what they say. */
import { z } from 'zod'
import { integer, json } from './kinds.ts'

const Bank = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{1,31}$/),
  protocol: z.literal('sandbox'),
  url: z.url(),
  secret: z.string().startsWith('whsec_'),
  previousSecret: z.string().startsWith('whsec_').optional(),
  currencies: z.array(z.string().regex(/^[A-Z]{3}$/)).min(1),
})

export const BANK_SETTINGS = {
  BANKS: json
    .pipe(z.array(Bank))
    .describe(
      'JSON: `[{name, protocol, url, secret, previousSecret?, currencies}]`; a name is kept',
    ),
  BANK_TIMEOUT_MS: integer(15_000, 100, 60_000).describe('How long one call to a bank may take'),
  ENQUIRY_FIRST_S: integer(90, 1, 3_600).describe(
    'After so long a bank that was silent is asked; production refuses less than 60',
  ),
  ENQUIRY_SPACING_S: integer(1_800, 1, 86_400).describe('How long between two such enquiries'),
  ENQUIRIES_MAX: integer(3, 1, 10).describe('How many of them before the cut-off'),
  BANK_CUT_OFF_S: integer(86_400, 1, 604_800).describe(
    'From then on a bank that does not know an instruction will not execute it any more',
  ),
  RECONCILIATION_TIMES: json
    .pipe(z.record(z.string(), z.string().regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/)))
    .prefault('{"*":"05:00"}')
    .describe(
      'JSON: from when on each day (UTC) a bank’s own statement is reconciled; `*` is every other',
    ),
  RECONCILIATION_LATE_DAYS: integer(3, 0, 30).describe(
    'How many days a bank may book before or after our books without being late',
  ),
  STATEMENT_BYTES_MAX: integer(268_435_456, 1_048_576, 4_294_967_296).describe(
    'How many bytes an uploaded statement may have',
  ),
  STATEMENT_LINES_MAX: integer(5_000_000, 1_000, 50_000_000).describe(
    'How many lines a statement may have',
  ),
  MANUAL_AFTER_S: integer(172_800, 1, 1_209_600).describe('From then on a person decides'),
}
