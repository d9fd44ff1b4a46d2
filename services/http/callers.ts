/** Turns a token into a caller. Denied unless the endpoint admits one of the token's scopes. */
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { merchantOf, personOf } from '../identity/parties.ts'
import type { Scope, Token } from '../identity/tokens.ts'
import type { Caller } from './endpoint.ts'

/** @throws {ServiceError} `forbidden` when no scope of the token is admitted. */
export async function callerOf(
  context: Context,
  token: Token,
  admitted: readonly Scope[],
): Promise<Caller> {
  const scope = admitted.find((one) => token.scopes.has(one))
  if (scope === undefined) throw new ServiceError('forbidden')
  if (scope === 'person') return { scope, person: await personOf(context, token) }
  if (scope !== 'merchant') {
    const { issuer, subject } = token
    return { scope, subject, session: { issuer, subject } }
  }
  const merchant = await merchantOf(context, token)
  if (merchant === undefined) throw new ServiceError('forbidden')
  return { scope, merchant }
}

/** Whoever asks, as the security log names them. */
export function actorOf(caller: Caller): string {
  if (caller.scope === 'person') return publicId('per', caller.person.id)
  if (caller.scope === 'merchant') return publicId('mer', caller.merchant)
  return `${caller.scope} ${caller.subject}`
}

/** What keys and stored answers belong to. */
export function ownerOf(caller: Caller): string {
  if (caller.scope === 'person') return `person ${caller.person.id}`
  if (caller.scope === 'merchant') return `merchant ${caller.merchant}`
  return `${caller.scope} ${caller.subject}`
}
