/**
 * Rings again for whatever has been quiet too long. The queue may lose everything; this finds it.
 */
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'

/** One sweep rings for so many at most; the next one goes on. */
const RINGS_MAX = 500

/** A callback is rung for when it comes; only later does silence mean that the ring was lost. */
const CALLBACK_QUIET_S = 2

export async function sweep(context: Context): Promise<void> {
  const { db, queue } = context
  const now = context.now()
  const due: Uuid[] = await db('instructions')
    .whereIn('state', ['created', 'sent', 'unknown'])
    .where('next_at', '<=', now)
    .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', now))
    .orderBy('next_at')
    .limit(RINGS_MAX)
    .pluck('id')
  const quietSince = new Date(now.getTime() - CALLBACK_QUIET_S * 1000)
  const unheard: Uuid[] = await db('callbacks')
    .where({ disposition: 'received' })
    .where('received_at', '<=', quietSince)
    .orderBy('received_at', 'desc')
    .limit(RINGS_MAX)
    .pluck('id')
  await queue.ring('instruction', due)
  await queue.ring('callback', unheard)
}
