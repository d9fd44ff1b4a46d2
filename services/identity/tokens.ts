/** Who is asking: access tokens (RFC 9068), verified against the issuer's published keys. */
import {
  createRemoteJWKSet,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose'
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import type { Known } from './weak_pins.ts'

const SCOPES = ['person', 'merchant', 'operator', 'chat'] as const
export type Scope = (typeof SCOPES)[number]

export interface Token {
  readonly issuer: string
  readonly subject: string
  readonly scopes: ReadonlySet<string>
  /** What the chat app calls a person: their @alias and their name. */
  readonly alias: string | undefined
  readonly name: string | undefined
  readonly known: Known
  /** Seconds since 1970. */
  readonly expiresAt: number
}

export interface TokenVerifier {
  /** @throws {ServiceError} `invalid_token`, whatever is wrong with it. */
  readonly verify: (authorization: string, now: Date) => Promise<Token>
}

/** Never taken from the token: a header cannot choose how it is checked. */
const ALGORITHMS = ['EdDSA', 'ES256']
/** Headers by which a token would bring its own key. */
const OWN_KEY_HEADERS = ['jku', 'jwk', 'x5u', 'x5c', 'crit'] as const
const CLOCK_TOLERANCE_S = 5
/** The issuer's clock may be a little ahead of ours. */
const ISSUED_AHEAD_MAX_S = 10
const TOKEN_BYTES_MAX = 4_096
const CACHED_TOKENS_MAX = 10_000

const Claims = z.object({
  iss: z.string(),
  // What Postgres and logs cannot hold is nobody's name.
  sub: z
    .string()
    .regex(/^[\u0021-\u007e\u00a0-\uffff]{1,200}$/u)
    .refine((sub) => sub.isWellFormed()),
  exp: z.number(),
  iat: z.number(),
  scope: z.string().default(''),
  preferred_username: z.string().transform(printable).optional(),
  name: z.string().transform(printable).optional(),
  phone_number: z.string().optional().catch(undefined),
  birthdate: z.string().optional().catch(undefined),
})

/** A name without what would break a line, a log or a database. */
function printable(name: string): string {
  return name.toWellFormed().replaceAll(/\p{Cc}/gu, '')
}

export function openTokenVerifier(options: {
  readonly issuer: string
  readonly audience: string
  readonly jwksUrl: string
}): TokenVerifier {
  const keys = createRemoteJWKSet(new URL(options.jwksUrl), { timeoutDuration: 5_000 })
  const rules = {
    ...{ issuer: options.issuer, audience: options.audience, algorithms: ALGORITHMS },
    ...{ typ: 'at+jwt', requiredClaims: ['sub', 'exp', 'iat'], clockTolerance: CLOCK_TOLERANCE_S },
  }
  // Checking a signature costs more than a payment; a token is checked once and kept until it ends.
  const verified = new Map<string, Token>()

  async function check(jwt: string, now: Date): Promise<Token> {
    const header = headerOf(jwt)
    if (OWN_KEY_HEADERS.some((name) => name in header)) throw new ServiceError('invalid_token')
    const { payload } = await jwtVerify(jwt, keys, { ...rules, currentDate: now })
    const claims = Claims.parse(payload)
    const isFromTheFuture = claims.iat > now.getTime() / 1000 + ISSUED_AHEAD_MAX_S
    if (isFromTheFuture) throw new ServiceError('invalid_token')
    return {
      issuer: claims.iss,
      subject: claims.sub,
      scopes: new Set(claims.scope.split(' ')),
      alias: claims.preferred_username,
      name: claims.name,
      known: { phoneNumber: claims.phone_number, birthdate: claims.birthdate },
      expiresAt: claims.exp,
    }
  }

  return {
    async verify(authorization, now) {
      const jwt = /^Bearer ([\w.-]+)$/.exec(authorization)?.[1]
      if (jwt === undefined || jwt.length > TOKEN_BYTES_MAX) throw new ServiceError('invalid_token')
      const known = verified.get(jwt)
      if (known !== undefined && known.expiresAt * 1000 > now.getTime()) return known
      verified.delete(jwt)
      const token = await check(jwt, now).catch(asProblem)
      if (verified.size >= CACHED_TOKENS_MAX) verified.delete(verified.keys().next().value ?? '')
      verified.set(jwt, token)
      return token
    },
  }
}

/** Whatever is wrong with the header is wrong with the token. */
function headerOf(jwt: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(jwt)
  } catch {
    throw new ServiceError('invalid_token')
  }
}

/** A bad token is the caller's fault; keys that cannot be fetched are not. */
function asProblem(error: unknown): never {
  if (error instanceof ServiceError) throw error
  if (error instanceof errors.JWKSTimeout || !isTokenError(error)) {
    throw new ServiceError('saturated', {
      detail: 'The issuer’s keys cannot be read',
      retryAfter_s: 1,
    })
  }
  throw new ServiceError('invalid_token')
}

const isTokenError = (error: unknown) =>
  error instanceof z.ZodError ||
  (error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC') ||
  (error instanceof TypeError && !('cause' in error))
