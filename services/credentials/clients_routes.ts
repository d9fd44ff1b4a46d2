/** Who acts for a merchant, and with which keys its servers come, over HTTP. */
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import {
  apiKeyOut,
  createApiKey,
  type Issued,
  liveKeys,
  revokeApiKey,
  rotateApiKey,
} from './api_keys.ts'
import { nameOf } from './issuers.ts'
import { findPayee } from '../people/parties.ts'
import { refuseMore, rightsIn } from './scopes.ts'
import {
  addStaff,
  refuseTakenSubject,
  removeStaff,
  staffIssuer,
  staffOf,
  staffOut,
} from './staff.ts'

type Owner = Extract<Caller, { scope: 'merchant' | 'operator' }>

const TAG = 'Clients'
const SCOPES = ['merchant', 'operator'] as const

const StaffRight = z.enum(['read', 'write'])

const StaffOut = z
  .strictObject({
    id: idOut('stf'),
    merchant: idOut('mer'),
    issuer: z.string(),
    subject: z.string(),
    rights: z.array(StaffRight),
    created_by: z.string(),
    created_at: Timestamp,
  })
  .meta({ id: 'StaffMember' })

const ofMerchant = z.strictObject({
  merchant: idIn('mer').optional().describe('For operators: whose'),
})
/** Half a letter would be written down as another one, and so as another's name. */
const Subject = z
  .string()
  .regex(/^[\u0021-\u007e\u00a0-\uffff]{1,200}$/u)
  .refine((subject) => subject.isWellFormed(), 'is not well-formed Unicode')

/** The merchant that is meant: a merchant's own, or the one that an operator names. */
function merchantMeant(caller: Owner, named: Uuid | undefined): Uuid | undefined {
  if (caller.scope === 'operator') return named
  if (named !== undefined && named !== caller.merchant) throw new ServiceError('not_found')
  return caller.merchant
}

function merchantNeeded(caller: Owner, named: Uuid | undefined): Uuid {
  const merchant = merchantMeant(caller, named)
  if (merchant !== undefined) return merchant
  throw new ServiceError('invalid_request', { detail: 'merchant: needed from an operator' })
}

const ownOnly = (caller: Owner) =>
  caller.scope === 'merchant' ? { merchant_id: caller.merchant } : {}

const ApiKeyShape = z.strictObject({
  id: idOut('key'),
  merchant: idOut('mer').nullable().describe('null: of the chat app’s servers'),
  name: z.string(),
  scopes: z.array(z.string()),
  created_by: z.string(),
  created_at: Timestamp,
  expires_at: Timestamp,
  last_used_at: Timestamp.nullable().describe('To about a minute'),
})
export const ApiKeyOut = ApiKeyShape.meta({ id: 'ApiKey' })
export const IssuedKeyOut = ApiKeyShape.extend({
  key: z.string().describe('Send it as `Authorization: Bearer`. It is shown this once'),
}).meta({ id: 'IssuedApiKey' })

export const issuedOut = ({ row, value }: Issued) => ({ ...apiKeyOut(row), key: value })

const NewStaff = ofMerchant.extend({
  subject: Subject,
  issuer: text(200).optional().describe('The first configured unless told'),
  rights: z.array(StaffRight).min(1).max(2).default(['read', 'write']),
})

/** Who shall act for which merchant, as far as the caller may say so. */
async function memberMeant(
  context: Context,
  caller: Owner,
  { merchant: named, subject, ...asked }: z.infer<typeof NewStaff>,
) {
  const merchant = merchantNeeded(caller, named)
  if ((await findPayee(context, 'merchant', merchant)) === undefined) {
    throw new ServiceError('not_found')
  }
  refuseMore(caller, asked.rights)
  const issuer = staffIssuer(context.config, asked.issuer)
  return { merchant, issuer, subject, rights: [...new Set(asked.rights)] }
}

