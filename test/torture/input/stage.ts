/** People and a shop with something to lose, and others with nothing who will ask for it. */
import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import type { Cast, Role } from './requests.ts'

export interface Stage {
  readonly apiUrl: string
  /** The owner's. */
  readonly db: Knex
  readonly tokenOf: (sub: string, scope: string) => Promise<string>
  readonly banks: Cast['banks']
  /** Of a customer of the first bank, whom nobody has linked yet. */
  readonly customer: { readonly number: string; readonly holder: string }
}

const PIN = '274951'
const OPERATOR = 'olga'
const ID = /\b([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}\b/g

/** What belongs to somebody: whatever the owners themselves can list. */
const LISTS: Readonly<Record<'person' | 'merchant', readonly string[]>> = {
  person: ['accounts', 'bank_accounts', 'payments', 'me', 'devices'],
  merchant: ['accounts', 'payments', 'orders', 'settlements', 'webhook_endpoints', 'api_keys'],
}

/** Brings the owners to life. @returns the ids of what they have, by their first letters. */
export async function setStage(stage: Stage): Promise<Cast['theirs']> {
  const { tokenOf, banks, customer } = stage
  const name = `v${randomUUID().slice(0, 8)}`
  const [ada, ben, shop] = [`${name}.ada`, `${name}.ben`, `${name}.shop`]
  const ask = async (sub: string, scope: Role, method: string, path: string, body?: object) =>
    asked(stage, await tokenOf(sub, scope), method, path, body)
  await Promise.all([ada, ben].map((who) => ask(who, 'person', 'PUT', 'pin', { pin: PIN })))
  const fees = { percent: '1', fixed: '0', currency: 'EUR' }
  const made = { name: 'Shop', alias: shop, subject: shop, fees }
  await ask(OPERATOR, 'operator', 'POST', 'merchants', made)
  const linked = { bank: banks[0]?.name, ...customer }
  const { id: bank_account } = await ask(ada, 'person', 'POST', 'bank_accounts', linked)
  const money = { amount: '5000', currency: 'EUR' }
  const approval = { pin: PIN }
  const topped = { bank_account, ...money, approval }
  const { id: topUp } = await ask(ada, 'person', 'POST', 'top_ups', topped)
  await until(async () => {
    const { state } = await ask(ada, 'person', 'GET', `payments/${String(topUp)}`)
    return state === 'completed'
  })
  const thing = { reference: 'r-1', description: 'A thing', ...money, amount: '100' }
  await ask(shop, 'merchant', 'POST', 'orders', thing)
  const { id: order } = await ask(shop, 'merchant', 'POST', 'orders', {
    ...thing,
    reference: 'r-2',
  })
  const paid = { payee: `@${ben}`, ...money, amount: '100', approval }
  await ask(ada, 'person', 'POST', 'payments', paid)
  const bought = { payee: `@${shop}`, order, ...money, amount: '100', approval }
  await ask(ada, 'person', 'POST', 'payments', bought)
  const hook = { url: 'http://127.0.0.1:9/', types: ['payment.*'] }
  await ask(shop, 'merchant', 'POST', 'webhook_endpoints', hook)
  const theirs = new Map<string, Set<string>>()
  for (const [scope, paths] of Object.entries(LISTS)) {
    const who = scope === 'person' ? ada : shop
    for (const path of paths) {
      const text = JSON.stringify(await ask(who, scope as Role, 'GET', path))
      for (const [id, kind = ''] of text.matchAll(ID)) {
        theirs.set(kind, (theirs.get(kind) ?? new Set()).add(id))
      }
    }
  }
  return new Map([...theirs].map(([kind, ids]) => [kind, [...ids]]))
}

// Whoever sets the stage takes what it finds there.
type Found = Readonly<Record<string, unknown>>

async function asked(
  { apiUrl }: Stage,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<Found> {
  const response = await fetch(`${apiUrl}/v1/${path}`, {
    method,
    headers: {
      ...{ authorization: `Bearer ${token}`, 'idempotency-key': `stage-${randomUUID()}` },
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`the stage: ${method} ${path}: ${text}`)
  return text === '' ? {} : (JSON.parse(text) as Found)
}

const WAIT_MS = 30_000

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error('the stage was never set')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/**
 * Callers who have nothing, known to the service before anything is counted.
 * @returns them with tokens that last for some minutes from then on.
 */
export async function newCast(
  stage: Stage,
  theirs: Cast['theirs'],
  name: string,
): Promise<() => Promise<Cast>> {
  const { tokenOf, banks } = stage
  const fees = { percent: '1', fixed: '0', currency: 'EUR' }
  const shop = `${name}.shop`
  const operator = await tokenOf(OPERATOR, 'operator')
  const made = { name: 'Poor', alias: shop, subject: shop, fees }
  await asked(stage, operator, 'POST', 'merchants', made)
  await asked(stage, await tokenOf(`${name}.poor`, 'person'), 'GET', 'accounts')
  return async () => {
    const [person, merchant, operator, chat] = await Promise.all([
      ...[tokenOf(`${name}.poor`, 'person'), tokenOf(shop, 'merchant')],
      ...[tokenOf(OPERATOR, 'operator'), tokenOf(`${name}.chat`, 'chat')],
    ])
    return { tokens: { person, merchant, operator, chat } as Cast['tokens'], theirs, banks }
  }
}
