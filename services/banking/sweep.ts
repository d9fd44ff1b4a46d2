/**
 * Rings again for whatever has been quiet too long. The queue may lose everything; this finds it.
 */
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { UNDECIDED } from './inbox.ts'

/** One sweep rings for so many at most; the next one goes on. */
const RINGS_MAX = 500

export async function sweep(context: Context): Promise<void> {
  const { db, queue } = context
  const now = context.now()
  const due: Uuid[] = await db('instructions')
    .whereIn('state', ['created', 'sent', 'unknown'])
    .where('next_at', '<=', now)
    .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', now))
    .orderBy(['next_at', 'id'])
    .limit(RINGS_MAX)
    .pluck('id')
  const unheard: Uuid[] = await db('callbacks')
    .whereIn('disposition', UNDECIDED)
    .where('next_at', '<=', now)
    .orderBy(['next_at', 'id'])
    .limit(RINGS_MAX)
    .pluck('id')
  const recalls: Uuid[] = await db('recalls')
    .whereIn('state', ['requested', 'sent', 'unknown', 'accepted'])
    .where('next_at', '<=', now)
    .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', now))
    .orderBy(['next_at', 'id'])
    .limit(RINGS_MAX)
    .pluck('id')
  await queue.ringAgain('instruction', due, now)
  await queue.ringAgain('callback', unheard, now)
  await queue.ringAgain('recall', recalls, now)
}
