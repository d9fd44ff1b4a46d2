/** Payments to a shop that were made, for tests of what goes back. */
import { expect } from 'chai'
import { call, newKey } from './api.ts'
import { payOrder } from './held.ts'
import { type Fees, merchant, type Merchant, order, type Person, person } from './people.ts'
import { together } from './proposals.ts'

/** A completed payment; its id. */
export async function paid(who: Person, shop: Merchant, amount: string): Promise<string> {
  const answer = await payOrder(who, await order(shop, amount), amount)
  expect(answer.status, answer.text).to.equal(201)
  return answer.body.id
}

/** Somebody who has paid a shop, and nothing else has happened to either. */
export async function sale(amount: string, fees: Fees = {}) {
  const [payer, shop] = await Promise.all([person(BigInt(amount)), merchant(fees)])
  return { payer, shop, id: await paid(payer, shop, amount) }
}

export const refund = (shop: Merchant, id: string, body: object = {}, key = newKey()) =>
  call(shop, 'POST', `/v1/payments/${id}/refunds`, { body, key })

/** How far below zero the shop may fall. */
export async function lendTo({ id }: Merchant, amount: string, currency = 'EUR'): Promise<void> {
  const path = `/v1/merchants/${id}/refund_limit`
  const done = await together(path, { body: { amount, currency, reason: 'A test' } })
  expect(done.status, done.text).to.equal(200)
}
