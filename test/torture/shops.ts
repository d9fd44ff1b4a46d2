/**
 * Merchants, and what customers do with them: order, pay, have money back or not taken, contest;
 * and what merchants have paid out meanwhile.
 */
import type { Answered, Ask, Asked } from './asking.ts'
import { BANKS } from './town.ts'

export interface Shop {
  readonly sub: string
}

/** What becomes of the fee when money goes back: each shop has another rule. */
const POLICIES = ['keep', 'give_back', 'pro_rata'] as const
export const SHOPS = POLICIES.length

const shopOf = (index: number) => `shop_${index + 1}`
/** Nobody's who tops up or withdraws. */
export const numberOfShop = (index: number) => `T-${String(201 + index).padStart(4, '0')}`

/** Somebody whom an operator takes on, at a price of its own, with an account to be paid out to. */
export async function openShop(ask: Ask, index: number): Promise<Shop> {
  const sub = shopOf(index)
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
  const linked = await ask({
    ...{ who: sub, scope: 'merchant', method: 'POST', path: '/v1/bank_accounts' },
    body: {
      ...{ bank: BANKS[index % BANKS.length], number: numberOfShop(index) },
      holder: `Customer ${201 + index}`,
    },
    key: `link-account-${sub}`,
  })
  if (linked.status !== 201) throw new Error(`${sub} cannot link: ${linked.text}`)
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
  if (random() < CONTESTED) await contest(shopping, String(paid.body['id']))
  // What others sell at the same time is in it or not, and never in two.
  if (random() < SETTLED) {
    const path = '/v1/settlements'
    await ask({ ...asMerchant, path, body: { currency: 'EUR' }, key: `${name}-settlement` })
  }
}

const [CONTESTED, SETTLED] = [0.15, 0.08]

/** The merchant agrees, or has something to say; or says nothing, and operators decide. */
async function contest({ ask, sub, shop, name, random }: Shopping, payment: string) {
  const opened = await ask({
    ...{ who: sub, scope: 'person', method: 'POST', path: `/v1/payments/${payment}/disputes` },
    ...{ body: { reason: 'not_received' }, key: `${name}-dispute` },
  })
  const chance = random()
  if (!isDone(opened) || chance < 0.2) return
  const path = `/v1/disputes/${String(opened.body['id'])}`
  const asMerchant = { who: shop.sub, scope: 'merchant', method: 'POST' } as const
  const accept = { ...asMerchant, path: `${path}/accept`, key: `${name}-accept` }
  const body = { text: 'It was handed over' }
  const answer = { ...asMerchant, path: `${path}/evidence`, body, key: `${name}-evidence` }
  await ask(chance < 0.6 ? accept : answer)
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
