/**
 * What a merchant of the month sells: what each payment costs, whether it is paid at once or taken
 * in parts, with whom it is shared, and what goes back. Shares nothing with the product.
 */
import { sharesOf } from './chart.ts'
import { modelPrice } from './fees.ts'
import { add, addTo, dayOf, draw, least, type ModelShop, type ModelVersion } from './month.ts'
import { modelRefund, type ModelSale } from './refunds.ts'
import { type ModelShared, modelTakeBack } from './splits.ts'

export interface MonthSale extends ModelSale {
  readonly volume: bigint
  disputed: bigint
  isReversed: boolean
  /** Whose account has which entry of it. */
  readonly places: readonly (readonly [shop: ModelShop, entry: number])[]
  /** With whom it is shared, and how. */
  readonly shared: { readonly shops: readonly ModelShop[]; readonly how: ModelShared } | undefined
}

/** Money that is held for a shop, and what it took of it. */
export interface MonthHold {
  readonly authorized: bigint
  readonly version: ModelVersion
  readonly volume: bigint
  readonly when: Date
  readonly places: (readonly [shop: ModelShop, entry: number])[]
  taken: bigint
  fee: bigint
  tax: bigint
}

/** Who shares in a payment: millionths of what amounts have left, or an amount. */
export interface ModelPart {
  readonly shop: ModelShop
  readonly weight: bigint
  readonly amount: bigint
}

/** What was paid this month before the day of `when`. */
function volumeAt(shop: ModelShop, when: Date): bigint {
  let volume = 0n
  for (const [day, sum] of shop.byDay) if (day < dayOf(when)) volume += sum
  return volume
}

const versionAt = (shop: ModelShop, when: Date) => {
  const version = shop.rules.versions.findLast(({ from }) => from <= when)
  if (version === undefined) throw new Error('nothing is in force')
  return version
}

function priceOf({ version, volume, when }: Omit<MonthHold, 'authorized'>, amount: bigint) {
  const facts = { amount, volume, rail: 'wallet', country: null, category: null }
  const price = modelPrice(version.fees, { ...facts, at: when.toISOString() })
  if (price === undefined) throw new Error('nothing is left')
  return price
}

/** Somebody's money is held, at the price of this moment; none of it has moved. */
export const modelHold = (shop: ModelShop, authorized: bigint, when: Date): MonthHold => ({
  ...{ authorized, version: versionAt(shop, when), volume: volumeAt(shop, when), when },
  ...{ places: [], taken: 0n, fee: 0n, tax: 0n },
})

/** Costs what all that is taken costs, less what was charged; and never less than nothing. */
export function modelTake(shop: ModelShop, hold: MonthHold, amount: bigint): void {
  const all = priceOf(hold, hold.taken + amount)
  const isDearer = all.fee > hold.fee
  const [fee, tax] = isDearer ? [all.fee - hold.fee, all.tax - hold.tax] : [0n, 0n]
  hold.taken += amount
  hold.fee += fee
  hold.tax += tax
  addTo(shop.byDay, dayOf(shop.books.now), amount)
  addTo(shop.unseen, dayOf(shop.books.now), amount)
  hold.places.push([shop, shop.account.length()])
  add(shop, 'payment', amount)
  add(shop, 'fee', -fee)
  add(shop, 'tax', -tax)
}

/** What a part of the terms costs whatever is paid; of steps, those that were reached. */
function fixedOf(one: ModelVersion['fees']['components'][number], taken: bigint): bigint {
  if (one.kind === 'fixed') return BigInt(one.amount)
  if (one.kind !== 'tiers' || one.of === 'month') return 0n
  return one.steps
    .filter((_, at) => at === 0 || BigInt(one.steps[at - 1]!.up_to!) < taken)
    .reduce((sum, { fixed }) => sum + BigInt(fixed), 0n)
}

/** All that there will be of it. */
export function modelSold({ taken, fee, tax, version, volume, places }: MonthHold): MonthSale {
  const fixed = version.fees.components
    .map((one) => fixedOf(one, taken))
    .reduce((sum, amount) => sum + amount, 0n)
  const sale = { paid: taken, fee, tax, fixed, policy: version.policy, refunded: 0n, volume }
  return { ...sale, disputed: 0n, isReversed: false, places, shared: undefined }
}

/** @param when the shop's clock says it was; the books' clock may be a little later. */
export function modelPay(
  shop: ModelShop,
  paid: bigint,
  when: Date,
  parts: readonly ModelPart[] = [],
): MonthSale {
  const hold = modelHold(shop, paid, when)
  modelTake(shop, hold, paid)
  const sale = modelSold(hold)
  return parts.length === 0 ? sale : share(shop, sale, parts)
}

