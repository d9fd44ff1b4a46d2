/**
 * What the WhatsApp Business payments API takes, as its documentation says: JSON Schemas that share
 * nothing with those of the product.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'chai'

const closed = (properties: object, optional: readonly string[] = []) => ({
  ...{ type: 'object', properties, additionalProperties: false },
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
})
const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength })
const one = (...values: readonly string[]) => ({ enum: values })
const amount = closed({ value: { type: 'integer', minimum: 0 }, offset: { const: 100 } })
const reference = { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,35}$' }

const address = closed(
  {
    ...{ address_line1: text(100), city: text(120), postal_code: text(6), zone_code: text(2) },
    country_code: { type: 'string', pattern: '^[A-Z]{2}$' },
  },
  ['postal_code', 'zone_code'],
)
const origin = {
  country_of_origin: { type: 'string', pattern: '^[A-Z]{2}$' },
  ...{ importer_name: text(100), importer_address: address },
}
const orderOf = (ofItem: object) =>
  closed(
    {
      status: { const: 'pending' },
      expiration: closed({
        timestamp: { type: 'string', pattern: '^[0-9]{10}$' },
        description: text(120),
      }),
      items: {
        ...{ type: 'array', minItems: 1 },
        items: closed({
          ...{ retailer_id: text(100), name: text(60), amount },
          ...{ quantity: { type: 'integer', minimum: 1 }, ...ofItem },
        }),
      },
      ...{ subtotal: amount, tax: amount, shipping: amount, discount: amount },
    },
    ['expiration', 'shipping', 'discount'],
  )

const settings = (...kinds: readonly object[]) => ({
  ...{ type: 'array', minItems: 1, items: { anyOf: kinds } },
})
const setting = (type: string, fields: object) =>
  closed({ type: { const: type }, [type]: closed(fields) })

const SETTINGS = {
  india: settings(
    setting('upi_intent_link', { link: { type: 'string', pattern: '^upi://pay\\?pa=' } }),
  ),
  brazil: settings(
    setting('payment_link', { uri: { type: 'string', pattern: '^https://' } }),
    setting('pix_dynamic_code', {
      ...{ code: text(512), merchant_name: text(100), key: text(77) },
      key_type: one('CPF', 'CNPJ', 'EMAIL', 'PHONE', 'EVP'),
    }),
  ),
}

const messageOf = (interactive: object) =>
  closed({
    ...{ messaging_product: { const: 'whatsapp' }, recipient_type: { const: 'individual' } },
    ...{ to: { type: 'string', pattern: '^[0-9]{6,15}$' }, type: { const: 'interactive' } },
    interactive,
  })

const detailsOf = (shape: keyof typeof SETTINGS, currency: string, more: object, item: object) =>
  messageOf(
    closed({
      ...{ type: { const: 'order_details' }, body: closed({ text: text(1024) }) },
      action: closed({
        name: { const: 'review_and_pay' },
        parameters: closed({
          ...{ reference_id: reference, type: one('digital-goods', 'physical-goods'), ...more },
          ...{ payment_settings: SETTINGS[shape], currency: { const: currency } },
          ...{ total_amount: amount, order: orderOf(item) },
        }),
      }),
    }),
  )

const STATUSES = ['pending', 'processing', 'partially_shipped', 'shipped', 'completed', 'canceled']

const MESSAGES = {
  india: detailsOf('india', 'INR', {}, origin),
  brazil: detailsOf('brazil', 'BRL', { payment_type: { const: 'br' } }, {}),
  status: messageOf(
    closed({
      ...{ type: { const: 'order_status' }, body: closed({ text: text(1024) }) },
      action: closed({
        name: { const: 'review_order' },
        parameters: closed({
          reference_id: reference,
          order: closed({ status: one(...STATUSES), description: text(120) }, ['description']),
        }),
      }),
    }),
  ),
}

export function expectMessage(kind: keyof typeof MESSAGES, message: unknown): void {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  const isValid = ajv.validate(MESSAGES[kind], message)
  expect(isValid, `${ajv.errorsText()}: ${JSON.stringify(message)}`).to.equal(true)
}
