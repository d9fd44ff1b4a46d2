/** Merchants that come to be paid as they do where money is real. */
import { expect } from 'chai'
import { call, newSubject } from './api.ts'
import { linkedAccount, type Merchant, OPERATOR } from './people.ts'
import { together } from './proposals.ts'

export const PROFILE = {
  ...{ legal_name: 'Café Central GmbH', registration_number: 'HRB 4711', tax_id: 'DE123456789' },
  ...{ category: '5814', country: 'DE', street: 'Hauptstr. 1', postal_code: '10117' },
  ...{ city: 'Berlin', upi_vpa: 'cafe.central@okbank' },
}

interface Wanted {
  readonly name?: string
  readonly currency?: string
  readonly profile?: object
}

/** A merchant nobody has looked at yet. */
export async function draft({ name, currency = 'EUR' }: Wanted = {}): Promise<Merchant> {
  const sub = newSubject('m')
  const fees = { percent: '1.4', fixed: '25', currency }
  const body = { name: name ?? `Shop ${sub}`, alias: sub, subject: sub, fees, state: 'draft' }
  const created = await call(OPERATOR, 'POST', '/v1/merchants', { body })
  expect(created.status, created.text).to.equal(201)
  expect(created.body.state).to.equal('draft')
  return { sub, scope: 'merchant', id: created.body.id }
}

export async function inReview(wanted: Wanted = {}): Promise<Merchant> {
  const shop = await draft(wanted)
  const settlement_account = await linkedAccount(shop)
  const body = { ...PROFILE, settlement_account, ...wanted.profile }
  const said = await call(shop, 'PUT', `/v1/merchants/${shop.id}`, { body })
  expect(said.status, said.text).to.equal(200)
  const submitted = await call(shop, 'POST', `/v1/merchants/${shop.id}/submit`)
  expect(submitted.status, submitted.text).to.equal(200)
  return shop
}

/** One that two operators have agreed to. */
export async function onboarded(wanted: Wanted): Promise<Merchant> {
  const shop = await inReview(wanted)
  const path = `/v1/merchants/${shop.id}/activate`
  const { body, text } = await together(path, { body: { reason: 'A test' } })
  expect(body.state, text).to.equal('active')
  return shop
}

export async function orderOf(shop: Merchant, more: object) {
  const body = { reference: newSubject('r'), description: 'A thing', ...more }
  const created = await call(shop, 'POST', '/v1/orders', { body })
  expect(created.status, created.text).to.equal(201)
  return created.body
}
