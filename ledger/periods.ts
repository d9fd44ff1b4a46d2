/** Closing the periods of an account: what is in a closed one stays as it was. */
import type { Knex } from 'knex'
import { lockAccount } from './accounts.ts'
import { LedgerError } from './errors.ts'
import type { AccountId } from './ids.ts'
import { after, balanceBefore, refuseUnanswerable } from './moments.ts'

export interface ClosedPeriod {
  readonly account: AccountId
  /** The last moment of the period; it begins where the one before ended. */
  readonly through: Date
  /** Minor units on the normal side. */
  readonly balance: bigint
}

/**
 * Closes everything up to `through`. What turns out later to have happened until then is booked
 * into the first moment afterwards and keeps its true date.
 * @param at when it is closed, by the clock of who asks.
 * @throws {LedgerError} `account_not_found`, `period_closed` unless it is after the last one, and
 *   `moment_not_answerable` unless it is over and the account was open.
 */
export async function closePeriod(
  trx: Knex.Transaction,
  id: AccountId,
  through: Date,
  at: Date,
): Promise<ClosedPeriod> {
  // Whoever posts holds this lock, so nothing of the period is on its way when it is computed.
  const { closed_through: last } = await lockAccount(trx, id)
  if (last !== null && through <= last) throw new LedgerError('period_closed')
  if (through >= at) throw new LedgerError('moment_not_answerable')
  await refuseUnanswerable(trx, id, [through, after(through)])
  const balance = await balanceBefore(trx, id, { by: 'booked', counted: after(through) })
  await trx('closed_periods').insert({
    ...{ account_id: id, closed_through: through, closed_at: at, balance: balance.toString() },
  })
  await trx('accounts').where({ id }).update({ closed_through: through })
  return { account: id, through, balance }
}
