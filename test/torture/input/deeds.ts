/** What the owners do before anybody else comes: one of each thing that there can be. */
import { createHmac, randomUUID } from 'node:crypto'
import {
  digestOf,
  newDeviceKey,
  provePossession,
  publicJwk,
  thumbprintOf,
} from '../../../docs/sdk/approval.js'
import {
  type Ask,
  idOf,
  newKey,
  OPERATOR,
  type Stage,
  together,
  until,
  type Who,
} from './asking.ts'

const PIN = '274951'
const approval = { pin: PIN }
const EUR = { currency: 'EUR' }
const WHY = { reason: 'The stage is set' }
/** Nobody else is in it, and nobody's rules bind anybody else. */
const TIER = `t${randomUUID().slice(0, 8)}`

export interface Owners {
  readonly ada: Who
  readonly ben: Who
  readonly shop: Who
  /** By which they are paid. */
  readonly merchant: string
}

/** A person with a PIN and money in the wallet, another one, and a shop with a bank account. */
export async function bringOwners(stage: Stage, ask: Ask, name: string): Promise<Owners> {
  const ada: Who = { sub: `${name}.ada`, scope: 'person' }
  const ben: Who = { sub: `${name}.ben`, scope: 'person' }
  const shop: Who = { sub: `${name}.shop`, scope: 'merchant' }
  for (const who of [ada, ben]) await ask(who, 'PUT', 'pin', { pin: PIN })
  const fees = { percent: '1', fixed: '0', ...EUR }
  const made = { name: 'Shop', alias: shop.sub, subject: shop.sub, fees }
  const merchant = idOf(await ask(OPERATOR, 'POST', 'merchants', made))
  const rule = { ...EUR, kind: 'rolling', percent: '5', days: 90 }
  await together(ask, `merchants/${merchant}/reserve_rules`, rule)
  const [first, second] = stage.customers
  const bank = stage.banks[0]?.name
  await ask(shop, 'POST', 'bank_accounts', { bank, ...second })
  const bank_account = idOf(await ask(ada, 'POST', 'bank_accounts', { bank, ...first }))
  const topped = { bank_account, amount: '50000', ...EUR, approval }
  const topUp = idOf(await ask(ada, 'POST', 'top_ups', topped))
  await ended(ask, ada, `payments/${topUp}`, 'completed')
  return { ada, ben, shop, merchant }
}

const ended = (ask: Ask, who: Who, path: string, as: string) =>
  until(`${path} is ${as}`, async () => (await ask(who, 'GET', path))['state'] === as)

/** By the operation: what nothing more can be done to, whatever the body says. */
export type Over = ReadonlyMap<string, readonly string[]>

/** Sales, and what becomes of them. */
export async function trade(ask: Ask, { ada, ben, shop }: Owners): Promise<Over> {
  await ask(ada, 'POST', 'payments', { payee: `@${ben.sub}`, amount: '100', ...EUR, approval })
  const thing = { description: 'A thing', ...EUR }
  await ask(shop, 'POST', 'orders', { ...thing, reference: 'r-0', amount: '100' })
  const sell = async (amount: string, more: object = {}) => {
    const wanted = { ...thing, reference: randomUUID(), amount, ...more }
    const order = idOf(await ask(shop, 'POST', 'orders', wanted))
    return idOf(await ask(ada, 'POST', 'payments', { order, amount, ...EUR, approval }))
  }
  const later = { capture: 'manual', partial_captures: 'several' }
  // One that is whole, one whose money is held, and one of each that is over.
  for (const more of [{}, later]) await sell('10000', more)
  const [refunded, contested, open] = [await sell('300'), await sell('400'), await sell('500')]
  const voided = await sell('600', later)
  await ask(shop, 'POST', `payments/${voided}/void`)
  await ask(shop, 'POST', `payments/${refunded}/refunds`, { amount: '300', reason: 'All of it' })
  const dispute = async (payment: string) =>
    idOf(await ask(ada, 'POST', `payments/${payment}/disputes`, { reason: 'other' }))
  await dispute(open)
  const lost = await dispute(contested)
  await ask(shop, 'POST', `disputes/${lost}/accept`)
  const settlement = idOf(await ask(shop, 'POST', 'settlements', EUR))
  await ended(ask, shop, `settlements/${settlement}`, 'settled')
  const [gone, given] = [
    [refunded, voided],
    [refunded, contested],
  ]
  return new Map<string, readonly string[]>([
    ...['capture', 'void', 'refunds'].map(
      (what) => [`POST /v1/payments/{id}/${what}`, gone] as const,
    ),
    ['POST /v1/payments/{id}/cancel', given],
    ['POST /v1/payments/{id}/disputes', given],
    ...['evidence', 'accept'].map((what) => [`POST /v1/disputes/{id}/${what}`, [lost]] as const),
  ])
}

