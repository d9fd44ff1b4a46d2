/** What a request shows for who it is from: an access token, with its proof if bound, or a key. */
import type { Knex } from 'knex'
import type { Config } from '../config.ts'
import { publicUrlOf } from '../config/tokens.ts'
import { ServiceError } from '../errors.ts'
import { type ApiKey, looksLikeApiKey, openApiKeys } from './api_keys.ts'
import { readProof } from './dpop.ts'
import { openIssuers } from './issuers.ts'
import { openUsedProofs } from './proofs.ts'
import { openTokenVerifier, type Token } from './tokens.ts'

/** Believed, but not yet in which role. */
export type Credential = Token | ({ readonly kind: 'api_key' } & ApiKey)

/** As it stands in the request; empty where there is none. */
export interface Shown {
  readonly authorization: string
  readonly proof: string
  readonly method: string
  readonly path: string
}

export interface Credentials {
  /**
   * @throws {ServiceError} `invalid_token`; `invalid_dpop_proof` for a bound token without a proof
   *   for exactly this request, used for the first time.
   */
  readonly verify: (shown: Shown, now: Date) => Promise<Credential>
}

const AUTHORIZATION = /^(Bearer|DPoP) ([\w.-]+)$/

export function openCredentials(
  db: Knex,
  config: Config,
  onError: (error: unknown) => void,
): Credentials {
  const tokens = openTokenVerifier(config, openIssuers(config))
  const [keys, proofs] = [openApiKeys(db, onError), openUsedProofs(db)]
  const publicUrl = publicUrlOf(config)

  async function isProven(jwt: string, token: Token, shown: Shown, now: Date): Promise<boolean> {
    const proof = await readProof(shown.proof, {
      ...{ method: shown.method, url: publicUrl + shown.path, token: jwt },
      ...{ now, ageMax_s: config.DPOP_AGE_MAX_S },
    })
    if (proof === undefined || proof.thumbprint !== token.boundTo) return false
    return proofs.use(proof, now)
  }

  return {
    async verify(shown, now) {
      const [, scheme, value = ''] = AUTHORIZATION.exec(shown.authorization) ?? []
      if (scheme === 'Bearer' && looksLikeApiKey(value)) {
        return { kind: 'api_key', ...(await keys.verify(value, now)) }
      }
      if (scheme === undefined) throw new ServiceError('invalid_token')
      const token = await tokens.verify(value, now)
      const isBound = token.boundTo !== undefined
      if (isBound && (scheme !== 'DPoP' || !(await isProven(value, token, shown, now)))) {
        throw new ServiceError('invalid_dpop_proof')
      }
      if (!isBound && scheme === 'DPoP') throw new ServiceError('invalid_token')
      return token
    },
  }
}
