/** Withdrawals through the bank that works with paper. */
import { expect } from 'chai'
import { runBatches } from '../../services/banking/batches.ts'
import { collectFrom } from '../../services/banking/files.ts'
import type { Context } from '../../services/context.ts'
import { instructionOf, until } from './abuse.ts'
import { call } from './api.ts'
import { type PaperBank, paperBank } from './paper-bank.ts'
import { ended, linkedAccount, type Person, person, PIN } from './people.ts'
import { world } from './world.ts'

export interface Customer {
  readonly bank: PaperBank
  readonly who: Person
  readonly account: string
}

export async function paperCustomer(): Promise<Customer> {
  const [bank, who] = [await paperBank(), await person(1_000_000n)]
  return { bank, who, account: await linkedAccount(who, 'paper') }
}

export async function withdraw({ who, account }: Customer, amount: string): Promise<string> {
  const body = { bank_account: account, amount, currency: 'EUR', approval: { pin: PIN } }
  const asked = await call(who, 'POST', '/v1/withdrawals', { body })
  expect(asked.status, asked.text).to.equal(202)
  return asked.body.id
}

/** A worker that makes batches of whatever there is: only tests have one. */
export async function batching(more: Partial<Context['config']> = {}): Promise<Context> {
  const { worker } = await world()
  const config = { ...worker.config, BATCH_AFTER_MS: 0, ...more }
  return { ...worker, config, banks: new Map([['paper', await paperBank()]]) }
}

/** The bank tells of all that it has paid. */
export async function hearOutcomes(): Promise<void> {
  const [{ worker, owner }, bank] = [await world(), await paperBank()]
  const events = bank.tellOfPaid()
  if (events.length === 0) return
  bank.putDown(events)
  await until(async () => {
    await collectFrom(worker, bank)
    const ids = events.map(({ eventId }) => eventId)
    const open = owner('callbacks').whereIn('event_id', ids).where({ disposition: 'received' })
    return (await open.first('id')) === undefined
  })
}

/** A withdrawal that the bank has paid. */
export async function paidOut(customer: Customer, amount: string) {
  const payment = await withdraw(customer, amount)
  const context = await batching()
  // The next one takes what somebody had in hand.
  await until(async () => {
    await runBatches(context)
    return (await instructionOf(payment)).batch_id !== null
  })
  await hearOutcomes()
  expect((await ended(customer.who, `/v1/payments/${payment}`)).state).to.equal('completed')
  const { id, reference } = await instructionOf(payment)
  return { payment, id: id as string, reference: reference as string, amount: BigInt(amount) }
}

/** What has been paid for each, by the bank's own books. */
export async function paidFor(payments: readonly string[]) {
  const bank = await paperBank()
  const rows = await Promise.all(payments.map(instructionOf))
  return rows.map(({ reference }) => bank.paid.get(reference) ?? [])
}
