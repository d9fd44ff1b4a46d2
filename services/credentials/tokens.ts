/** Who is asking: access tokens (RFC 9068), verified against their issuer's published keys. */
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { ServiceError } from '../errors.ts'
import type { Issuer } from './issuers.ts'
import { type Rights, rightsOf } from './scopes.ts'
import type { Known } from '../pins/weak_pins.ts'

export interface Token {
  readonly kind: 'token'
  readonly issuer: string
  readonly subject: string
  /** Unique among the issuer's tokens. */
  readonly jti: string
  /** What the scopes grant, as far as the issuer may give it. */
  readonly rights: Rights
  /** What the chat app calls a person: their @alias and their name. */
  readonly alias: string | undefined
  readonly name: string | undefined
  readonly known: Known
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** Thumbprint of the key whose holder alone may use the token (`cnf.jkt`, RFC 9449). */
  readonly boundTo: string | undefined
}

export interface TokenVerifier {
  /** @throws {ServiceError} `invalid_token`, whatever is wrong with it. */
  readonly verify: (jwt: string, now: Date) => Promise<Token>
}

/** Headers by which a token would bring its own key, or change what the signature is over. */
const OWN_KEY_HEADERS: readonly string[] = [
  ...['jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64'],
]

/** What Postgres and logs cannot hold is nobody's name. */
const Name = z
  .string()
  .regex(/^[\u0021-\u007e\u00a0-\uffff]{1,200}$/u)
  .refine((name) => name.isWellFormed())

const Claims = z.object({
  iss: z.string(),
  sub: Name,
  client_id: z.string().min(1).max(200),
  jti: Name,
  exp: z.number(),
  iat: z.number().min(0),
  nbf: z.number().optional(),
  scope: z.string().default(''),
  cnf: z.object({ jkt: z.string().regex(/^[\w-]{43}$/) }).optional(),
  preferred_username: z.string().transform(printable).optional(),
  name: z.string().transform(printable).optional(),
  phone_number: z.string().optional().catch(undefined),
  birthdate: z.string().optional().catch(undefined),
})
type Claims = z.infer<typeof Claims>

/** A name without what would break a line, a log or a database. */
function printable(name: string): string {
  return name.toWellFormed().replaceAll(/\p{Cc}/gu, '')
}

/** A token as it was verified. */
interface Verified {
  readonly token: Token
  readonly issuer: Issuer
  readonly edition: number
}

export function openTokenVerifier(
  config: Config,
  issuers: ReadonlyMap<string, Issuer>,
): TokenVerifier {
  // Checking a signature costs more than a payment; it is checked once and kept until it ends.
  const verified = new Map<string, Verified>()

  async function check(jwt: string, now: Date): Promise<Verified> {
    const issuer = issuers.get(decodeJwt(jwt).iss ?? '')
    if (issuer === undefined || !mayBeChecked(jwt, issuer)) throw new ServiceError('invalid_token')
    const edition = await issuer.keys.edition()
    const { payload } = await jwtVerify(jwt, issuer.keys.keyOf, {
      ...{ issuer: issuer.name, audience: issuer.audience, typ: 'at+jwt' },
      ...{ algorithms: [...issuer.algorithms], currentDate: now },
      requiredClaims: ['sub', 'client_id', 'jti', 'exp', 'iat'],
      clockTolerance: Math.max(config.TOKEN_AHEAD_MAX_S, config.TOKEN_EXPIRED_MAX_S),
    })
    const claims = Claims.parse(payload)
    if (!isTimely(claims, config, now)) throw new ServiceError('invalid_token')
    return { token: tokenOf(claims, issuer), issuer, edition }
  }

  /** Undefined when it is unknown, over, or verified by keys that have changed since. */
  async function recall(jwt: string, now: Date): Promise<Token | undefined> {
    const known = verified.get(jwt)
    if (known === undefined) return undefined
    const isSame = known.edition === (await known.issuer.keys.edition())
    if (isSame && !isOver(known.token.expiresAt, config, now)) return known.token
    verified.delete(jwt)
    return undefined
  }

  return {
    async verify(jwt, now) {
      if (jwt.length > config.TOKEN_BYTES_MAX) throw new ServiceError('invalid_token')
      const known = await recall(jwt, now).catch(asProblem)
      if (known !== undefined) return known
      const found = await check(jwt, now).catch(asProblem)
      const [oldest] = verified.keys()
      if (verified.size >= config.TOKENS_KEPT_MAX && oldest !== undefined) verified.delete(oldest)
      verified.set(jwt, found)
      return found.token
    },
  }
}

/** Before any key is looked up: an algorithm that we chose, a key that the issuer published. */
function mayBeChecked(jwt: string, { algorithms }: Issuer): boolean {
  const header = decodeProtectedHeader(jwt)
  const bringsKey = OWN_KEY_HEADERS.some((name) => name in header)
  return !bringsKey && typeof header.kid === 'string' && algorithms.includes(header.alg ?? '')
}

/** Clocks differ, and only so far. */
function isTimely({ exp, iat, nbf = 0 }: Claims, config: Config, now: Date): boolean {
  const latest = now.getTime() / 1000 + config.TOKEN_AHEAD_MAX_S
  const isEarly = iat > latest || nbf > latest
  return !isEarly && exp - iat <= config.TOKEN_AGE_MAX_S && !isOver(exp, config, now)
}

const isOver = (exp: number, { TOKEN_EXPIRED_MAX_S }: Config, now: Date): boolean =>
  exp + TOKEN_EXPIRED_MAX_S <= now.getTime() / 1000

const tokenOf = (claims: Claims, issuer: Issuer): Token => ({
  ...{ kind: 'token', issuer: claims.iss, subject: claims.sub, jti: claims.jti },
  rights: rightsOf(claims.scope.split(' '), issuer.scopes),
  ...{ alias: claims.preferred_username, name: claims.name },
  known: { phoneNumber: claims.phone_number, birthdate: claims.birthdate },
  ...{ issuedAt: claims.iat, expiresAt: claims.exp, boundTo: claims.cnf?.jkt },
})

/** A bad token is the caller's fault; keys that cannot be fetched are not. */
function asProblem(error: unknown): never {
  if (error instanceof ServiceError) throw error
  if (isIssuersFault(error) || !isTokenError(error)) {
    throw new ServiceError('saturated', {
      detail: 'The issuer’s keys cannot be read',
      retryAfter_s: 1,
    })
  }
  throw new ServiceError('invalid_token')
}

const isIssuersFault = (error: unknown) =>
  error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid

const isTokenError = (error: unknown) =>
  error instanceof z.ZodError ||
  (error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC') ||
  (error instanceof TypeError && !('cause' in error))
