/** Merchants, and what customers do with them: order, pay, and have money back or not taken. */
import type { Answered, Ask, Asked } from './asking.ts'

export interface Shop {
  readonly sub: string
}

/** What becomes of the fee when money goes back: each shop has another rule. */
const POLICIES = ['keep', 'give_back', 'pro_rata'] as const
export const SHOPS = POLICIES.length

/** Somebody whom an operator takes on, at a price of its own. */
export async function openShop(ask: Ask, index: number): Promise<Shop> {
  const sub = `shop_${index + 1}`
  const fees = {
    ...{ percent: ['1.4', '0.95', '2.35'][index % SHOPS], fixed: '25', tax_percent: '20' },
    ...{ currency: 'EUR', refund_fees: POLICIES[index % SHOPS] },
  }
  const taken = await ask({
    ...{ who: 'olga', scope: 'operator', method: 'POST', path: '/v1/merchants' },
    ...{ body: { name: `Shop ${index + 1}`, alias: sub, subject: sub, fees } },
    key: `take-on-the-merchant-${sub}`,
  })
  if (taken.status !== 201) throw new Error(`${sub} is not taken on: ${taken.text}`)
  return { sub }
}

/** What a customer needs to buy something. */
export interface Shopping {
  readonly ask: Ask
  readonly sub: string
  readonly shop: Shop
  /** Of all that is asked on the way: each key begins with it. */
  readonly name: string
  readonly amount: string
  readonly random: () => number
  readonly approval: object
}

/** Orders and pays; then the merchant does what merchants do. */
export async function buy(shopping: Shopping): Promise<void> {
  const { ask, sub, shop, name, amount, random, approval } = shopping
  const isHeld = random() < 0.4
  const asMerchant = { who: shop.sub, scope: 'merchant', method: 'POST' } as const
  const order = await ask({
    ...{ ...asMerchant, path: '/v1/orders', key: `${name}-order` },
    body: {
      ...{ reference: name, description: 'A thing', amount, currency: 'EUR' },
      ...(isHeld && { capture: 'manual', partial_captures: 'several' }),
    },
  })
  if (order.status !== 201) return
  const paid = await ask({
    ...{ who: sub, scope: 'person', method: 'POST', path: '/v1/payments', key: `${name}-pay` },
    body: { order: order.body['id'], amount, currency: 'EUR', ...approval },
  })
  if (paid.status !== 201) return
  const steps = isHeld ? [...capturesOf(shopping), ...refundsOf(shopping)] : refundsOf(shopping)
  for (const [index, { path, body }] of steps.entries()) {
    const asked = { ...asMerchant, path: `/v1/payments/${String(paid.body['id'])}/${path}` }
    const answer = await ask({ ...asked, ...(body && { body }), key: `${name}-step-${index}` })
    if (!isDone(answer)) return
  }
}

const isDone = ({ status }: Answered) => status < 300

type Step = Pick<Asked, 'path' | 'body'>

const half = (amount: string) => `${BigInt(amount) / 2n}`

/** All at once, in two parts, a part and the rest let go, or nothing. */
function capturesOf({ amount, random }: Shopping): readonly Step[] {
  const chance = random()
  const part = { path: 'capture', body: { amount: half(amount) } }
  if (chance < 0.3) return [{ path: 'capture', body: {} }]
  if (chance < 0.6) return [part, { path: 'capture', body: {} }]
  if (chance < 0.8) return [part, { path: 'void' }]
  return [{ path: 'void' }]
}

/** Nothing, a part, a part and the rest, all, or more than there is: which is refused. */
function refundsOf({ amount, random }: Shopping): readonly Step[] {
  const chance = random()
  const part = { path: 'refunds', body: { amount: `${BigInt(amount) / 3n}` } }
  if (chance < 0.3) return []
  if (chance < 0.5) return [part]
  if (chance < 0.7) return [part, { path: 'refunds', body: {} }]
  if (chance < 0.95) return [{ path: 'refunds', body: {} }]
  return [{ path: 'refunds', body: { amount: `${BigInt(amount) + 1n}` } }]
}