/** Keys, devices, staff and receivers: who else may act for them, and who is told. */
export async function equip(ask: Ask, { ada, shop, merchant }: Owners): Promise<void> {
  const hook = { url: 'http://127.0.0.1:9/', types: ['*'] }
  const endpoint = idOf(await ask(shop, 'POST', 'webhook_endpoints', hook))
  await ask(shop, 'POST', 'api_keys', { name: 'Till', scopes: ['merchant'] })
  await ask(shop, 'POST', 'staff', { merchant, subject: `${shop.sub}.staff` })
  await ask(shop, 'POST', `webhook_endpoints/${endpoint}/ping`)
  const path = `webhook_endpoints/${endpoint}/deliveries`
  await until('something is told', async () => listOf(await ask(shop, 'GET', path)).length > 0)
  const { id: person } = await ask(ada, 'GET', 'me')
  const [key, pair] = [newKey(), await newDeviceKey('P-256')]
  const jwk = await publicJwk(pair)
  const thumbprint = await thumbprintOf(jwk)
  const bound = { action: 'device.bind', person: String(person), key, thumbprint, name: 'A phone' }
  const possession = await provePossession(pair.privateKey, thumbprint, await digestOf(bound))
  await ask(ada, 'POST', 'devices', { name: 'A phone', key: jwk, possession, approval }, key)
}

const listOf = ({ data }: { readonly data?: unknown }) => (Array.isArray(data) ? data : [])

/** A quote, and an exchange of another one. */
export async function exchange(ask: Ask, { ada }: Owners): Promise<void> {
  const seen = { source: 'The stage', observed_at: new Date(Date.now() - 1_000).toISOString() }
  const rate = { base: 'EUR', quote: 'KES', rate: '150', ...seen, valid_for_s: 3_600 }
  await together(ask, 'fx_rates', rate)
  const wanted = { sell: 'EUR', buy: 'KES', amount: '1000', side: 'sell' }
  await ask(ada, 'POST', 'fx_quotes', wanted)
  const quote = idOf(await ask(ada, 'POST', 'fx_quotes', wanted))
  await ask(ada, 'POST', 'exchanges', { quote, approval })
}

/** Rules of each sort, a payment that one of them holds, and a proposal that waits. */
export async function govern(ask: Ask, { ada, ben, merchant }: Owners): Promise<void> {
  const limit = { scope: 'payer', period: 'day', count_max: 1_000, tier: `${TIER}x` }
  await together(ask, 'limit_rules', limit)
  await together(ask, 'step_up_rules', { kind: 'amount', tier: `${TIER}x` })
  const risk = { kind: 'amount', parameters: { above: '0' }, rails: ['wallet'], ...EUR }
  const held = { verdict: 'hold', when_unavailable: 'allow', reason: 'looks odd', tier: TIER }
  await together(ask, 'risk_rules', { ...risk, ...held })
  const person = idOf(await ask(ben, 'GET', 'me'))
  await together(ask, `people/${person}`, { tier: TIER, ...WHY }, 'PUT')
  const asked = { payee: `@${ada.sub}`, amount: '50', ...EUR, approval }
  await ask(ben, 'POST', 'payments', asked)
  const fees = { percent: '2', fixed: '0', ...EUR, merchant }
  await together(ask, 'fee_schedules', fees)
  const more = { amount: '1', ...EUR, ...WHY }
  await ask(OPERATOR, 'POST', `merchants/${merchant}/refund_limit`, more)
}

/** Money that nobody expected, a payout that is asked back, an outage, and a reconciliation. */
export async function bank(stage: Stage, ask: Ask): Promise<void> {
  const [{ name, secret }] = stage.banks as readonly [Stage['banks'][number]]
  await callBack(stage, name, secret)
  const paidOut = listOf(await ask(OPERATOR, 'GET', 'instructions?limit=100')).find(
    ({ direction, state }) => direction === 'credit' && state === 'settled',
  )
  const back = { reason: 'DUPL', note: 'The stage' }
  await together(ask, `instructions/${idOf(paidOut)}/recalls`, back)
  const outage = idOf(await ask(OPERATOR, 'POST', `banks/${name}/outages`, WHY))
  await ask(OPERATOR, 'POST', `bank_outages/${outage}/end`)
  const source = { source: 'bank' }
  await ask(OPERATOR, 'POST', `banks/${name}/reconciliations`, source)
}

/** As the bank would, of money for nobody we know. */
async function callBack({ apiUrl }: Stage, bank: string, secret: string): Promise<void> {
  const [id, at] = [randomUUID(), `${Math.floor(Date.now() / 1000)}`]
  const text = JSON.stringify({
    ...{ event_id: id, outcome: 'received', reference: `IN${Date.now()}`, amount: '700', ...EUR },
    ...{ occurred_at: new Date().toISOString(), remittance: 'for nobody', sender: 'A stranger' },
  })
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const signed = createHmac('sha256', key).update(`${id}.${at}.${text}`).digest('base64')
  const response = await fetch(`${apiUrl}/v1/banks/${bank}/callbacks`, {
    ...{ method: 'POST', body: text },
    headers: {
      ...{ 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': at },
      'webhook-signature': `v1,${signed}`,
    },
  })
  if (!response.ok) throw new Error(`the stage: a callback: ${await response.text()}`)
}
