/** What calls about keys share: how a key is shown, and that nobody gives more than they have. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import type { Caller } from '../http/endpoint.ts'
import { Timestamp } from '../http/schemas.ts'
import { idOut } from '../ids.ts'
import { apiKeyOut, type Issued } from './api_keys.ts'
import { type Grant, GRANTS, type Right } from './scopes.ts'

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

/** Nobody gives away what they have not. */
export function refuseMore(
  { rights: own }: Pick<Caller, 'rights'>,
  rights: readonly Right[],
): void {
  if (rights.every((right) => own.has(right))) return
  throw new ServiceError('forbidden', { detail: 'nobody can give a right that they do not have' })
}

export const rightsIn = (scopes: readonly Grant[]): Right[] =>
  scopes.flatMap((scope) => [...GRANTS[scope][1]])
