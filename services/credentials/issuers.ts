/** Whose tokens are believed: each issuer with its rules and its published keys. */
import { createRemoteJWKSet, type ExportedJWKSCache, jwksCache, type JWTVerifyGetKey } from 'jose'
import type { Config } from '../config.ts'
import type { Scope } from './scopes.ts'

export interface Issuer {
  /** The `iss` of its tokens. */
  readonly name: string
  readonly audience: string
  /** Never taken from a token: a header cannot choose how it is checked. */
  readonly algorithms: readonly string[]
  /** The roles that it may give. */
  readonly scopes: readonly Scope[]
  readonly keys: PublishedKeys
}

/** What an issuer publishes, read again when it is too old, or lacks a key that a token names. */
export interface PublishedKeys {
  readonly keyOf: JWTVerifyGetKey
  /**
   * The number of times the keys were found changed. What was verified by an earlier edition may be
   * signed by a key that is no longer there.
   * @throws when they are too old and cannot be read.
   */
  readonly edition: () => Promise<number>
}

export function openIssuers(config: Config): ReadonlyMap<string, Issuer> {
  return new Map(
    config.TOKEN_ISSUERS.map(({ issuer: name, audience, algorithms, scopes, jwks_url: url }) => [
      name,
      { name, audience, algorithms, scopes, keys: openPublishedKeys(url, config) },
    ]),
  )
}

function openPublishedKeys(url: string, config: Config): PublishedKeys {
  // Read at no time: filled by the first look.
  const cache: ExportedJWKSCache = { uat: 0, jwks: { keys: [] } }
  const keys = createRemoteJWKSet(new URL(url), {
    cacheMaxAge: config.JWKS_CACHE_S * 1000,
    cooldownDuration: config.JWKS_COOLDOWN_S * 1000,
    timeoutDuration: config.JWKS_TIMEOUT_MS,
    [jwksCache]: cache,
  })
  let [edition, readAt, known] = [0, cache.uat, '']
  // `fresh` goes by the time of day: set back, what was read would be fresh for as long.
  let read_ms = -Infinity
  const isOld = () => performance.now() - read_ms >= config.JWKS_CACHE_S * 1000
  return {
    keyOf: keys,
    async edition() {
      if (!keys.fresh || isOld()) {
        await keys.reload()
        read_ms = performance.now()
      }
      if (cache.uat === readAt) return edition
      readAt = cache.uat
      const found = JSON.stringify(cache.jwks)
      if (found !== known) edition += 1
      known = found
      return edition
    },
  }
}

/**
 * What is written down of who did something: the subject, and whose it is where the issuer is not
 * the first. Neither can contain a space, so no two have the same name.
 */
export function nameOf(
  { TOKEN_ISSUERS: [first] }: Pick<Config, 'TOKEN_ISSUERS'>,
  { issuer, subject }: { readonly issuer: string; readonly subject: string },
): string {
  return issuer === first.issuer ? subject : `${issuer} ${subject}`
}

/** The subject of such a name, whichever issuer was the first when it was written down. */
export const subjectIn = (name: string): string => name.slice(name.lastIndexOf(' ') + 1)
