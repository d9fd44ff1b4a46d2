/** Shops that live through a month on a clock of their own, with a model of each beside it. */
import { expect } from 'chai'
import { claimOf, type Outcome } from '../../ledger/index.ts'
import { sweep } from '../../services/banking/sweep.ts'
import type { Context } from '../../services/context.ts'
import { decideDispute } from '../../services/disputes/decide.ts'
import { openDispute } from '../../services/disputes/open.ts'
import { findDispute } from '../../services/disputes/rows.ts'
import { monthTurnover } from '../../services/fees/turnover.ts'
import { uuidOf } from '../../services/ids.ts'
import { pay } from '../../services/payments/pay.ts'
import { refund } from '../../services/refunds/refunds.ts'
import { reserveDue } from '../../services/reserves/reserve.ts'
import { runSettlements } from '../../services/settlements/run.ts'
import {
  modelContest,
  modelGiveBack,
  modelKeep,
  modelPay,
  modelSettle,
  type ModelShop,
  modelWin,
  type MonthSale,
  openModelShop,
} from '../model/month.ts'
import { until } from './abuse.ts'
import { call, newKey, newSubject } from './api.ts'
import { disputeTerms } from './disputes.ts'
import { type Plan, planOf } from './month-plan.ts'
import { linkedAccount, merchant, type Merchant, type Person } from './people.ts'
import { together } from './proposals.ts'
import { lendTo } from './refunds.ts'
import { reserveRule } from './reserves.ts'
import { world } from './world.ts'

export interface Sold {
  readonly id: string
  readonly sale: MonthSale
  readonly when: Date
}

interface Contested {
  readonly id: string
  readonly sold: Sold
  readonly amount: bigint
}

export interface MonthShop {
  readonly merchant: Merchant
  readonly model: ModelShop
  /** Whoever pays says how much. */
  readonly order: string
  readonly sold: Sold[]
  readonly contested: Contested[]
  readonly plan: Plan
}

/** The product as it would be at another time, for whoever pays without a PIN. */
export async function at(now: Date, role: 'api' | 'worker' = 'api'): Promise<Context> {
  const context = (await world())[role]
  const limits = { NO_PIN_LIMIT: 1_000_000_000, NO_PIN_DAY_LIMIT: 1_000_000_000_000 }
  return { ...context, config: { ...context.config, ...limits }, now: () => now }
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
  const body = { reference: newSubject('r'), description: 'Anything', currency: 'EUR' }
  const order = await call(shop, 'POST', '/v1/orders', { body: { ...body, usage: 'reusable' } })
  expect(order.status, order.text).to.equal(201)
  const model = openModelShop(rules, end)
  const id = uuidOf(order.body.id)
  return { merchant: shop, model, order: id, sold: [], contested: [], plan }
}

/** What was asked for, answered once; a refusal by its code. */
async function asked(work: (claim: ReturnType<typeof claimOf>, key: string) => Promise<Outcome>) {
  const key = newKey()
  const { answer } = await work(claimOf(key, 'month', key, key), key)
  return JSON.parse(answer)
}

/**
 * Has the turnover before today counted, as the first payment of a day would: the books go by a
 * clock of their own, on which the whole month is today, so that what comes later must not be there
 * yet.
 */
export async function countTurnover({ merchant: { id } }: MonthShop, when: Date) {
  await monthTurnover(await at(when), uuidOf(id), 'EUR', when)
}

/** Somebody pays; the model says what that costs. */
export async function buy(shop: MonthShop, payer: Person, amount: bigint, when: Date) {
  const context = await at(when)
  const request = {
    ...{ payee: undefined, money: { amount, currency: 'EUR' }, source: undefined },
    ...{ order: shop.order, note: undefined, approval: undefined },
  }
  const { id, alias } = payer
  const made = await asked((claim, key) =>
    pay(context, { id, alias, name: null }, request, { claim, key, standing: undefined }),
  )
  expect(made.state, JSON.stringify(made)).to.equal('completed')
  const sale = modelPay(shop.model, amount, when, new Date())
  shop.sold.push({ id: uuidOf(made.id), sale, when })
}

/** What may still go back of a sale. */
export const leftOf = ({ sale }: Sold): bigint => sale.paid - sale.refunded - sale.disputed

