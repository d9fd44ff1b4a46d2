/** Which proofs were used: each is good once, in all processes together. */
import type { Knex } from 'knex'
import type { Config } from '../config.ts'
import { openLoader } from '../loader.ts'
import type { Proof } from './dpop.ts'

export interface UsedProofs {
  /**
   * Uses the proof up; false when it was used before. Many share one INSERT.
   * @throws when Postgres does not answer: who cannot tell must not believe.
   */
  readonly use: (proof: Proof, now: Date) => Promise<boolean>
}

interface Use {
  readonly id: Buffer
  readonly at: Date
}

export function openUsedProofs(db: Knex): UsedProofs {
  // Asked by use and not by proof: of two uses in one batch only one may be the first.
  const isFirst = openLoader<Use, true>(async (uses) => {
    const byProof = new Map(uses.map((use) => [use.id.toString('hex'), use]))
    const rows = [...byProof.values()].map(({ id, at }) => ({ proof: id, used_at: at }))
    const inserted: { proof: Buffer }[] = await db('dpop_proofs')
      .insert(rows)
      .onConflict('proof')
      .ignore()
      .returning('proof')
    const first = inserted.flatMap(({ proof }) => byProof.get(proof.toString('hex')) ?? [])
    return new Map(first.map((use) => [use, true]))
  })
  return { use: async ({ id }, now) => (await isFirst({ id, at: now })) ?? false }
}

/** How many rows one run removes; the next run takes the next. */
const SWEPT_MAX = 10_000
/** The clocks of processes differ. */
const MARGIN_S = 10

/** Forgets proofs that are too old to be taken again, at most so many. Answers how many. */
export async function sweepProofs({
  db,
  config,
  now,
}: {
  readonly db: Knex
  readonly config: Config
  readonly now: () => Date
}): Promise<number> {
  // A proof from as far in the future as is taken is good for twice that.
  const kept_s = 2 * config.DPOP_AGE_MAX_S + MARGIN_S
  const before = new Date(now().getTime() - kept_s * 1000)
  const old = db('dpop_proofs').where('used_at', '<', before).limit(SWEPT_MAX).select('proof')
  return db('dpop_proofs').whereIn('proof', old).delete()
}
