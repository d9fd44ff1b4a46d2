/** Settings of orders: how they are paid from outside the chat. */
import { z } from 'zod'

export const ORDER_SETTINGS = {
  ORDER_LINK_BASE: z
    .string()
    .regex(/^[a-z][a-z0-9+.-]*:\/\/\S+$/, 'must be a URL')
    .default('florin://orders/')
    .describe('Before the id of an order: a link of the chat app; some chats take https only'),
  EMVCO_GUID: z
    .string()
    .regex(/^[A-Za-z0-9.-]{1,32}$/, 'must be up to 32 of A-Z, a-z, 0-9, - and .')
    .default('app.florin')
    .describe('By which wallets know our QR codes: a domain backwards, or a UUID without hyphens'),
}
