/** Books and business are audited all the while, each time as of one moment. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { audit } from '../../ledger/index.ts'
import { auditBusiness } from '../../services/audit/audit.ts'

const EVERY_MS = 10_000

export interface Watched {
  /** Audits that came to an end. */
  readonly checks: number
  /** How many invariants they asked, all told. */
  readonly invariants: number
  /** What they found. */
  readonly seen: readonly string[]
}

/** @returns what does not hold at this moment, and how many invariants were asked. */
async function auditAll(db: Knex, isDrained: boolean) {
  const asked = new Set<string>()
  const onProgress = (invariant: string) => void asked.add(invariant)
  const books = await audit(db, { onProgress })
  const business = await auditBusiness(db, { isDrained, onProgress })
  const found = [...books.violations, ...business]
  return {
    asked: asked.size,
    found: found.map(({ invariant, subject }) => `${invariant}: ${subject}`),
  }
}

export function openWatch(db: Knex, say: (line: string) => void) {
  const over = new AbortController()
  const seen: string[] = []
  let [checks, invariants] = [0, 0]

  async function look(isDrained: boolean): Promise<void> {
    const { asked, found } = await auditAll(db, isDrained)
    checks += 1
    invariants += asked
    for (const one of found) say(`banks: does not hold: ${one}`)
    seen.push(...found.map((one) => (isDrained ? one : `meanwhile ${one}`)))
  }

  const watching = (async () => {
    while (!over.signal.aborted) {
      await sleep(EVERY_MS, undefined, { signal: over.signal }).catch(() => {})
      if (over.signal.aborted) return
      // Postgres is killed too: an audit that it did not survive says nothing.
      await look(false).catch((error: unknown) => say(`banks: no audit: ${String(error)}`))
    }
  })()

  const stop = async () => {
    over.abort()
    await watching
  }
  return {
    stop,
    /** The last audit, when nothing is open any more. */
    async last(): Promise<Watched> {
      await stop()
      await look(true)
      return { checks, invariants, seen }
    },
  }
}
