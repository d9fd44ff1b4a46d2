/** Payments that are contested, for tests of what becomes of their money. */
import { expect } from 'chai'
import { findAccounts } from '../../ledger/index.ts'
import { PLATFORM } from '../../services/books/chart.ts'
import { expireDisputes } from '../../services/disputes/expire.ts'
import { call, newKey, type Who } from './api.ts'
import { merchant, type Merchant, person } from './people.ts'
import { together } from './proposals.ts'
import { paid } from './refunds.ts'
import { DAY_MS } from './reserves.ts'
import { world } from './world.ts'

export const dispute = (who: Who, id: string, body: object = {}, key = newKey()) =>
  call(who, 'POST', `/v1/payments/${id}/disputes`, { body: { reason: 'other', ...body }, key })

/** A payment without fees, and a shop that has as much again. */
export async function funded(amount: string) {
  const free = { percent: '0', fixed: '0' }
  const [payer, other, shop] = await Promise.all([
    ...[person(BigInt(amount)), person(BigInt(amount))],
    merchant(free),
  ] as const)
  await paid(other, shop, amount)
  return { payer, shop, id: await paid(payer, shop, amount) }
}

export const decide = (id: string, outcome: 'won' | 'lost' | 'reversed') =>
  together(`/v1/disputes/${id}/resolve`, { body: { outcome, note: 'A test' } })

export const answer = (shop: Merchant, id: string, body: object = {}) =>
  call(shop, 'POST', `/v1/disputes/${id}/evidence`, { body: { text: 'It came', ...body } })

export async function disputeTerms({ id }: Merchant, fee: string, days: number): Promise<void> {
  const body = { currency: 'EUR', fee, evidence_days: days }
  const done = await together(`/v1/merchants/${id}/dispute_terms`, { body })
  expect(done.status, done.text).to.equal(201)
}

/** As a worker would that looks so many days from now. */
export async function expireIn(days: number): Promise<void> {
  const { worker } = await world()
  await expireDisputes({ ...worker, now: () => new Date(Date.now() + days * DAY_MS) })
}

/** What is in an account of ours. */
export async function ours(type: 'suspense' | 'fees' | 'loss'): Promise<bigint> {
  const { worker } = await world()
  const [account] = await findAccounts(worker.db, { owner: PLATFORM, type, currency: 'EUR' })
  return account?.posted ?? 0n
}
