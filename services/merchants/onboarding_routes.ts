/** What is known of merchants, and how they come to be paid, over HTTP. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { listOf, page, pageQuery, text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { changeProfile, type Move, moveMerchant, refuseMoveOf } from './onboarding.ts'
import { findMerchant, findMerchants, merchantOut, PIX_KEY_TYPES, type Profile } from './profile.ts'
import { MERCHANT_STATES } from './standing.ts'

const TAG = 'Merchants'

const SHAPES = {
  legal_name: text(100),
  registration_number: text(64).describe('In the register of companies'),
  tax_id: text(32),
  category: z
    .string()
    .regex(/^[0-9]{4}$/)
    .describe('MCC, ISO 18245'),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .describe('ISO 3166-1, two letters'),
  street: text(100),
  postal_code: text(16),
  city: text(64),
  upi_vpa: z
    .string()
    .regex(/^[A-Za-z0-9._-]{2,256}@[A-Za-z][A-Za-z0-9]{1,63}$/)
    .describe('By which UPI pays it, in India'),
  pix_key: text(77).describe('By which Pix pays it, in Brazil'),
  pix_key_type: z.enum(PIX_KEY_TYPES),
}

const shown = Object.fromEntries(
  Object.entries(SHAPES).map(([name, shape]) => [name, shape.nullable()]),
) as { [Name in keyof typeof SHAPES]: z.ZodNullable<(typeof SHAPES)[Name]> }

const MerchantProfile = z
  .strictObject({
    id: idOut('mer'),
    name: z.string(),
    alias: z.string().nullable(),
    state: z.enum(MERCHANT_STATES),
    state_reason: z.string().nullable(),
    state_at: Timestamp.nullable(),
    ...shown,
    settlement_account: z
      .strictObject({ id: idOut('bac'), name_check: z.string().describe('What the bank said') })
      .nullable(),
    missing: z.array(z.string()).describe('Without these nobody looks at it'),
    created_at: Timestamp,
  })
  .meta({ id: 'MerchantProfile' })

const ProfileIn = z
  .strictObject({
    ...shown,
    settlement_account: idIn('bac').nullable().describe('Of those it has linked'),
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, 'says nothing that would change')
  .refine(
    ({ pix_key, pix_key_type }) =>
      ((pix_key ?? null) === null) === ((pix_key_type ?? null) === null),
    {
      path: ['pix_key_type'],
      message: 'goes with a key',
    },
  )

function changeOf({ settlement_account: account, ...said }: z.output<typeof ProfileIn>) {
  const settled = account === undefined ? {} : { settlement_account_id: account }
  return { ...said, ...settled } as Partial<Profile>
}

/** A merchant asks about itself. */
function refuseOther(caller: Extract<Caller, { scope: 'merchant' | 'operator' }>, id: string) {
  if (caller.scope === 'merchant' && caller.merchant !== id) throw new ServiceError('not_found')
}

const params = z.strictObject({ id: idIn('mer') })
const refusals = ['not_found', 'merchant_move_not_allowed'] as const
const Reason = z.strictObject({ reason: text(140).describe('The merchant reads it') })

const operatorsMove = (move: Exclude<Move, 'submit' | 'activate'>, summary: string) =>
  endpoint({
    ...{ method: 'POST', path: `/v1/merchants/:id/${move}`, tag: TAG, scopes: ['operator'] },
    ...{ summary, params, idempotency: 'optional', body: Reason, refusals },
    answers: { 200: MerchantProfile },
    handle: (context, { params: { id }, body: { reason }, claim }) =>
      moveMerchant(context, id, { move, reason }, claim),
  })

export const onboardingEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/merchants', tag: TAG, scopes: ['operator'] },
    summary: 'Merchants, newest first',
    query: pageQuery('mer').extend({ state: z.enum(MERCHANT_STATES).optional() }),
    answers: { 200: listOf(MerchantProfile) },
    refusals: [],
    handle: async ({ db }, { query: { limit, cursor, state } }) => {
      const found = await findMerchants(db, { state, before: cursor, limit })
      return { status: 200, body: page(found.map(merchantOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/merchants/:id', tag: TAG, scopes: ['merchant', 'operator'] },
    ...{ summary: 'What is known of a merchant, and whether it may be paid', params },
    answers: { 200: MerchantProfile },
    refusals: ['not_found'],
    handle: async ({ db }, { caller, params: { id } }) => {
      refuseOther(caller, id)
      const merchant = await findMerchant(db, id)
      if (merchant === undefined) throw new ServiceError('not_found')
      return { status: 200, body: merchantOut(merchant) }
    },
  }),
  endpoint({
    ...{ method: 'PUT', path: '/v1/merchants/:id', tag: TAG, scopes: ['merchant', 'operator'] },
    ...{ summary: 'Say who a merchant is; what is left out stays', params, body: ProfileIn },
    answers: { 200: MerchantProfile },
    refusals: ['not_found', 'merchant_not_draft', 'bank_account_not_found'],
    handle: async (context, { caller, params: { id }, body }) => {
      refuseOther(caller, id)
      const merchant = await changeProfile(context, id, changeOf(body), caller.scope)
      return { status: 200, body: merchantOut(merchant) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/merchants/:id/submit', tag: TAG, params },
    ...{ scopes: ['merchant', 'operator'], idempotency: 'optional' },
    summary: 'Ask operators to look at a draft',
    answers: { 200: MerchantProfile },
    refusals: [...refusals, 'merchant_profile_incomplete'],
    handle: (context, { caller, params: { id }, claim }) => {
      refuseOther(caller, id)
      return moveMerchant(context, id, { move: 'submit', reason: null }, claim)
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/merchants/:id/activate', tag: TAG, scopes: ['operator'] },
    ...{ summary: 'Let a merchant be paid', params, body: Reason, refusals },
    ...{ idempotency: 'required', secondPerson: true, answers: { 200: MerchantProfile } },
    check: ({ db }, { params: { id } }) => refuseMoveOf(db, id, 'activate'),
    handle: (context, { params: { id }, body: { reason }, claim }) =>
      moveMerchant(context, id, { move: 'activate', reason }, claimed(claim)),
  }),
  operatorsMove('suspend', 'Stop a merchant from being paid, at once'),
  operatorsMove('return', 'Let a merchant change what is known of it'),
]
