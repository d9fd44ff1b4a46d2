/** Fee schedules as they are sent and shown. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { CurrencyCode, Timestamp } from '../http/schemas.ts'
import { idOut } from '../ids.ts'
import type { NewFeeSchedule } from './schedules.ts'
import { contradictions, FEE_TERMS, NEW_FEE_TERMS, storedTerms } from './terms_schema.ts'

/** To be extended, and then `refined`. */
export const FeeScheduleIn = z.strictObject({ ...NEW_FEE_TERMS, currency: CurrencyCode })

type Given = z.output<typeof FeeScheduleIn>

/** Refuses terms that contradict themselves. */
export const refined = <T extends z.ZodType<Given>>(schema: T) =>
  schema.superRefine((given, issues) => {
    for (const wrong of contradictions(given)) issues.addIssue({ code: 'custom', ...wrong })
  })

export const FeeScheduleOut = z
  .strictObject({
    id: idOut('fee'),
    merchant: idOut('mer').nullable().describe('Null: every one without a schedule of its own'),
    version: z.int(),
    state: z.enum(['draft', 'active']),
    currency: CurrencyCode,
    ...FEE_TERMS,
    valid_from: Timestamp.nullable().describe('Null while it is a draft'),
    created_by: z.string().nullable(),
    created_at: Timestamp,
    activated_by: z.string().nullable(),
    approved_by: z.string().nullable(),
    activated_at: Timestamp.nullable(),
  })
  .meta({ id: 'FeeSchedule' })

/** @throws {ServiceError} `currency_unknown` */
export function newScheduleOf({ currency, ...given }: Given): NewFeeSchedule {
  if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
  return { currency, terms: storedTerms(given) }
}