const staff = [
  endpoint({
    ...{ method: 'GET', path: '/v1/staff', summary: 'Whose tokens act for the merchant' },
    ...{ tag: TAG, scopes: SCOPES },
    query: ofMerchant,
    answers: { 200: z.strictObject({ data: z.array(StaffOut) }) },
    refusals: ['not_found'],
    handle: async ({ db, config }, { caller, query }) => {
      const rows = await staffOf(db, merchantNeeded(caller, query.merchant))
      return { status: 200, body: { data: rows.map((row) => staffOut(config, row)) } }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/staff', summary: 'Let a subject’s tokens act for it' },
    ...{ tag: TAG, scopes: SCOPES, tokensOnly: true, idempotency: 'required' },
    // Whoever acts for a merchant gives its money back: two say who that is, or the merchant.
    secondPerson: ({ scope }) => scope === 'operator',
    body: NewStaff,
    answers: { 201: StaffOut },
    refusals: ['not_found', 'issuer_unknown', 'merchant_subject_exists', 'too_many_staff'],
    check: async (context, { caller, body }) => {
      await refuseTakenSubject(context, await memberMeant(context, caller, body))
    },
    handle: async (context, { caller, body, claim }) => {
      const { merchant, ...member } = await memberMeant(context, caller, body)
      const by = nameOf(context.config, caller.session)
      return addStaff(context, merchant, { ...member, by }, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'DELETE', path: '/v1/staff/:id', summary: 'Let somebody act for it no more' },
    ...{ tag: TAG, scopes: SCOPES, tokensOnly: true },
    params: z.strictObject({ id: idIn('stf') }),
    answers: { 204: null },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      await removeStaff(context, params.id, ownOnly(caller))
      return { status: 204 }
    },
  }),
]

const keys = [
  endpoint({
    ...{ method: 'GET', path: '/v1/api_keys', summary: 'Keys that can still be used' },
    ...{ tag: TAG, scopes: SCOPES },
    query: ofMerchant,
    answers: { 200: z.strictObject({ data: z.array(ApiKeyOut) }) },
    refusals: ['not_found'],
    handle: async ({ db, now }, { caller, query }) => {
      const merchant = merchantMeant(caller, query.merchant)
      const rows = await liveKeys(db, { merchant_id: merchant ?? null }, now())
      return { status: 200, body: { data: rows.map(apiKeyOut) } }
    },
  }),
  // No operators: a key of a merchant gives its money back, and its secret is told to who asks.
  endpoint({
    ...{ method: 'POST', path: '/v1/api_keys', summary: 'A key for a merchant’s servers' },
    // No idempotency: an answer that is kept would keep the secret. Twice asked is two keys.
    ...{ tag: TAG, scopes: ['merchant'], tokensOnly: true },
    body: z.strictObject({
      merchant: idIn('mer').optional().describe('Your own, where you name it'),
      name: text(64),
      scopes: z
        .array(z.enum(['merchant', 'merchant:read', 'merchant:write']))
        .min(1)
        .max(3),
    }),
    answers: { 201: IssuedKeyOut },
    refusals: ['not_found', 'too_many_api_keys'],
    handle: async (context, { caller, body: { merchant: named, name, ...body } }) => {
      const merchant = merchantMeant(caller, named)
      const scopes = [...new Set(body.scopes)]
      refuseMore(caller, rightsIn(scopes))
      const by = nameOf(context.config, caller.session)
      const issued = await createApiKey(context, { merchant, name, scopes, by })
      return { status: 201, body: issuedOut(issued) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/api_keys/:id/rotate', summary: 'A new secret and a new end' },
    ...{ tag: TAG, scopes: ['merchant'], tokensOnly: true },
    params: z.strictObject({ id: idIn('key') }),
    answers: { 200: IssuedKeyOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const issued = await rotateApiKey(context, params.id, ownOnly(caller), (scopes) => {
        refuseMore(caller, rightsIn(scopes))
      })
      return { status: 200, body: issuedOut(issued) }
    },
  }),
  endpoint({
    ...{ method: 'DELETE', path: '/v1/api_keys/:id', summary: 'End a key at once' },
    ...{ tag: TAG, scopes: SCOPES, tokensOnly: true },
    params: z.strictObject({ id: idIn('key') }),
    answers: { 204: null },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      await revokeApiKey(context, params.id, ownOnly(caller))
      return { status: 204 }
    },
  }),
]

export const clientEndpoints = [...staff, ...keys]
