/** Settings: whose access tokens are believed, for how long, and what must come with them. */
import { z } from 'zod'
import { integer, json } from './kinds.ts'

/** RSA is there for issuers that know nothing else: it must be asked for. */
const Algorithm = z.enum(['EdDSA', 'ES256', 'RS256', 'PS256'])

const Issuer = z.strictObject({
  issuer: z.string().regex(/^https?:\/\/\S{1,200}$/, 'must be the url that tokens have as `iss`'),
  audience: z.string().min(1).max(200),
  jwks_url: z.url({ protocol: /^https?$/ }),
  algorithms: z.array(Algorithm).min(1).default(['EdDSA', 'ES256']),
  scopes: z
    .array(z.enum(['person', 'merchant', 'operator', 'chat']))
    .min(1)
    .default(['person', 'merchant', 'operator', 'chat']),
})
export type IssuerSettings = z.infer<typeof Issuer>

const ISSUERS_MAX = 16

export const TOKEN_SETTINGS = {
  TOKEN_ISSUERS: json
    .pipe(z.tuple([Issuer], Issuer).check(z.maxLength(ISSUERS_MAX)))
    .refine(
      (all) => new Set(all.map(({ issuer }) => issuer)).size === all.length,
      'names an issuer twice',
    )
    .describe(
      'JSON: `[{issuer, audience, jwks_url, algorithms?, scopes?}]`; the first is the house’s own',
    ),
  JWKS_CACHE_S: integer(600, 1, 1_200).describe('How long an issuer’s published keys are kept'),
  JWKS_COOLDOWN_S: integer(30, 1, 600).describe(
    'How long after reading an issuer’s keys nobody is asked again for a key that is not there',
  ),
  JWKS_TIMEOUT_MS: integer(5_000, 100, 30_000).describe(
    'How long reading an issuer’s keys may take',
  ),
  TOKEN_AGE_MAX_S: integer(300, 30, 3_600).describe('The longest life of a token: exp - iat'),
  TOKEN_AHEAD_MAX_S: integer(10, 0, 60).describe(
    'How far in the future a token may have been issued: clocks differ',
  ),
  TOKEN_EXPIRED_MAX_S: integer(5, 0, 5).describe('How long after its end a token is still taken'),
  TOKEN_BYTES_MAX: integer(4_096, 1_024, 4_096).describe('The longest token'),
  TOKENS_KEPT_MAX: integer(10_000, 1, 100_000).describe(
    'Verified tokens that one process remembers, to check each signature once',
  ),
  API_KEY_DAYS: integer(365, 1, 730).describe('How long an API key is good'),
  API_KEY_OVERLAP_S: integer(86_400, 0, 604_800).describe(
    'How long the old secret of a key is good after it was rotated',
  ),
  DPOP: z
    .enum(['optional', 'required'])
    .default('optional')
    .describe('Whether people’s tokens must be bound to a key; one that is always needs its proof'),
  DPOP_AGE_MAX_S: integer(60, 5, 300).describe(
    'How old, or how far in the future, a proof may be; it is remembered for twice as long',
  ),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Where clients reach the API; proofs name it. http://HOST:PORT unless told'),
}

/** Where clients reach the API, without a slash at the end. */
export const publicUrlOf = ({
  PUBLIC_URL,
  HOST,
  PORT,
}: {
  readonly PUBLIC_URL?: string | undefined
  readonly HOST: string
  readonly PORT: number
}): string => (PUBLIC_URL ?? `http://${HOST}:${PORT}`).replace(/\/+$/, '')

/** What is convenient on a laptop and wrong where money is real. */
export function tokenFaults(config: {
  readonly TOKEN_ISSUERS: readonly IssuerSettings[]
  readonly DPOP: string
  readonly PUBLIC_URL?: string | undefined
}): string[] {
  const { DPOP, PUBLIC_URL } = config
  const faults = [
    config.TOKEN_ISSUERS.some((one) => !one.jwks_url.startsWith('https:')) &&
      'TOKEN_ISSUERS: jwks_url must be https in production',
    DPOP === 'required' &&
      PUBLIC_URL?.startsWith('https:') !== true &&
      'PUBLIC_URL: needed in production, as https, where DPOP is required',
  ]
  return faults.filter((fault) => fault !== false)
}
