/** Settings of the run that pays merchants out, and of the invoices that they get. */
import { z } from 'zod'
import { integer, json } from './kinds.ts'

const line = z.string().trim().min(1).max(100)

const Issuer = z.strictObject({
  name: line,
  address: z.array(line).min(1).max(5),
  tax_id: line.nullable().default(null),
})

export const SETTLEMENT_SETTINGS = {
  SETTLEMENTS_EVERY_MS: integer(10_000, 100, 3_600_000).describe(
    'How often a worker looks for merchants whose batch is due',
  ),
  SETTLEMENT_PACE_PERCENT: integer(25, 1, 100).describe(
    'For how much of the time the run works; it rests in between, for the sake of payments',
  ),
  INVOICE_ISSUER: json
    .pipe(Issuer)
    .optional()
    .describe(
      'Who issues fee invoices: JSON with `name`, the lines of the `address`, and a `tax_id`',
    ),
}
