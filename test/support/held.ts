/** Orders whose money is held first, for tests of captures and of what may follow them. */
import { expect } from 'chai'
import { merchantAccountOf } from '../../services/books/chart.ts'
import { uuidOf } from '../../services/ids.ts'
import { expireHolds } from '../../services/payments/expiry.ts'
import { call, newSubject } from './api.ts'
import { type Merchant, type Person, PIN } from './people.ts'
import { world } from './world.ts'

export async function manualOrder(by: Merchant, amount: string, more: object = {}) {
  const body = {
    ...{ reference: newSubject('r'), description: 'A thing', amount, currency: 'EUR' },
    ...{ capture: 'manual', partial_captures: 'several', ...more },
  }
  const created = await call(by, 'POST', '/v1/orders', { body })
  expect(created.status, created.text).to.equal(201)
  return created.body.id as string
}

export const payOrder = (who: Person, order: string, amount: string, more: object = {}) =>
  call(who, 'POST', '/v1/payments', {
    body: { order, amount, currency: 'EUR', approval: { pin: PIN }, ...more },
  })

/** A payment of `amount` that the shop may capture. */
export async function authorize(who: Person, shop: Merchant, amount: string, more: object = {}) {
  const paid = await payOrder(who, await manualOrder(shop, amount, more), amount)
  expect(paid.status, paid.text).to.equal(201)
  expect(paid.body.state).to.equal('authorized')
  return paid.body
}

export const capture = (shop: Merchant, id: string, body: object = {}, key?: string) =>
  call(shop, 'POST', `/v1/payments/${id}/capture`, { body, ...(key !== undefined && { key }) })

export async function balances(who: Person): Promise<{ posted: string; available: string }> {
  const { body } = await call(who, 'GET', '/v1/accounts')
  const { posted, available } = body.data[0]
  return { posted: posted.amount, available: available.amount }
}

/** Posted and available money of the shop. */
export async function takings(shop: Merchant) {
  const { worker, owner } = await world()
  const id = await merchantAccountOf(worker, uuidOf(shop.id), 'EUR')
  const row = await owner('accounts').where({ id }).first()
  return { posted: row.credits_posted - row.debits_posted, pending: row.credits_pending }
}

/** As a worker would that looks `later_s` seconds from now. */
export async function expireAll(later_s = 0): Promise<void> {
  const { worker } = await world()
  await expireHolds({ ...worker, now: () => new Date(Date.now() + later_s * 1000) })
}

/** The types of the events about `object`, in their order. */
export async function eventsOf(object: string): Promise<string[]> {
  const { owner } = await world()
  return owner('events').where({ object_id: object }).orderBy('version').pluck('type')
}
