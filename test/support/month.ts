/** Shops that live through a month on a clock of their own, with a model of each beside it. */
import { expect } from 'chai'
import type { Context } from '../../services/context.ts'
import { uuidOf } from '../../services/ids.ts'
import { type ModelShop, openModelShop } from '../model/month.ts'
import type { MonthHold, MonthSale } from '../model/month-sales.ts'
import { times } from './abuse.ts'
import { call, newSubject } from './api.ts'
import { disputeTerms } from './disputes.ts'
import { type Plan, planOf } from './month-plan.ts'
import { linkedAccount, merchant, type Merchant } from './people.ts'
import { together } from './proposals.ts'
import { lendTo } from './refunds.ts'
import { reserveRule } from './reserves.ts'
import { world } from './world.ts'

export interface Sold {
  readonly id: string
  readonly sale: MonthSale
  readonly when: Date
  /** How it was paid. */
  readonly way: Way
}

export type Way = 'wallet' | 'bank' | 'held' | 'shared'

/** What is held for a shop, until it is taken or let go of. */
export interface Held {
  readonly id: string
  readonly hold: MonthHold
  readonly when: Date
}

interface Contested {
  readonly id: string
  readonly sold: Sold
  readonly amount: bigint
}

interface Partner {
  readonly shop: MonthShop
  /** Millionths of what amounts have left. */
  readonly weight: bigint
  readonly amount: bigint
}

export interface MonthShop {
  readonly merchant: Merchant
  readonly model: ModelShop
  /** Whoever pays says how much. */
  readonly orders: Record<'open' | 'held' | 'shared', string>
  /** Who shares in what is paid for the last of them. */
  partners: readonly Partner[]
  readonly sold: Sold[]
  readonly held: Held[]
  /** Of which nothing was taken in the end. */
  readonly unsold: string[]
  readonly contested: Contested[]
  /** Disputes that it lost. */
  readonly lost: Contested[]
  readonly plan: Plan
}

/** When the books say that it is. */
export const books = { now: new Date(0) }

/** From now on the books go by a clock that only the test turns. */
export async function stopClock(first: Date): Promise<void> {
  const { owner } = await world()
  books.now = first
  await owner.raw(`
    CREATE TABLE month_clock AS SELECT '${first.toISOString()}'::timestamptz AS now;
    CREATE FUNCTION month_now() RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER
        AS 'SELECT now FROM month_clock';
    ALTER TABLE transfers ALTER recorded_at SET DEFAULT month_now();`)
}

export async function turnClock(to: Date): Promise<void> {
  const { owner } = await world()
  expect(to.getTime(), 'the clock').to.be.at.least(books.now.getTime())
  books.now = to
  await owner('month_clock').update({ now: to })
}

/** The product as it would be at another time, for whoever pays without a PIN. */
export async function at(now: Date, role: 'api' | 'worker' = 'api'): Promise<Context> {
  const context = (await world())[role]
  const limits = { NO_PIN_LIMIT: 1_000_000_000, NO_PIN_DAY_LIMIT: 1_000_000_000_000 }
  return { ...context, config: { ...context.config, ...limits }, now: () => now }
}

/** Many at a time, so that those of a moment share what a group costs. */
export async function inWaves<T>(
  all: readonly T[],
  atOnce: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = all.values()
  const worker = async () => {
    for (const one of left) await work(one)
  }
  await Promise.all(times(Math.min(atOnce, all.length), worker))
}

async function done(path: string, body: object) {
  const answer = await together(path, { body })
  expect(answer.status, answer.text).to.be.oneOf([200, 201])
}

/** A shop with its fee schedules, its settlement schedule, its reserves and its credit. */
export async function openShop(index: number, first: Date, end: Date): Promise<MonthShop> {
  const plan = planOf(index, first)
  const { rules } = plan
  const [opening, ...changes] = plan.schedules
  const shop = await merchant({ ...plan.opening, refund_fees: opening?.refund_fees ?? 'keep' })
  await linkedAccount(shop)
  const path = `/v1/merchants/${shop.id}`
  for (const change of changes) await done(`${path}/fee_schedules`, change)
  await done(`${path}/settlement_schedules`, plan.settlement)
  for (const rule of plan.reserves) await reserveRule(shop, rule)
  await lendTo(shop, `${rules.credit}`)
  await disputeTerms(shop, `${rules.disputeFee}`, 10)
  const order = (more: object = {}) => openOrder(shop, more)
  const orders = {
    ...{ open: await order(), shared: '' },
    held: await order({
      // Shops take their time, and take all there is at the end of the month.
      ...{ capture: 'manual', partial_captures: 'several', capture_within_s: 30 * 86_400 },
    }),
  }
  const model = openModelShop(rules, end, books)
  return {
    ...{ merchant: shop, model, orders, partners: [], sold: [], held: [], unsold: [] },
    ...{ contested: [], lost: [], plan },
  }
}

/** @returns its UUID; whoever pays says how much, any number of times. */
async function openOrder(shop: Merchant, more: object): Promise<string> {
  const body = { reference: newSubject('r'), description: 'Anything', currency: 'EUR', ...more }
  const order = await call(shop, 'POST', '/v1/orders', { body: { ...body, usage: 'reusable' } })
  expect(order.status, order.text).to.equal(201)
  return uuidOf(order.body.id)
}

/** What each sells for itself and the next two. */
export async function joinShops(shops: readonly MonthShop[]): Promise<void> {
  for (const [index, shop] of shops.entries()) {
    const after = (count: number) => shops[(index + count) % shops.length] ?? shop
    const [one, other] = [after(1), after(2)]
    shop.partners = [
      { shop: one, weight: 333_333n, amount: 0n },
      { shop: other, weight: 0n, amount: 50n },
    ]
    const beneficiaries = [
      { merchant: one.merchant.id, percent: '33.3333' },
      { merchant: other.merchant.id, amount: '50' },
    ]
    shop.orders.shared = await openOrder(shop.merchant, { splits: { beneficiaries } })
  }
}
