/** The messages of `messages.ts` as the API promises them. */
import { z } from 'zod'
import { PIX_KEY_TYPES } from '../merchants/profile.ts'
import { ORDER_STATUSES } from './states.ts'

const Value = z.strictObject({ value: z.int(), offset: z.literal(100) })
const Reference = z.string().regex(/^[A-Za-z0-9_.-]{1,35}$/)
const Body = z.strictObject({ text: z.string().min(1).max(1024) })

const message = <T extends z.ZodType>(interactive: T) =>
  z.strictObject({
    messaging_product: z.literal('whatsapp'),
    recipient_type: z.literal('individual'),
    to: z.string().optional(),
    type: z.literal('interactive'),
    interactive,
  })

const Item = z.strictObject({
  retailer_id: z.string(),
  name: z.string().max(60),
  amount: Value,
  quantity: z.int(),
  country_of_origin: z.string().optional(),
  importer_name: z.string().optional(),
  importer_address: z
    .strictObject({
      ...{ address_line1: z.string(), city: z.string(), country_code: z.string() },
      postal_code: z.string().optional(),
    })
    .optional(),
})

const Settings = z.union([
  z.strictObject({
    type: z.literal('upi_intent_link'),
    upi_intent_link: z.strictObject({ link: z.string() }),
  }),
  z.strictObject({
    type: z.literal('payment_link'),
    payment_link: z.strictObject({ uri: z.string() }),
  }),
  z.strictObject({
    type: z.literal('pix_dynamic_code'),
    pix_dynamic_code: z.strictObject({
      ...{ code: z.string(), merchant_name: z.string(), key: z.string() },
      key_type: z.enum(PIX_KEY_TYPES),
    }),
  }),
])

const Details = z.strictObject({
  reference_id: Reference,
  type: z.enum(['digital-goods', 'physical-goods']),
  payment_type: z.literal('br').optional(),
  payment_settings: z.array(Settings).min(1),
  currency: z.enum(['INR', 'BRL']),
  total_amount: Value,
  order: z.strictObject({
    status: z.literal('pending'),
    expiration: z.strictObject({ timestamp: z.string(), description: z.string() }).optional(),
    items: z.array(Item).min(1),
    subtotal: Value,
    tax: Value,
    shipping: Value.optional(),
    discount: Value.optional(),
  }),
})

export const OrderDetails = message(
  z.strictObject({
    type: z.literal('order_details'),
    body: Body,
    action: z.strictObject({ name: z.literal('review_and_pay'), parameters: Details }),
  }),
).meta({ id: 'OrderDetailsMessage' })

export const OrderStatusMessage = message(
  z.strictObject({
    type: z.literal('order_status'),
    body: Body,
    action: z.strictObject({
      name: z.literal('review_order'),
      parameters: z.strictObject({
        reference_id: Reference,
        order: z.strictObject({
          status: z.enum(ORDER_STATUSES),
          description: z.string().optional(),
        }),
      }),
    }),
  }),
).meta({ id: 'OrderStatusMessage' })
