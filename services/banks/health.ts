/**
 * How the banks are, as the workers that call them have found: each tells when its breaker changes,
 * and everybody else reads it. What nobody has renewed for a while is not believed any more.
 */
import type { Knex } from 'knex'
import type { Health } from '../banking/breaker.ts'
import type { Dated } from '../rules/book.ts'

export interface BankHealth extends Dated {
  readonly bank: string
}

/** A bank whose breaker has opened is failing until it closes, or until this is too old. */
export async function noteHealth(
  db: Knex,
  bank: string,
  health: Health,
  { now, pause_ms }: { readonly now: Date; readonly pause_ms: number },
): Promise<void> {
  if (health === 'half_open') return
  // Nobody calls a bank to which nothing is routed: after twice the pause it is tried again.
  const until = health === 'closed' ? now : new Date(now.getTime() + 2 * pause_ms)
  const row = { bank, failing_since: now, failing_until: until }
  await db('bank_health').insert(row).onConflict('bank').merge()
}

/** The banks that are failing now. */
export async function loadHealth(db: Knex, now: Date): Promise<BankHealth[]> {
  const rows = await db('bank_health').where('failing_until', '>', now)
  return rows.map(({ bank, failing_since, failing_until }) => ({
    ...{ bank, validFrom: failing_since, validTo: failing_until },
  }))
}
