/** What `florin bank certify --config` reads: an entry of `BANKS`, and how to try the bank. */
import { z } from 'zod'
import { Bank } from './banks.ts'

const Account = z.strictObject({ number: z.string().min(1), holder: z.string().min(1) })

/** Minor units, as amounts are written everywhere. */
const Amount = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/)
  .transform(BigInt)

const PROVOCATIONS = [
  ...(['settled', 'rejected', 'silent', 'error', 'garbage', 'returned'] as const),
  ...(['recall_returned', 'recall_refused'] as const),
] as const

const Trial = z.strictObject({
  currency: z.string().regex(/^[A-Z]{3}$/),
  rail: z.string().min(1).default('internal'),
  /** Has money; may be debited and credited. */
  account: Account,
  /** Is not there. */
  nobody: Account,
  /** As somebody in a hurry would write the holder, and as a stranger would. */
  names: z.strictObject({ similar: z.string().min(1), other: z.string().min(1) }),
  /** By what the bank does with them; what is missing is not tried. */
  amounts: z.partialRecord(z.enum(PROVOCATIONS), Amount),
  patience_ms: z.int().min(100).max(86_400_000).optional(),
  /** Where the bank's callbacks are heard. */
  listen: z
    .strictObject({ host: z.string().default('127.0.0.1'), port: z.int().min(1).max(65_535) })
    .optional(),
})

export const TrialFile = z.strictObject({ bank: Bank, trial: Trial })

/** The same for an adapter that is not among ours: what it must be told, it looks at itself. */
export const ForeignTrialFile = z.strictObject({
  bank: z.looseObject({ name: z.string().min(1) }),
  trial: Trial,
})

export type TrialFile = z.output<typeof TrialFile>
export type ForeignTrialFile = z.output<typeof ForeignTrialFile>
