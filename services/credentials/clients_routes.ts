/** Who acts for a merchant, and with which keys its servers and the chat app's come, over HTTP. */
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
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
import { type Grant, GRANTS, type Right } from './scopes.ts'
import { addStaff, removeStaff, staffIssuer, staffOf, staffOut } from './staff.ts'

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
const ApiKeyOut = ApiKeyShape.meta({ id: 'ApiKey' })
const IssuedKeyOut = ApiKeyShape.extend({
  key: z.string().describe('Send it as `Authorization: Bearer`. It is shown this once'),
}).meta({ id: 'IssuedApiKey' })

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

/** Nobody gives away what they have not. */
function refuseMore(caller: Owner, rights: readonly Right[]): void {
  if (rights.every((right) => caller.rights.has(right))) return
  throw new ServiceError('forbidden', { detail: 'nobody can give a right that they do not have' })
}

const rightsIn = (scopes: readonly Grant[]): Right[] =>
  scopes.flatMap((scope) => [...GRANTS[scope][1]])

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
    ...{ tag: TAG, scopes: SCOPES, tokensOnly: true },
    body: ofMerchant.extend({
      subject: Subject,
      issuer: text(200).optional().describe('The first configured unless told'),
      rights: z.array(StaffRight).min(1).max(2).default(['read', 'write']),
    }),
    answers: { 201: StaffOut },
    refusals: ['not_found', 'issuer_unknown', 'merchant_subject_exists', 'too_many_staff'],
    handle: async (context, { caller, body: { merchant: named, subject, ...body } }) => {
      const merchant = merchantNeeded(caller, named)
      if ((await findPayee(context, 'merchant', merchant)) === undefined) {
        throw new ServiceError('not_found')
      }
      refuseMore(caller, body.rights)
      const issuer = staffIssuer(context.config, body.issuer)
      const rights = [...new Set(body.rights)]
      const by = nameOf(context.config, caller.session)
      const row = await addStaff(context, merchant, { issuer, subject, rights, by })
      return { status: 201, body: staffOut(context.config, row) }
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

const issuedOut = ({ row, value }: Issued) => ({ ...apiKeyOut(row), key: value })

const MERCHANT_SCOPES = ['merchant', 'merchant:read', 'merchant:write'] as const
const CHAT_SCOPES = ['chat', 'chat:read'] as const
const KeyScope = z.enum([...MERCHANT_SCOPES, ...CHAT_SCOPES])
type KeyScope = z.infer<typeof KeyScope>

/** A merchant's key acts for the merchant, one of the chat app's servers for the chat app. */
function refuseOtherRole(scopes: readonly KeyScope[], merchant: Uuid | undefined): void {
  const role = merchant === undefined ? 'chat' : 'merchant'
  if (scopes.every((scope) => GRANTS[scope][0] === role)) return
  throw new ServiceError('invalid_request', { detail: `scopes: of a ${role} only` })
}

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
  endpoint({
    ...{ method: 'POST', path: '/v1/api_keys', summary: 'A key for a merchant’s servers' },
    // No idempotency: an answer that is kept would keep the secret. Twice asked is two keys.
    ...{ tag: TAG, scopes: SCOPES, tokensOnly: true },
    body: z.strictObject({
      merchant: idIn('mer')
        .optional()
        .describe('From an operator: none for the chat app’s servers'),
      name: text(64),
      scopes: z.array(KeyScope).min(1).max(5),
    }),
    answers: { 201: IssuedKeyOut },
    refusals: ['not_found', 'too_many_api_keys'],
    handle: async (context, { caller, body: { merchant: named, name, ...body } }) => {
      const merchant = merchantMeant(caller, named)
      if (merchant && (await findPayee(context, 'merchant', merchant)) === undefined) {
        throw new ServiceError('not_found')
      }
      const scopes = [...new Set(body.scopes)]
      refuseOtherRole(scopes, merchant)
      refuseMore(caller, rightsIn(scopes))
      const by = nameOf(context.config, caller.session)
      const issued = await createApiKey(context, { merchant, name, scopes, by })
      return { status: 201, body: issuedOut(issued) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/api_keys/:id/rotate', summary: 'A new secret and a new end' },
    ...{ tag: TAG, scopes: SCOPES, tokensOnly: true },
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
