/** People and merchants with money, ready to pay. */
import { expect } from 'chai'
import { createTransfers, newId, newUnitId } from '../../ledger/index.ts'
import { bankAccountsOf, merchantAccountOf, walletOf } from '../../services/books/chart.ts'
import { uuidOf } from '../../services/ids.ts'
import { call, newSubject, type Who } from './api.ts'
import { onceAWorld, world } from './world.ts'

export const PIN = '274951'

export interface Person extends Who {
  /** A UUID. */
  readonly id: string
  readonly alias: string
}

export const OPERATOR: Who = { sub: 'olga', scope: 'operator' }
/** Agrees to what the first proposes. */
export const SECOND_OPERATOR: Who = { sub: 'otto', scope: 'operator' }

/** Somebody with a PIN and `balance` minor units of EUR in the wallet. */
export async function person(balance = 0n, { withPin = true } = {}): Promise<Person> {
  const sub = newSubject()
  const who = { sub, scope: 'person' }
  const set = withPin ? await call(who, 'PUT', '/v1/pin', { body: { pin: PIN } }) : undefined
  if (set !== undefined) expect(set.status, set.text).to.equal(204)
  else await call(who, 'GET', '/v1/accounts')
  const { owner } = await world()
  const { id } = await owner('people').where({ subject: sub }).first('id')
  if (balance > 0n) await fund(id, balance)
  return { ...who, id, alias: `@${sub}` }
}

/** Money in the wallet without going through a bank: for tests about something else. */
async function fund(personId: string, amount: bigint): Promise<void> {
  const { worker } = await world()
  const wallet = await walletOf(worker, personId, 'EUR')
  const { suspense } = await bankAccountsOf(worker, 'north', 'EUR')
  const money = { amount, currency: 'EUR' }
  const why = { code: 'test', reference: newId() }
  await worker.db.transaction((trx) =>
    createTransfers(trx, {
      id: newUnitId(),
      at: new Date(),
      transfers: [{ kind: 'single', debit: suspense, credit: wallet, money, ...why }],
    }),
  )
}

export async function walletBalance({ sub, scope }: Who): Promise<bigint> {
  const { body } = await call({ sub, scope }, 'GET', '/v1/accounts')
  const wallet = body.data.find((account: { type: string }) => account.type === 'wallet')
  return BigInt(wallet?.posted.amount ?? 0)
}

export interface Merchant extends Who {
  readonly id: string
}

export interface Fees {
  readonly components?: readonly object[]
  readonly percent?: string
  readonly fixed?: string
  readonly tax_percent?: string
  readonly refund_fees?: string
}

/** A merchant that pays `percent` + `fixed`, or `components`, and `tax_percent` of that. */
export async function merchant(fees: Fees = {}): Promise<Merchant> {
  const sub = newSubject('m')
  const simple = fees.components === undefined && { percent: '1.4', fixed: '25' }
  const all = { ...simple, tax_percent: '0', currency: 'EUR', ...fees }
  const body = { name: `Shop ${sub}`, alias: sub, subject: sub, fees: all }
  const created = await call(OPERATOR, 'POST', '/v1/merchants', { body })
  expect(created.status, created.text).to.equal(201)
  return { sub, scope: 'merchant', id: created.body.id }
}

export async function merchantBalance({ id }: Merchant): Promise<bigint> {
  const { worker, owner } = await world()
  const account = await merchantAccountOf(worker, uuidOf(id), 'EUR')
  const row = await owner('accounts').where({ id: account }).first()
  return BigInt(row.credits_posted) - BigInt(row.debits_posted)
}

export async function order(by: Merchant, amount: string): Promise<string> {
  const body = { reference: newSubject('r'), description: 'A thing', amount, currency: 'EUR' }
  const created = await call(by, 'POST', '/v1/orders', { body })
  expect(created.status, created.text).to.equal(201)
  return created.body.id
}

const counted = onceAWorld(() => ({ customers: 0 }))

/** Links the next unused customer account of the bank. */
export async function linkedAccount(who: Who, bank = 'north'): Promise<string> {
  const customers = (counted().customers += 1)
  const number = `T-${String(customers).padStart(4, '0')}`
  const body = { bank, number, holder: `Customer ${customers}` }
  const linked = await call(who, 'POST', '/v1/bank_accounts', { body })
  expect(linked.status, linked.text).to.equal(201)
  return linked.body.id
}

/** As if the bank had been asked so many days ago, and about somebody else where one is named. */
export async function askedBefore(account: string, days: number, holder?: string): Promise<void> {
  const { api, owner } = await world()
  const id = uuidOf(account)
  const checked_at = new Date(Date.now() - days * 86_400_000)
  const place = { table: 'bank_accounts', row: id, column: 'holder_sealed' }
  const renamed = holder === undefined ? {} : { holder_sealed: api.vault.seal(place, holder) }
  await owner('bank_accounts')
    .where({ id })
    .update({ checked_at, ...renamed })
}

export const payment = (payee: Person, amount: string, more: object = {}) => ({
  ...{ payee: payee.alias, amount, currency: 'EUR', approval: { pin: PIN } },
  ...more,
})

/** Polls until the payment or settlement has ended. */
export async function ended(who: Who, path: string, wait_ms = 10_000) {
  const deadline = performance.now() + wait_ms
  for (;;) {
    const answer = await call(who, 'GET', path)
    if (answer.body.state !== 'processing') return answer.body
    if (performance.now() > deadline) throw new Error(`${path} is still processing`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