export const isContested = ({ contested }: MonthShop, sold: Sold): boolean =>
  contested.some((one) => one.sold === sold)

export async function giveBack(shop: MonthShop, sold: Sold, amount: bigint, when: Date) {
  const context = await at(when)
  const made = await asked((claim) =>
    refund(context, uuidOf(shop.merchant.id), sold.id, { amount, reason: undefined }, claim),
  )
  const expected = modelGiveBack(shop.model, sold.sale, amount)
  if (typeof expected === 'string') {
    expect(made.refused, JSON.stringify(made)).to.equal(expected)
    return
  }
  expect(made, JSON.stringify(made)).to.include({
    fee_returned: `${expected.fee}`,
    tax_returned: `${expected.tax}`,
  })
  const { balance, reserve, limit } = expected
  const from = { balance: `${balance}`, reserve: `${reserve}`, limit: `${limit}` }
  expect(made.paid_from).to.deep.equal(from)
}

/** An operator contests a payment for somebody else's bank. */
export async function contest(shop: MonthShop, sold: Sold, amount: bigint, when: Date) {
  const context = await at(when)
  const by = { operator: 'olga' }
  const request = { payment: sold.id, amount, reason: 'other', by } as const
  const made = await asked((claim) => openDispute(context, request, claim))
  if (!modelContest(shop.model, sold.sale, amount)) {
    expect(made.refused, JSON.stringify(made)).to.equal('insufficient_funds')
    return
  }
  expect(made.state, JSON.stringify(made)).to.equal('needs_evidence')
  shop.contested.push({ id: uuidOf(made.id), sold, amount })
}

/** The oldest dispute that is open ends. */
export async function decideOldest(shop: MonthShop, isWon: boolean, when: Date) {
  const oldest = shop.contested.shift()
  if (oldest === undefined) return
  const context = await at(when)
  const dispute = await findDispute(context.db, oldest.id)
  if (dispute === undefined) throw new Error('a dispute has vanished')
  const happening = { event: isWon ? 'win' : 'lose', by: 'olga', note: 'A test' } as const
  const made = await asked((claim) => decideDispute(context, dispute, happening, claim))
  expect(made.state, JSON.stringify(made)).to.equal(isWon ? 'won' : 'lost')
  if (isWon) modelWin(shop.model, oldest.sold.sale, oldest.amount)
}

export async function keepBack(shop: MonthShop, when: Date) {
  const context = await at(when, 'worker')
  const kept = await reserveDue(context, uuidOf(shop.merchant.id), 'EUR')
  expect(kept, 'kept').to.equal(modelKeep(shop.model))
}

/**
 * Brings a payout to the last digits by which the bank does as wished, with a small dispute that
 * the shop loses; nothing where it ends well anyway.
 */
export async function steer(shop: MonthShop, digits: bigint | undefined, when: Date) {
  const { balance } = shop.model.purse
  const isOdd = balance >= 100n && balance % 100n >= 80n
  if (!isOdd && (digits === undefined || balance < 1_000n)) return
  const over = (balance - shop.plan.rules.disputeFee - (digits ?? 0n)) % 100n
  const some = over === 0n ? 100n : over
  // Of very little nothing is paid out at all.
  const amount = balance < 400n ? balance : some
  const sold = shop.sold.findLast((one) => leftOf(one) > amount && !isContested(shop, one))
  if (sold !== undefined) await contest(shop, sold, amount, when)
}

/** The run of a day, as a worker would make it then; the banks hear of it today. */
export async function settleAll(shops: readonly MonthShop[], when: Date) {
  await runSettlements(await at(when, 'worker'))
  const { owner, worker } = await world()
  const late = () => owner('instructions').where('next_at', '>', new Date(Date.now() + 86_400_000))
  await late().update({ next_at: new Date() })
  await sweep(worker)
  const made = shops.flatMap((shop) => {
    const batch = modelSettle(shop.model, when)
    return batch === undefined ? [] : [{ shop, batch, number: shop.model.batches.length }]
  })
  // What comes back is an entry of the next batch: until it is there, nothing else may happen.
  for (const { shop, batch, number } of made) {
    if (batch.state !== 'failed' && batch.state !== 'returned') continue
    const where = { merchant_id: uuidOf(shop.merchant.id), number, state: batch.state }
    await until(async () => (await owner('settlements').where(where).first('id')) !== undefined)
  }
}
