/**
 * Turns a credential into a caller. Denied unless it has a role that the endpoint admits, with the
 * right that the endpoint needs, and nobody has revoked it.
 */
import type { Context } from '../context.ts'
import type { Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import type { ApiKey } from '../credentials/api_keys.ts'
import type { Credential } from '../credentials/credentials.ts'
import { nameOf } from '../credentials/issuers.ts'
import { personOf } from '../people/parties.ts'
import { isRevoked } from '../credentials/revocations.ts'
import type { Right, Scope } from '../credentials/scopes.ts'
import type { Standing } from '../credentials/standing.ts'
import { type Subject, subjectKey } from '../credentials/subjects.ts'
import type { Token } from '../credentials/tokens.ts'
import { type AnyEndpoint, type Caller, rightOf } from './endpoint.ts'

type Door = Pick<AnyEndpoint, 'method' | 'scopes' | 'right' | 'tokensOnly'>

/**
 * In which role the credential opens the door, as far as it says itself.
 * @throws {ServiceError} `forbidden` when no scope of the credential is admitted.
 */
export function roleAt(credential: Credential, door: Door): Scope {
  const right = rightOf(door)
  const scope = door.scopes.find((one) => credential.rights.get(one)?.has(right) === true)
  const isMissing = credential.kind === 'api_key' && door.tokensOnly === true
  if (scope === undefined || isMissing) throw new ServiceError('forbidden')
  return scope
}

/**
 * What may change between two requests is looked up: so call it when all of the request is there,
 * or a body that is long in coming would be believed by what was true before.
 * @throws {ServiceError} as `roleAt`; `invalid_token` for a write with a token that was revoked;
 *   `invalid_dpop_proof` for a person whose token ought to be bound to a key and is not.
 */
export async function callerOf(
  context: Context,
  credential: Credential,
  door: Door,
): Promise<Caller> {
  const scope = roleAt(credential, door)
  if (credential.kind === 'api_key') return keyCaller(credential, scope)
  return tokenCaller(context, credential, scope, rightOf(door))
}

function keyCaller({ id, merchant, rights }: ApiKey, scope: Scope): Caller {
  const name = publicId('key', id)
  const called = {
    session: { issuer: 'api_key', subject: name, jti: name },
    rights: rights.get(scope) ?? new Set<Right>(),
  }
  if (merchant !== undefined) return { scope: 'merchant', merchant, ...called }
  return { scope: 'chat', subject: `api_key ${name}`, ...called }
}

async function tokenCaller(
  context: Context,
  token: Token,
  scope: Scope,
  right: Right,
): Promise<Caller> {
  const { issuer, subject, jti, issuedAt, known: told } = token
  const session = { issuer, subject, jti, issuedAt }
  const granted = token.rights.get(scope) ?? new Set<Right>()
  const called = { session, rights: granted, expiresAt_s: token.expiresAt }
  if (scope === 'person') {
    if (context.config.DPOP === 'required' && token.boundTo === undefined) {
      throw new ServiceError('invalid_dpop_proof')
    }
    const person = await personOf(context, token)
    if (right === 'read') return { scope, person, known: told, standing: undefined, ...called }
    const standing = admitted(context, token, person.id)
    // Who is not admitted is told so when it is waited for, if nothing else is wrong before.
    standing.catch(() => {})
    return { session, rights: granted, scope, person, known: told, standing }
  }
  const known = await knownOf(context, token, scope, right)
  refuseRevoked(token, known?.revokedBefore ?? null, null)
  if (scope !== 'merchant') return { scope, subject: nameOf(context.config, token), ...called }
  if (known?.merchant === undefined) throw new ServiceError('forbidden')
  const rights = new Set(known.rights.filter((one) => called.rights.has(one)))
  if (!rights.has(right)) throw new ServiceError('forbidden')
  return { scope, merchant: known.merchant, ...called, rights }
}

/** @throws {ServiceError} `invalid_token` for one that was revoked. */
async function admitted({ standings }: Context, token: Token, person: Uuid): Promise<Standing> {
  const standing = await standings(person)
  // Erased, which this process may not know yet.
  if (standing === undefined) throw new ServiceError('forbidden')
  refuseRevoked(token, standing.tokensValidFrom, standing.keptToken)
  return standing
}

/** Who only reads and acts for no merchant need not be looked up: their tokens end soon. */
const knownOf = async (
  { subjects }: Context,
  token: Token,
  scope: Scope,
  right: Right,
): Promise<Subject | undefined> =>
  scope !== 'merchant' && right === 'read' ? undefined : subjects(subjectKey(token))

function refuseRevoked(token: Token, before: Date | null, kept: string | null): void {
  if (isRevoked(token, before, kept)) throw new ServiceError('invalid_token')
}

/** Whose credential it is, before it is known what they may do. */
export const bearerOf = (credential: Credential): string =>
  credential.kind === 'token'
    ? `token ${credential.issuer} ${credential.subject}`
    : publicId('key', credential.id)

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
