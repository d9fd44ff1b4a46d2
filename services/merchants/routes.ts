/** Merchants over HTTP. */
import { z } from 'zod'
import { FeeScheduleIn, FeeScheduleOut, newScheduleOf, refined } from '../fees/schedule_schema.ts'
import { endpoint } from '../http/endpoint.ts'
import { text, Timestamp } from '../http/schemas.ts'
import { idOut } from '../ids.ts'
import { staffIssuer } from '../credentials/staff.ts'
import { createMerchant, type NewMerchant } from './merchants.ts'
import { firstState } from './onboarding.ts'
import { FirstProfile } from './onboarding_routes.ts'
import { MERCHANT_STATES } from './standing.ts'

const MerchantOut = z
  .strictObject({
    id: idOut('mer'),
    name: z.string(),
    alias: z.string(),
    subject: z.string(),
    state: z.enum(MERCHANT_STATES),
    fee_schedule: FeeScheduleOut,
    created_at: Timestamp,
  })
  .meta({ id: 'Merchant' })

const merchantEndpoint = endpoint({
  ...{ method: 'POST', path: '/v1/merchants', summary: 'Take a merchant on' },
  ...{ tag: 'Merchants', scopes: ['operator'], idempotency: 'optional' },
  body: z.strictObject({
    name: text(100),
    alias: z.string().regex(/^[a-z0-9][a-z0-9_.]{1,31}$/),
    subject: text(64).describe('The subject of the tokens that act for the merchant'),
    issuer: text(200).optional().describe('Of those tokens; the first configured unless told'),
    fees: refined(FeeScheduleIn),
    profile: FirstProfile.optional().describe('What is known of it already'),
    state: z
      .enum(['draft', 'active'])
      .optional()
      .describe('active at once is for where nobody has to review merchants: in the sandbox'),
  }),
  answers: { 201: MerchantOut },
  refusals: [
    ...(['alias_taken', 'merchant_subject_exists', 'currency_unknown', 'issuer_unknown'] as const),
    ...(['second_person_required', 'fee_terms_excessive'] as const),
  ],
  handle: (context, { body, caller, claim }) => {
    const { fees, subject, issuer, profile = {}, state: asked, ...named } = body
    const taken = {
      ...{ ...named, by: caller.subject, fees: newScheduleOf(fees) },
      staff: { issuer: staffIssuer(context.config, issuer), subject },
      state: firstState(context.config, asked),
      profile: profile as NewMerchant['profile'],
    }
    return createMerchant(context, taken, claim)
  },
})

export const merchantEndpoints = [merchantEndpoint]
