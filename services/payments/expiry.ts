/**
 * Holds that ran out go back to their payers. Any number of workers may do this at once: each takes
 * holds that nobody else has, one transaction for each, so that one which fails keeps no other
 * waiting. A capture at the same moment comes before or after: both lock the payment first.
 */
import type { Knex } from 'knex'
import {
  createTransfers,
  type ExpiredHold,
  LedgerError,
  newUnitId,
  postponeExpiry,
  takeExpired,
} from '../../ledger/index.ts'
import { released } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { endHold, isHeld } from './holds.ts'
import { later, lockPayment } from './payment.ts'
import { dueReviews, expireReview, findReviewOfHold } from './reviews.ts'

/** One run releases so many at most; the next one goes on. */
const HOLDS_MAX = 5_000
/** When to look again at a hold that could not be released. */
const RETRY_S = 60

export async function expireHolds(context: Context): Promise<void> {
  for (let taken = 0; taken < HOLDS_MAX; taken += 1) {
    if (!(await expireNext(context))) return
  }
}

/** False: there was none. */
async function expireNext(context: Context): Promise<boolean> {
  const { db, log } = context
  const now = context.now()
  let taken: ExpiredHold | undefined
  try {
    return await db.transaction(async (trx) => {
      ;[taken] = await takeExpired(trx, now, 1)
      if (taken === undefined) return false
      await expire(context, trx, taken, now)
      return true
    })
  } catch (error) {
    if (taken === undefined) throw error
    log.error({ err: error, hold: taken.hold }, 'a hold could not be released; it is tried again')
    await postponeExpiry(db, taken.hold, later(now, RETRY_S))
    return true
  }
}

async function expire(
  context: Context,
  trx: Knex.Transaction,
  { hold, reference }: ExpiredHold,
  at: Date,
): Promise<void> {
  const review = await findReviewOfHold(trx, hold)
  if (review !== undefined) {
    await expireReview(context, trx, review.payment)
    return
  }
  const payment = await lockPayment(trx, { hold_id: hold })
  // Captured or voided before it ran out: there is nothing to do.
  if (payment !== undefined && !isHeld(payment)) return
  await release(trx, { hold, reference }, at)
  if (payment !== undefined) await endHold(context, trx, payment, 'expired', at)
}

/** What is resolved already is as good as released. */
async function release(
  trx: Knex.Transaction,
  { hold, reference }: ExpiredHold,
  at: Date,
): Promise<void> {
  try {
    await createTransfers(trx, { id: newUnitId(), at, transfers: released({ reference }, hold) })
  } catch (error) {
    if (!(error instanceof LedgerError && error.code === 'hold_resolved')) throw error
  }
}

/**
 * Reviews that nobody decided in time, of payments whose money is still at the bank: no hold runs
 * out for them.
 */
export async function expireReviews(context: Context): Promise<void> {
  const { db, log, now } = context
  for (const payment of await dueReviews(db, now())) {
    try {
      await db.transaction((trx) => expireReview(context, trx, payment))
    } catch (error) {
      log.error({ err: error, payment }, 'a review could not be ended; it is tried again')
    }
  }
}
