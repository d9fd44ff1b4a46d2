/** Messages by which a chat shows an order, against what the chat's own documentation takes. */
import { expect } from 'chai'
import { orderDetails } from '../services/orders/messages.ts'
import { findMerchant } from '../services/merchants/profile.ts'
import { findOrder } from '../services/orders/orders.ts'
import { uuidOf } from '../services/ids.ts'
import { expectProblem } from './support/abuse.ts'
import { call, type Who } from './support/api.ts'
import { readChecked, readTags } from './support/emvco-reader.ts'
import { onboarded, orderOf } from './support/onboarding.ts'
import { merchant, type Merchant } from './support/people.ts'
import { expectMessage } from './support/whatsapp.ts'
import { world } from './support/world.ts'

const CHAT: Who = { sub: 'chat', scope: 'chat' }
const TO = '919812345678'
const details = (id: string, shape: string, more = '') =>
  call(CHAT, 'GET', `/v1/orders/${id}/messages/order_details?shape=${shape}&to=${TO}${more}`)
const statusOf = (id: string) =>
  call(CHAT, 'GET', `/v1/orders/${id}/messages/order_status?to=${TO}`)

const THALI = {
  ...{ description: 'Lunch for three', currency: 'INR', amount: '103500', discount: '5000' },
  shipping: '4000',
  lines: [
    { name: 'Thali', quantity: 3, unit_amount: '30000', tax_percent: '5', product: 'thali-1' },
    { name: 'Lassi', quantity: 2, unit_amount: '5000', tax: '0' },
  ],
}

const sumOf = (order: Record<string, { value: number }>) => {
  const value = (part: string) => order[part]?.value ?? 0
  return value('subtotal') + value('tax') + value('shipping') - value('discount')
}
const itemsOf = (items: readonly { amount: { value: number }; quantity: number }[]) =>
  items.reduce((sum, { amount: { value }, quantity }) => sum + value * quantity, 0)

describe('an order in an Indian chat', () => {
  let shop: Merchant
  before(async () => {
    shop = await onboarded({ name: 'Chai & Co', currency: 'INR', profile: { country: 'IN' } })
  })

  it('is shown as it is, to be paid by UPI', async () => {
    const asked = await orderOf(shop, THALI)
    const { body } = await details(asked.id, 'india', '&goods=physical')
    expectMessage('india', body)
    const { parameters } = body.interactive.action
    expect(parameters.reference_id).to.equal(asked.id)
    expect(parameters.type).to.equal('physical-goods')
    expect(parameters.total_amount).to.deep.equal({ value: 103_500, offset: 100 })
    expect(sumOf(parameters.order)).to.equal(103_500)
    expect(itemsOf(parameters.order.items)).to.equal(parameters.order.subtotal.value)
    expect(parameters.order.items[0]).to.deep.equal({
      ...{ retailer_id: 'thali-1', name: 'Thali', amount: { value: 30_000, offset: 100 } },
      ...{ quantity: 3, country_of_origin: 'IN', importer_name: 'Café Central GmbH' },
      importer_address: {
        ...{ address_line1: 'Hauptstr. 1', city: 'Berlin', country_code: 'IN' },
        postal_code: '10117',
      },
    })
    const at = `${Math.floor(Date.parse(asked.expires_at) / 1000)}`
    expect(parameters.order.expiration.timestamp).to.equal(at)
    const link = new URL(parameters.payment_settings[0].upi_intent_link.link)
    expect([link.searchParams.get('tr'), link.searchParams.get('am')]).to.deep.equal([
      ...[asked.id, '1035.00'],
    ])
  })

  it('is one item where it has no lines', async () => {
    const description = 'L'.repeat(140)
    const asked = await orderOf(shop, { description, amount: '999', currency: 'INR' })
    const { body } = await details(asked.id, 'india')
    expectMessage('india', body)
    const { order } = body.interactive.action.parameters
    expect(sumOf(order)).to.equal(999)
    expect(order.items).to.have.length(1)
    expect(order.items[0].name).to.equal('L'.repeat(60))
  })

  it('says how it stands, in the merchant’s words or in ours', async () => {
    const { id } = await orderOf(shop, THALI)
    const first = (await statusOf(id)).body
    expectMessage('status', first)
    expect(first.interactive.action.parameters).to.deep.equal({
      ...{ reference_id: id, order: { status: 'pending' } },
    })
    const body = { status: 'partially_shipped', description: 'The lassi comes later' }
    await call(shop, 'POST', `/v1/orders/${id}/status`, { body })
    const second = (await statusOf(id)).body
    expectMessage('status', second)
    expect(second.interactive.body.text).to.equal('The lassi comes later')
    expect(second.interactive.action.parameters.order).to.deep.equal(body)
  })

  it('is not asked to be paid once it cannot be, or where the chat could not show it', async () => {
    const asked = await orderOf(shop, THALI)
    expectProblem(await details(asked.id, 'brazil'), 422, 'payment_way_not_available')
    const open = await orderOf(shop, { currency: 'INR', usage: 'reusable' })
    expectProblem(await details(open.id, 'india'), 422, 'payment_way_not_available')
    await call(shop, 'POST', `/v1/orders/${asked.id}/status`, { body: { status: 'canceled' } })
    expectProblem(await details(asked.id, 'india'), 409, 'order_canceled')
    const rival = await merchant()
    const path = `/v1/orders/${asked.id}/messages/order_status`
    expectProblem(await call(rival, 'GET', path), 404, 'not_found')
  })
})

describe('an order in a Brazilian chat', () => {
  const PIX = { pix_key: '39580525000189', pix_key_type: 'CNPJ', country: 'BR' }

  it('is paid by Pix, and by a link where that is one of the web', async () => {
    const shop = await onboarded({ name: 'Padaria', currency: 'BRL', profile: PIX })
    const { id } = await orderOf(shop, { ...THALI, currency: 'BRL' })
    const { body } = await details(id, 'brazil')
    expectMessage('brazil', body)
    const [pix] = body.interactive.action.parameters.payment_settings
    const tags = readChecked(pix.pix_dynamic_code.code)
    expect(tags.get('54')).to.equal('1035.00')
    expect(readTags(tags.get('26') ?? '').get('01')).to.equal('39580525000189')
    expect(sumOf(body.interactive.action.parameters.order)).to.equal(103_500)

    const { api } = await world()
    const order = await findOrder(api, uuidOf(id))
    const known = await findMerchant(api.db, uuidOf(shop.id))
    const links = { ORDER_LINK_BASE: 'https://chat.example/o/', EMVCO_GUID: 'app.florin' }
    const asked = { order: order!, merchant: known!, lines: [], goods: 'digital' as const, links }
    const message = orderDetails('brazil', { ...asked, to: TO, now: api.now() })
    expectMessage('brazil', message)
    const settings = message.interactive.action.parameters.payment_settings
    expect(settings.map(({ type }) => type)).to.deep.equal(['payment_link', 'pix_dynamic_code'])
    expect(JSON.stringify(settings[0])).to.contain(`https://chat.example/o/${id}`)
  })

  it('cannot be paid where there is neither', async () => {
    const shop = await onboarded({ currency: 'BRL' })
    const { id } = await orderOf(shop, { amount: '100', currency: 'BRL' })
    expectProblem(await details(id, 'brazil'), 422, 'payment_way_not_available')
  })
})
