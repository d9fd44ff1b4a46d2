/** What the beneficiaries of a payment give back when it is refunded, and who pays for that. */
import type { Knex } from 'knex'
import type { AccountId, Currency, Uuid } from '../../ledger/index.ts'
import { merchantAccountOf } from '../books/chart.ts'
import type { Drawn } from '../books/refund_postings.ts'
import type { Context } from '../context.ts'
import { type Share, sharesOfPayment } from '../fees/split_rows.ts'
import { sharesBack } from '../fees/splits.ts'
import { takenOf } from '../payments/given_back.ts'
import type { Payment } from '../payments/payment.ts'
import type { Means } from '../reserves/draw.ts'
import type { ShareSources } from './policy.ts'

/** A beneficiary, and what it would give back. */
export interface Due {
  readonly line: number
  readonly merchant: Uuid
  readonly account: AccountId
  readonly amount: bigint
}

export interface Back extends Due {
  readonly sources: ShareSources
  readonly reserve: AccountId | undefined
  readonly drawn: readonly Drawn[]
}

/** Whose accounts a refund of the payment may touch: looked up before any lock is taken. */
export async function beneficiariesOf(context: Context, payment: Uuid, currency: Currency) {
  const shares = await sharesOfPayment(context.db, payment, false)
  const accounts = shares.map(async ({ merchant }) => {
    return [merchant, await merchantAccountOf(context, merchant, currency)] as const
  })
  return new Map(await Promise.all(accounts))
}

/** What each has to give back of `amount`; the payment is locked. */
export async function sharesDue(
  trx: Knex.Transaction,
  payment: Payment,
  accounts: ReadonlyMap<Uuid, AccountId>,
  amount: bigint,
): Promise<Due[]> {
  if (accounts.size === 0) return []
  const shares = await sharesOfPayment(trx, payment.id, payment.captured !== null)
  const held = shares.map(({ given, returned }: Share) => given - returned)
  const back = sharesBack(amount, takenOf(payment) - payment.refunded, held)
  return shares.flatMap(({ line, merchant }, at) => {
    const [account, due = 0n] = [accounts.get(merchant), back[at]]
    return account === undefined || due === 0n ? [] : [{ line, merchant, account, amount: due }]
  })
}

/** What each pays of that; the merchant of the order pays for whoever cannot. */
export const paidBack = (dues: readonly Due[], meansOf: (account: AccountId) => Means): Back[] =>
  dues.map((due) => {
    const { reserve, payShare } = meansOf(due.account)
    return { ...due, reserve, ...payShare(due.amount) }
  })

/** What came from the beneficiary itself. */
export const ownOf = ({ amount, sources }: Back): bigint => amount - sources.payee

export async function recordBack(
  trx: Knex.Transaction,
  { refund, payment }: { readonly refund: Uuid; readonly payment: Uuid },
  backs: readonly Back[],
): Promise<void> {
  if (backs.length === 0) return
  await trx('refund_splits').insert(
    backs.map(({ line, amount, sources }) => ({
      ...{ refund_id: refund, payment_id: payment, line, amount: `${amount}` },
      ...{ from_balance: `${sources.balance}`, from_reserve: `${sources.reserve}` },
      ...{ from_limit: `${sources.limit}`, from_payee: `${sources.payee}` },
    })),
  )
}
