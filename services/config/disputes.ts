/** Settings of disputes, where a merchant’s own terms say nothing else. */
import { integer } from './kinds.ts'

export const DISPUTE_SETTINGS = {
  DISPUTE_DAYS: integer(120, 1, 730).describe('How long after a payment its payer may dispute it'),
  DISPUTE_EVIDENCE_DAYS: integer(14, 1, 120).describe(
    'How long a merchant has to answer a dispute, where its terms do not say',
  ),
}
