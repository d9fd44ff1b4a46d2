/**
 * What a merchant was paid this month before today, for prices that depend on it. Days and months
 * are those of UTC. Today does not count: so all payments of a day are priced alike, no counter is
 * written by every payment, and whoever prices one again later finds the same figure.
 */
import type { Knex } from 'knex'
import { type AccountId, type Currency, turnoverOf, type Uuid } from '../../ledger/index.ts'
import { merchantAccountOf } from '../books/chart.ts'
import type { Context } from '../context.ts'

/** Gross, in minor units: what was refunded or reversed later had been paid all the same. */
export async function monthTurnover(
  context: Context,
  merchant: Uuid,
  currency: Currency,
  at: Date,
): Promise<bigint> {
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()]
  const [first, today] = [utcDay(year, month, 1), utcDay(year, month, at.getUTCDate())]
  if (first === today) return 0n
  const account = await merchantAccountOf(context, merchant, currency)
  return context.memory.recall(`turnover ${account} ${today}`, async () => {
    const before = await paidBefore(context.db, account, first)
    return (await paidBefore(context.db, account, today)) - before
  })
}

const utcDay = (year: number, month: number, day: number): string =>
  new Date(Date.UTC(year, month, day)).toISOString().slice(0, 10)

interface Row {
  readonly last_entry: bigint
  readonly paid: bigint
}

/** What was paid before the day, since the account's first row, which says where counting began. */
async function paidBefore(db: Knex, account: AccountId, day: string): Promise<bigint> {
  const known = await rowBefore(db, account, day, '=')
  if (known !== undefined) return known.paid
  const earlier = await rowBefore(db, account, day, '<')
  const { lastEntry, credited } = await turnoverOf(db, account, {
    ...{ code: 'payment', before: new Date(`${day}T00:00:00.000Z`) },
    ...(earlier !== undefined && { beyond: earlier.last_entry }),
  })
  const paid = (earlier?.paid ?? 0n) + credited
  await db('merchant_turnover')
    .insert({ account_id: account, day, last_entry: `${lastEntry}`, paid: `${paid}` })
    .onConflict(['account_id', 'day'])
    .ignore()
  // Of two that count at once the first decides, for both.
  return (await rowBefore(db, account, day, '='))?.paid ?? paid
}

const rowBefore = (db: Knex, account: AccountId, day: string, is: '=' | '<') =>
  db<Row>('merchant_turnover')
    .where('account_id', account)
    .where('day', is, day)
    .orderBy('day', 'desc')
    .first('last_entry', 'paid')
