/** What of a capture goes on to the beneficiaries of the order. */
import type { Currency } from '../../ledger/index.ts'
import { merchantAccountOf } from '../books/chart.ts'
import type { Context } from '../context.ts'
import type { Share } from '../fees/split_rows.ts'
import { type Split, sharesOfMore } from '../fees/splits.ts'

/** What has come of the net of the whole, and what comes now. */
interface Nets {
  /** Of one capture of everything. */
  readonly whole: bigint
  /** Of all captures so far. */
  readonly before: bigint
  readonly now: bigint
}

/** What each gets now, who gets anything. Pure. */
export function givenNow(shares: readonly Share[], { whole, before, now }: Nets) {
  const kept = shares.reduce((left, { amount, given }) => left - amount + given, whole - before)
  const open = shares.map(({ amount, given }) => amount - given)
  const given = sharesOfMore(now, open, kept)
  return shares
    .map(({ line, merchant }, at) => ({ line, merchant, amount: given[at] ?? 0n }))
    .filter(({ amount }) => amount > 0n)
}

export const intoAccounts = (context: Context, splits: readonly Split[], currency: Currency) =>
  Promise.all(
    splits.map(async ({ merchant, amount }) => ({
      ...{ account: await merchantAccountOf(context, merchant, currency), amount },
    })),
  )
