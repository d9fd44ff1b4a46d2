/** How much a merchant may owe us for what it gives back, beyond its balance and its reserve. */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  creditsOf,
  type Currency,
  type Outcome,
  setFloor,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import { merchantAccountOf, merchantOwner } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'

export interface RefundLimit {
  readonly merchant: Uuid
  readonly currency: Currency
  /** Minor units, not negative. */
  readonly amount: bigint
  readonly reason: string
}

/**
 * From then on. A payout never uses it: it is of what is there.
 * @throws {LedgerError} `insufficient_funds` where the merchant owes more already; that is stored.
 */
export async function setRefundLimit(
  context: Context,
  { merchant, currency, amount, reason }: RefundLimit,
  claim: Claim,
): Promise<Outcome> {
  const account = await merchantAccountOf(context, merchant, currency)
  const subject = publicId('mer', merchant)
  const data = { merchant: subject, currency, amount: amount.toString(), reason }
  const detail = { action: 'merchant.refund_limit_set', currency, amount: data.amount }
  return answerOnce(context.db, claim, (trx) =>
    answerOf(async () => {
      await setFloor(trx, account, -amount)
      await recordSecurity({ ...context, db: trx }, { kind: 'manual_action', subject, detail })
      return data
    }),
  )
}

/** As the API shows them: one for each currency in which the merchant has an account. */
export async function refundLimitsOf(db: Knex, merchant: Uuid) {
  const credits = await creditsOf(db, merchantOwner(merchant), 'merchant')
  return credits.map(({ currency, most, used }) => ({
    ...{ merchant: publicId('mer', merchant), currency },
    ...{ amount: most.toString(), used: used.toString() },
  }))
}
