/** What may be used once, remembered for as long as it would be believed. */
import { createHash } from 'node:crypto'
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'

/** False when the person used it before, however many try at once. */
export async function useNonce(
  db: Knex,
  { person, nonce, until }: { readonly person: Uuid; readonly nonce: string; readonly until: Date },
): Promise<boolean> {
  const hash = createHash('sha256').update(`${person} ${nonce}`).digest()
  const used = await db('used_nonces')
    .insert({ hash, expires_at: until })
    .onConflict('hash')
    .ignore()
    .returning('hash')
  return used.length > 0
}

/** One run removes so many at most; the next goes on. */
const PURGED_MAX = 10_000

/** Forgets those that are too old to be believed. */
export async function purgeNonces({
  db,
  now,
}: {
  readonly db: Knex
  readonly now: () => Date
}): Promise<number> {
  const old = db('used_nonces').where('expires_at', '<', now()).limit(PURGED_MAX).select('hash')
  return db('used_nonces').whereIn('hash', old).delete()
}