/** Amounts come first, and of the rest each gets its part; what is nobody's is the shop's. */
function share(shop: ModelShop, sale: MonthSale, parts: readonly ModelPart[]): MonthSale {
  const net = sale.paid - sale.fee - sale.tax
  const rest = parts.reduce((left, { amount }) => left - amount, net)
  const weights = parts.map(({ weight }) => weight)
  const nobodys = weights.reduce((left, weight) => left - weight, 1_000_000n)
  const dealt = sharesOf(rest, [0n, ...weights, nobodys])
  const places = [...sale.places]
  const others = parts.map((part, at) => {
    const promised = part.amount + (dealt[at + 1] ?? 0n)
    places.push([part.shop, part.shop.account.length()])
    addTo(shop.unseen, dayOf(shop.books.now), -promised)
    addTo(part.shop.unseen, dayOf(shop.books.now), promised)
    add(shop, 'split', -promised)
    add(part.shop, 'split', promised)
    return { promised, given: promised, returned: 0n, balance: 0n, reserve: 0n, credit: 0n }
  })
  const how = { whole: net, captured: sale.paid, net, refunded: 0n, others }
  return { ...sale, places, shared: { shops: parts.map((part) => part.shop), how } }
}

/** What those who shared in a sale give back of it, by which of their purses; nothing is moved. */
function askBack({ shared }: MonthSale, amount: bigint) {
  if (shared === undefined) return []
  const { how, shops } = shared
  const others = how.others.map((one, at) => ({ ...one, ...shops[at]?.purse }))
  return modelTakeBack({ ...how, others }, amount)
}

/** What comes of a refund, or why it is refused. */
export function modelGiveBack(shop: ModelShop, sale: MonthSale, amount: bigint) {
  const backs = askBack(sale, amount)
  const shares = backs.reduce((sum, { due, payee }) => sum + due - payee, 0n)
  const done = modelRefund({ ...shop.purse }, sale, amount, shares)
  if (typeof done === 'string') return done
  for (const [at, { due, reserve, payee }] of backs.entries()) {
    const [other, one] = [sale.shared?.shops[at], sale.shared?.how.others[at]]
    if (other === undefined || one === undefined) throw new Error('nobody shared in it')
    one.returned += due
    draw(other, reserve)
    add(other, 'split_returned', payee - due)
  }
  if (sale.shared !== undefined) sale.shared.how.refunded += amount
  add(shop, 'split_returned', shares)
  add(shop, 'fee_returned', done.fee + done.tax)
  draw(shop, done.reserve)
  add(shop, 'refund', -amount)
  return { ...done, shares }
}

/** It should never have been: all of it goes back; or why not. */
export function modelReverse(shop: ModelShop, sale: MonthSale): string | undefined {
  if (sale.places.some(([of, entry]) => entry < of.account.settled())) return 'payment_settled'
  const others = sale.shared?.how.others ?? []
  const backs = others.map(({ given }, at) => ({ given, other: sale.shared?.shops[at] ?? shop }))
  const isShort = ({ purse }: ModelShop, change: bigint) => purse.balance + change < -purse.credit
  const shares = backs.reduce((sum, { given }) => sum + given, 0n)
  const own = shares + sale.fee + sale.tax - sale.paid
  if (isShort(shop, own) || backs.some(({ other, given }) => isShort(other, -given))) {
    return 'insufficient_funds'
  }
  for (const { other, given } of backs) add(other, 'reversal', -given)
  add(shop, 'reversal', own)
  sale.isReversed = true
  return undefined
}

/** @returns whether there was enough. */
export function modelContest(shop: ModelShop, sale: MonthSale, amount: bigint): boolean {
  const { balance, reserve } = shop.purse
  const { disputeFee, credit } = shop.rules
  const need = amount + disputeFee
  const own = least(need, balance > 0n ? balance : 0n)
  const kept = least(need - own, reserve)
  const owed = need - own - kept
  if (owed > 0n && balance - own - owed < -credit) return false
  draw(shop, kept)
  add(shop, 'dispute', -amount)
  add(shop, 'dispute_fee', -disputeFee)
  sale.disputed += amount
  return true
}

export function modelWin(shop: ModelShop, sale: MonthSale, amount: bigint): void {
  sale.disputed -= amount
  add(shop, 'chargeback_reversed', amount)
}
