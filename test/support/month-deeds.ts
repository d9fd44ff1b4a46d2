/** What happens to the shops of the month: in the product and in the model of each, one by one. */
import { expect } from 'chai'
import { claimOf, isUnavailable, type Outcome } from '../../ledger/index.ts'
import { decideDispute } from '../../services/disputes/decide.ts'
import { openDispute } from '../../services/disputes/open.ts'
import { findDispute } from '../../services/disputes/rows.ts'
import { ServiceError } from '../../services/errors.ts'
import { uuidOf } from '../../services/ids.ts'
import { capture, voidHold } from '../../services/payments/holds.ts'
import { pay } from '../../services/payments/pay.ts'
import { refund } from '../../services/refunds/refunds.ts'
import { reserveDue } from '../../services/reserves/reserve.ts'
import { reverse } from '../../services/reversals/reversals.ts'
import { runSettlements } from '../../services/settlements/run.ts'
import { isDue, modelKeep, modelPayout, modelSettle } from '../model/month.ts'
import {
  modelContest,
  modelGiveBack,
  modelHold,
  modelPay,
  modelReverse,
  modelSold,
  modelTake,
  modelWin,
} from '../model/month-sales.ts'
import { until } from './abuse.ts'
import { newKey } from './api.ts'
import { at, books, type MonthShop, type Sold, type Way } from './month.ts'
import type { Person } from './people.ts'
import { DAY_MS } from './reserves.ts'
import { world } from './world.ts'

/** However busy the machine is. */
const ATTEMPTS_MAX = 20

/** What was asked for, answered once, and again by its key while the database is too busy. */
async function asked(work: (claim: ReturnType<typeof claimOf>, key: string) => Promise<Outcome>) {
  const key = newKey()
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { answer } = await work(claimOf(key, 'month', key, key), key)
      return JSON.parse(answer)
    } catch (error) {
      if (error instanceof ServiceError) return { refused: error.code }
      if (!isUnavailable(error) || attempt === ATTEMPTS_MAX) throw error
    }
  }
}

export interface Wish {
  readonly shop: MonthShop
  readonly payer: Buyer
  readonly amount: bigint
  readonly when: Date
  readonly way: Way
}

/** Somebody with a wallet and a bank account. */
export interface Buyer extends Person {
  readonly account: string
}

/** Somebody pays; the model says what that costs. What a bank has to say first is left open. */
export async function buy({ shop, payer, amount, when, way }: Wish): Promise<(() => void)[]> {
  const { model, orders, partners, sold } = shop
  const context = await at(when)
  const order = way === 'held' || way === 'shared' ? orders[way] : orders.open
  const source = way === 'bank' ? payer.account : undefined
  const request = {
    ...{ payee: undefined, money: { amount, currency: 'EUR' }, source },
    ...{ order, note: undefined, approval: undefined },
  }
  const { id: person, alias } = payer
  const made = await asked((claim, key) =>
    pay(context, { id: person, alias, name: null }, request, { claim, key, standing: undefined }),
  )
  const state = { wallet: 'completed', shared: 'completed', bank: 'processing', held: 'authorized' }
  expect(made.state, JSON.stringify(made)).to.equal(state[way])
  const id = uuidOf(made.id)
  if (way === 'held') {
    shop.held.push({ id, hold: modelHold(model, amount, when), when })
    return []
  }
  const parts = way === 'shared' ? partners.map((one) => ({ ...one, shop: one.shop.model })) : []
  const settled = () =>
    void sold.push({ id, sale: modelPay(model, amount, when, parts), when, way })
  if (way === 'bank') return [settled]
  settled()
  return []
}

/** Banks hear today of what is due on a clock that runs ahead. */
async function tellBanks(): Promise<void> {
  const { owner, worker } = await world()
  const late = owner('instructions').where('next_at', '>', new Date(Date.now() + DAY_MS))
  const told: { id: string }[] = await late.update({ next_at: new Date() }).returning('id')
  await worker.queue.ring(
    'instruction',
    told.map(({ id }) => id),
  )
}

/** Until the banks of those who pay have spoken. */
export async function bankPays(settled: readonly (() => void)[]): Promise<void> {
  if (settled.length === 0) return
  await tellBanks()
  const { owner } = await world()
  await until(
    async () => (await owner('payments').where({ state: 'processing' }).first('id')) === undefined,
    60_000,
  )
  for (const one of settled) one()
}

