/**
 * Whoever shows no token, or a wrong one, again and again: turned away by address before anything
 * is verified. Who has been let in before is not, however many strangers share the address.
 */
import { ServiceError } from '../errors.ts'
import type { Rates } from './rates.ts'

export interface Strangers {
  /**
   * @param shown the Authorization header
   * @throws {ServiceError} `too_many_requests`, and whatever `verify` throws.
   */
  readonly verified: <T>(
    from: { readonly address: string; readonly shown: string },
    verify: () => Promise<T>,
  ) => Promise<T>
}

const KNOWN_MAX = 10_000

/** What somebody is told who is nobody we know. */
const STRANGE: ReadonlySet<string> = new Set(['invalid_token', 'invalid_dpop_proof'])

export function openStrangers(rates: Rates): Strangers {
  const known = new Set<string>()

  function remember(shown: string): void {
    if (known.has(shown)) return
    const [oldest] = known
    if (known.size >= KNOWN_MAX && oldest !== undefined) known.delete(oldest)
    known.add(shown)
  }

  return {
    async verified({ address, shown }, verify) {
      if (!known.has(shown)) rates.refuse('anonymous', address)
      try {
        const credential = await verify()
        remember(shown)
        return credential
      } catch (error) {
        if (error instanceof ServiceError && STRANGE.has(error.code)) {
          known.delete(shown)
          rates.count('anonymous', address)
        }
        throw error
      }
    },
  }
}
