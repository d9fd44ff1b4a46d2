/** The books are audited all the while, each time as of one moment. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { audit } from '../../ledger/index.ts'

const EVERY_MS = 10_000

export interface Watched {
  /** Audits that came to an end. */
  readonly checks: number
  /** What they found. */
  readonly seen: readonly string[]
}

export function openWatch(db: Knex, say: (line: string) => void) {
  const over = new AbortController()
  const seen: string[] = []
  let checks = 0

  async function look(): Promise<void> {
    const { violations } = await audit(db)
    checks += 1
    seen.push(...violations.map(({ invariant, subject }) => `meanwhile ${invariant}: ${subject}`))
  }

  const watching = (async () => {
    while (!over.signal.aborted) {
      await sleep(EVERY_MS, undefined, { signal: over.signal }).catch(() => {})
      // Postgres is killed too: an audit that it did not survive says nothing.
      await look().catch((error: unknown) => say(`banks: an audit failed: ${String(error)}`))
    }
  })()

  return {
    async stop(): Promise<Watched> {
      over.abort()
      await watching
      return { checks, seen }
    },
  }
}
