/** Settings of the banks: who they are, and how long we wait for what they say. */
import { z } from 'zod'
import { integer, json } from './kinds.ts'

const NAMED = {
  name: z.string().regex(/^[a-z][a-z0-9_]{1,31}$/),
  currencies: z.array(z.string().regex(/^[A-Z]{3}$/)).min(1),
}

const Sandbox = z.strictObject({
  ...NAMED,
  protocol: z.literal('sandbox'),
  url: z.url(),
  secret: z.string().startsWith('whsec_'),
  previousSecret: z.string().startsWith('whsec_').optional(),
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
    z.strictObject({ iban: z.string().regex(/^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$/) }),
  ),
  serviceLevels: z
    .record(z.string(), z.string().regex(/^[A-Z0-9]{1,4}(?:\/[A-Z0-9]{1,35})?$/))
    .optional(),
  creditor: z
    .strictObject({ id: z.string().min(1).max(35), mandatesSignedOn: z.iso.date() })
    .optional(),
})

const Bank = z.discriminatedUnion('protocol', [Sandbox, Iso20022])

export const BANK_SETTINGS = {
  BANKS: json
    .pipe(z.array(Bank))
    .describe(
      'JSON: `[{name, protocol, url, secret, previousSecret?, currencies}]`; a name is kept; ' +
        'for `iso20022` see the README',
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
  MANUAL_AFTER_S: integer(172_800, 1, 1_209_600).describe('From then on a person decides'),
}
