/** What the bank books and tells of its own accord: money that comes in, and the end of a day. */
import type { Day } from './desk.ts'
import { bookedBy, head, accountOf, now, send, write, type Bank } from './work.ts'
import * as writing from './writing.ts'

export interface PayIn {
  readonly number: string
  readonly amount: bigint
  readonly currency: string
  readonly remittance: string
}

/** In the books, money that a customer sends is what a debit would have taken. */
export async function payIn(
  bank: Bank,
  { number, amount, currency, remittance }: PayIn,
): Promise<void> {
  const reference = `in-${bank.books.instructions.size + 1}`
  const order = { reference, number, currency, amount: amount.toString() }
  write(bank, { kind: 'accepted', direction: 'debit', ...order })
  write(bank, { kind: 'executed', reference, outcome: 'settled', at: now(bank) })
  bank.remittances.set(reference, remittance)
  const line = bank.books.statement.at(-1)
  if (line === undefined) throw new Error(`${reference} was not booked`)
  const of = head(bank)
  const text = writing.notification(of, accountOf(bank, currency), [bookedBy(bank, line)])
  await send(bank, 'camt054', of, text)
}

export async function closeDay(bank: Bank): Promise<void> {
  await bank.journal.synced()
  const { sequence, to: from } = await bank.desk.lastDay()
  const to = bank.books.statement.length
  if (to === from) return
  const day = { sequence: sequence + 1, from, to }
  await bank.desk.endDay(day)
  await sendDay(bank, day)
}

export async function sendDay(bank: Bank, { sequence, from, to }: Day): Promise<void> {
  const before = bank.books.statement.slice(0, from)
  const lines = bank.books.statement.slice(from, to)
  const of = { id: `S${sequence}`, at: lines.at(-1)?.booked_at ?? now(bank) }
  const accounts = [...new Set(lines.map(({ currency }) => currency))].map((currency) => ({
    ...{ account: accountOf(bank, currency), currency },
    opening: before
      .filter((one) => one.currency === currency)
      .reduce((sum, { amount }) => sum + amount, 0n),
    bookings: lines.filter((one) => one.currency === currency).map((one) => bookedBy(bank, one)),
  }))
  await send(bank, 'camt053', of, writing.statement(of, sequence, accounts))
}