/** The shop takes some of what is held longest, or all that is left of it, or lets go of it. */
export async function takeHeld(shop: MonthShop, share: number, when: Date): Promise<void> {
  const one = shop.held.shift()
  if (one === undefined) return
  const { id, hold } = one
  const context = await at(when)
  const merchant = uuidOf(shop.merchant.id)
  const left = hold.authorized - hold.taken
  const amount = (left * BigInt(share)) / 100n
  const isLast = share >= 90
  // Of very little nothing would be left once it is charged for.
  const isFreed = amount < 200n || (hold.taken === 0n && share < 25)
  if (isFreed) {
    const freed = await asked((claim) => voidHold(context, merchant, id, claim))
    expect(freed.state, JSON.stringify(freed)).to.equal(hold.taken > 0n ? 'completed' : 'canceled')
  } else {
    const request = { amount, isFinal: isLast }
    const made = await asked((claim) => capture(context, merchant, id, request, claim))
    expect(made.state, JSON.stringify(made)).to.equal(isLast ? 'completed' : 'authorized')
    modelTake(shop.model, hold, amount)
  }
  const isOver = isLast || isFreed
  if (!isOver) shop.held.push(one)
  else if (hold.taken === 0n) shop.unsold.push(id)
  else shop.sold.push({ id, sale: modelSold(hold), when: one.when, way: 'held' })
}

/** An operator undoes what should never have been sold. */
export async function undo(shop: MonthShop, sold: Sold, when: Date): Promise<void> {
  const { sale, id } = sold
  if (sold.way === 'bank' || sale.isReversed || sale.refunded + sale.disputed > 0n) return
  const context = await at(when)
  const why = { reason: 'A test', operator: 'olga', approvedBy: 'otto' }
  const made = await asked((claim) => reverse(context, { subject: { payment: id }, ...why }, claim))
  expect(made.refused, JSON.stringify(made)).to.equal(modelReverse(shop.model, sale))
}

/** What may still go back of a sale. */
export const leftOf = ({ sale }: Sold): bigint =>
  sale.isReversed ? 0n : sale.paid - sale.refunded - sale.disputed

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
    shares_returned: `${expected.shares}`,
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
  await decide(oldest.id, isWon ? 'win' : 'lose', when)
  if (isWon) modelWin(shop.model, oldest.sold.sale, oldest.amount)
  else shop.lost.push(oldest)
}

/** The oldest dispute that was lost was no right one: the payer pays again. */
export async function winLate(shop: MonthShop, when: Date): Promise<void> {
  const oldest = shop.lost.shift()
  if (oldest === undefined) return
  await decide(oldest.id, 'reverse', when)
  modelWin(shop.model, oldest.sold.sale, oldest.amount)
}

const ENDED = { win: 'won', lose: 'lost', reverse: 'reversed' } as const

async function decide(id: string, event: keyof typeof ENDED, when: Date): Promise<void> {
  const context = await at(when)
  const dispute = await findDispute(context.db, id)
  if (dispute === undefined) throw new Error('a dispute has vanished')
  const happening = { event, by: 'olga', note: 'A test' }
  const made = await asked((claim) => decideDispute(context, dispute, happening, claim))
  expect(made.state, JSON.stringify(made)).to.equal(ENDED[event])
}

export async function keepBack(shop: MonthShop, when: Date) {
  if (shop.model.unseen.size === 0) return
  const context = await at(when, 'worker')
  const kept = await reserveDue(context, uuidOf(shop.merchant.id), 'EUR')
  expect(kept, 'kept').to.equal(modelKeep(shop.model))
}

/**
 * Brings what would be paid out to the last digits by which the bank does as wished, with a small
 * dispute that the shop loses; nothing where it ends well anyway.
 */
async function steer(shop: MonthShop, payout: bigint, digits: bigint | undefined) {
  const isOdd = payout >= 100n && payout % 100n >= 80n
  if (!isOdd && (digits === undefined || payout < 1_000n)) return
  const over = (payout - shop.plan.rules.disputeFee - (digits ?? 0n)) % 100n
  const some = over <= 0n ? over + 100n : over
  // Of very little nothing is paid out at all.
  const amount = payout < 400n ? payout : some
  const sold = shop.sold.findLast((one) => leftOf(one) > amount && !isContested(shop, one))
  if (sold !== undefined) await contest(shop, sold, amount, books.now)
}

/** Just before a cut-off: what will be paid out is what there is now. */
export const steerBefore = (shop: MonthShop, digits: bigint | undefined) =>
  steer(shop, shop.model.purse.balance, digits)

/** Just before a run: less may be left than there was at the cut-off. */
export async function steerAgain(shop: MonthShop, now: Date): Promise<void> {
  if (isDue(shop.model, now)) await steer(shop, modelPayout(shop.model, now), undefined)
}

/** A run, as a worker would make it then; the banks hear of it today. */
export async function settleAll(shops: readonly MonthShop[], when: Date) {
  const { batches } = await runSettlements(await at(when, 'worker'))
  if (batches > 0) await tellBanks()
  const { owner } = await world()
  for (const { merchant, model } of shops) {
    const first = model.batches.length + 1
    // What comes back is an entry of a later batch: until it is there, nothing else may happen. Nor
    // may days pass before a bank has said that it has paid: a person would be asked.
    for (const [index, { state }] of modelSettle(model, when).entries()) {
      const where = { merchant_id: uuidOf(merchant.id), number: first + index, state }
      await until(async () => (await owner('settlements').where(where).first('id')) !== undefined)
    }
  }
}
