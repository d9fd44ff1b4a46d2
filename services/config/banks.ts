/** Settings of the banks: who they are, and how long we wait for what they say. */
import { z } from 'zod'
import { integer, json, jsonOrFile } from './kinds.ts'
import { NAMED } from './registry.ts'

const Sandbox = z.strictObject({
  ...NAMED,
  protocol: z.literal('sandbox'),
  url: z.url(),
  secret: z.string().startsWith('whsec_'),
  previousSecret: z.string().startsWith('whsec_').optional(),
  callbackKeys: z
    .array(
      z.strictObject({
        id: z.string().min(1).max(64),
        algorithm: z.enum(['hmac-sha256', 'ed25519', 'ecdsa-p256-sha256']),
        key: z.base64(),
      }),
    )
    .min(1)
    .max(8)
    .optional(),
})

/** The texts are those that the bank's own schemas allow. */
const Iso20022 = z.strictObject({
  ...NAMED,
  protocol: z.literal('iso20022'),
  folder: z.string().startsWith('/'),
  initiator: z.strictObject({
    name: z.string().min(1).max(70),
    id: z.string().min(1).max(35).optional(),
  }),
  bic: z.string().regex(/^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$/),
  accounts: z.record(
    z.string().regex(/^[A-Z]{3}$/),
    z.union([
      z.strictObject({ iban: z.string().regex(/^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$/) }),
      z.strictObject({ number: z.string().regex(/^[A-Za-z0-9-]{1,34}$/) }),
    ]),
  ),
  serviceLevels: z
    .record(z.string(), z.string().regex(/^[A-Z0-9]{1,4}(?:\/[A-Z0-9]{1,35})?$/))
    .optional(),
  creditor: z
    .strictObject({ id: z.string().min(1).max(35), mandatesSignedOn: z.iso.date() })
    .optional(),
})

/** See adapters/example. */
const Example = z.strictObject({
  ...NAMED,
  protocol: z.literal('example'),
  url: z.url(),
  token: z.string().min(16),
  publicKey: z.base64(),
})

/** One of our partners. */
export const Bank = z.discriminatedUnion('protocol', [Sandbox, Iso20022, Example])

export const BANK_SETTINGS = {
  BANKS: jsonOrFile
    .pipe(z.array(Bank))
    .describe(
      'JSON: `[{name, protocol, currencies, rails?, ...}]`, or the path of a file of it, ' +
        '`@/etc/florin/banks.json`; a name is kept; see the README',
    ),
  BREAKER_CALLS: integer(20, 2, 1_000).describe('So many calls to a bank tell how it is'),
  BREAKER_FAILURES_PERCENT: integer(50, 1, 99).describe(
    'When more of them fail, the bank is left alone',
  ),
  BREAKER_PAUSE_MS: integer(30_000, 100, 600_000).describe('For how long; then one call tries'),
  BANK_REPEATS_PERCENT: integer(10, 0, 100).describe(
    'Requests that are made again, at most, for those made for the first time',
  ),
  BANK_TIMEOUT_MS: integer(15_000, 100, 60_000).describe('How long one call to a bank may take'),
  BANK_CONNECT_TIMEOUT_MS: integer(2_000, 10, 60_000).describe(
    'Until a connection to a bank is made; after that nothing was sent',
  ),
  BANK_ENQUIRY_TIMEOUT_MS: integer(10_000, 100, 60_000).describe(
    'How long a call that only asks may take',
  ),
  ENQUIRY_FIRST_S: integer(90, 1, 3_600).describe(
    'After so long a bank that was silent is asked; production refuses less than 60',
  ),
  ENQUIRY_SPACING_S: integer(1_800, 1, 86_400).describe('How long between two such enquiries'),
  ENQUIRIES_MAX: integer(3, 1, 10).describe('How many of them before the cut-off'),
  BANK_CUT_OFF_S: integer(86_400, 1, 604_800).describe(
    'From then on a bank that does not know an instruction will not execute it any more',
  ),
  MANUAL_AFTER_S: integer(86_400, 1, 1_209_600).describe(
    'After so long a bank is asked a last time; then a person decides',
  ),
  NAME_CHECK_DAYS: integer(30, 0, 3_650).describe(
    'Before the first payout a bank is asked again whose an account is, if it said so longer ago',
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
}
