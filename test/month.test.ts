/**
 * A month of four shops: what is paid at once, by a bank, in parts or shared, what goes back, is
 * contested, kept and paid out, on a clock that runs ahead, also in the books, under four fee
 * schedules, two calendars and cut-offs in the middle of the day, one of them where clocks are
 * changed; in the end every cent is where a model has it that shares nothing with the product.
 * PAYMENTS says how many, SEED which; RUN_LONG=1 has 100,000.
 */
import { expect } from 'chai'
import { releaseReserves } from '../services/reserves/release.ts'
import { modelRelease } from './model/month.ts'
import { quiet, times } from './support/abuse.ts'
import {
  at,
  books,
  inWaves,
  joinShops,
  type MonthShop,
  openShop,
  type Sold,
  stopClock,
  turnClock,
  type Way,
} from './support/month.ts'
import {
  bankPays,
  buy,
  type Buyer,
  contest,
  decideOldest,
  giveBack,
  isContested,
  keepBack,
  leftOf,
  settleAll,
  steerAgain,
  steerBefore,
  takeHeld,
  undo,
  winLate,
  type Wish,
} from './support/month-deeds.ts'
import { expectBatches, expectFees, expectStatements } from './support/month-end.ts'
import { linkedAccount, person } from './support/people.ts'
import { randomOf } from './support/random.ts'
import { DAY_MS } from './support/reserves.ts'
import { world } from './support/world.ts'
import { uuidOf } from '../services/ids.ts'

const SEED = Number(process.env['SEED'] ?? 815)
const IS_LONG = process.env['RUN_LONG'] === '1'
const PAYMENTS = Number(process.env['PAYMENTS'] ?? (IS_LONG ? 100_000 : 120))
const SHOPS = 4
const DAYS = 27
/** After the last payment: every calendar has had its payout by then, whatever is off. */
const DAYS_AFTER = 10
const AT_ONCE = 128
/** Each is a transaction of its own, which waits for one of few connections. */
const TAKES_AT_ONCE = 16
/** What shops do about their sales in a day, beside taking what is held. */
const DEEDS = Math.max(2, Math.ceil(PAYMENTS / DAYS / 16))
const HOUR_MS = 3_600_000

/**
 * The second of the next March: what was paid this month and before is no turnover of it, and in
 * its second week clocks are changed in New York.
 */
function firstDay(): Date {
  const now = new Date()
  const isLater = now.getUTCMonth() >= 2
  return new Date(Date.UTC(now.getUTCFullYear() + (isLater ? 1 : 0), 2, 2))
}

const FIRST = firstDay()
const MONTHS = [2, 3, 4].map((month) => `${FIRST.getUTCFullYear()}-0${month}`)
const random = randomOf(SEED)
const upTo = (most: number) => Math.floor(random() * most)
const hour = (day: number, hours: number) =>
  new Date(FIRST.getTime() + day * DAY_MS + hours * HOUR_MS)

/** Of a hundred payments; the rest is paid at once from a wallet. */
const WAYS: readonly (readonly [Way, number])[] = [
  ['bank', 0.04],
  ['held', 0.1],
  ['shared', 0.27],
]

function wayOf(): Way {
  const drawn = random()
  return WAYS.find(([, below]) => drawn < below)?.[0] ?? 'wallet'
}

/** The payments of a part of a day, in the order of its clock. */
function wishesOf(
  count: number,
  [from, to]: readonly [Date, Date],
  shops: readonly MonthShop[],
  payers: readonly Buyer[],
): Wish[] {
  return times(count, () => {
    // Of a bank these last digits ask for something.
    const amount = BigInt(300 + upTo(9_000))
    return {
      ...{ shop: shops[upTo(shops.length)]!, payer: payers[upTo(payers.length)]!, way: wayOf() },
      amount: amount % 100n < 80n ? amount : amount - 50n,
      when: new Date(from.getTime() + upTo(to.getTime() - from.getTime())),
    }
  }).toSorted((one, other) => one.when.getTime() - other.when.getTime())
}

/** As many at a time as there may be; then the banks have their say. */
async function payAll(wishes: readonly Wish[]): Promise<void> {
  const open: (() => void)[] = []
  await inWaves(wishes, AT_ONCE, async (wish) => void open.push(...(await buy(wish))))
  await bankPays(open)
}

/** Something that a shop does about one of its sales; what goes back is all, or a part. */
interface Deed {
  readonly kind: 'refund' | 'dispute' | 'decide' | 'again' | 'undo'
  readonly shop: MonthShop
  readonly sold: Sold | undefined
  readonly share: number
  readonly isWon: boolean
}

const shareOf = () => (random() < 0.4 ? 100 : 1 + upTo(99))

function deedsOf(shops: readonly MonthShop[]): Deed[] {
  const kinds = ['refund', 'refund', 'dispute', 'decide', 'again', 'undo'] as const
  return times(DEEDS, () => {
    const [shop, kind] = [shops[upTo(shops.length)]!, kinds[upTo(kinds.length)]!]
    const { sold } = shop
    // Mostly of late; what is undone, just now.
    const nth = 1 + Math.floor(random() ** 2 * (kind === 'undo' ? 3 : sold.length))
    return { ...{ kind, shop, sold: sold.at(-nth) }, share: shareOf(), isWon: random() < 0.5 }
  })
}

/** One after the other: each is answered by what the others left. */
async function deal({ kind, shop, sold, share, isWon }: Deed): Promise<void> {
  const when = books.now
  if (kind === 'decide') return decideOldest(shop, isWon, when)
  if (kind === 'again') return isWon ? winLate(shop, when) : undefined
  if (sold === undefined) return
  const amount = (leftOf(sold) * BigInt(share)) / 100n
  if (kind === 'undo') await undo(shop, sold, when)
  else if (amount === 0n) return
  else if (kind === 'refund') await giveBack(shop, sold, amount, when)
  else if (!isContested(shop, sold)) await contest(shop, sold, amount, when)
}

/**
 * What is held is nobody else's, so all shops take of theirs at a time; with the last payment they
 * take all that is left.
 */
async function takeAll(day: number, shops: readonly MonthShop[]): Promise<void> {
  const share = () => (day < DAYS - 1 ? shareOf() : 100)
  const takes = shops.flatMap((shop) => shop.held.map(() => ({ shop, share: share() })))
  await inWaves(takes, TAKES_AT_ONCE, (one) => takeHeld(one.shop, one.share, books.now))
  inOrder(shops)
}

/** Whoever was answered first, so that a SEED repeats what is done about them. */
function inOrder(shops: readonly MonthShop[]): void {
  for (const list of shops.flatMap(({ sold, held }) => [sold, held])) {
    list.sort((one, other) => one.when.getTime() - other.when.getTime())
  }
}

/**
 * The last digits of what a shop is paid, for a bank that refuses it, sends it back with the first
 * word, or a second later; those of a day together, so that the second passes once.
 */
const endOf = (day: number): bigint | undefined => (day % 9 === 4 ? 98n : [91n, 83n][upTo(16)])

/** What shops do about their sales, every other day before anybody pays: then little is there. */
const isEarly = (day: number) => day % 2 === 1

async function dealAll(day: number, shops: readonly MonthShop[]) {
  for (const deed of deedsOf(shops)) await deal(deed)
  await takeAll(day, shops)
}

/**
 * When what was paid is written down: between these are cut-offs, and not always the same ones.
 * People pay in every other of them, and in the ones between on the next day.
 */
const PARTS = [9.5, 11.75, 13.25, 15.5, 17.5]

async function trade(day: number, shops: readonly MonthShop[], payers: readonly Buyer[]) {
  const count = Math.ceil((PAYMENTS * (day + 1)) / DAYS) - Math.ceil((PAYMENTS * day) / DAYS)
  const open = PARTS.filter((_, index) => (index + day) % 2 === 0)
  for (const [index, ends] of PARTS.entries()) {
    const begins = new Date(books.now.getTime() + 1)
    await moveOn(hour(day, ends), day, shops)
    const before = (part: number) => Math.floor((count * part) / open.length)
    const nth = open.indexOf(ends)
    const part = nth < 0 ? 0 : before(nth + 1) - before(nth)
    await payAll(wishesOf(part, [begins, hour(day, ends)], shops, payers))
    if (index === 1) await settle(hour(day, 12.5), shops)
  }
  inOrder(shops)
}

/** Whoever's cut-off comes before: now is the last moment for what will be paid out. */
async function moveOn(to: Date, day: number, shops: readonly MonthShop[]): Promise<void> {
  for (const shop of shops) {
    const isCutOff = shop.model.cutOffs.some(({ cutOff }) => cutOff > books.now && cutOff <= to)
    if (isCutOff) await steerBefore(shop, endOf(day))
  }
  await turnClock(to)
}

async function settle(now: Date, shops: readonly MonthShop[]): Promise<void> {
  await turnClock(now)
  for (const shop of shops) {
    await keepBack(shop, now)
    await steerAgain(shop, now)
  }
  await settleAll(shops, now)
}

async function liveThrough(day: number, shops: readonly MonthShop[], payers: readonly Buyer[]) {
  await moveOn(hour(day, 6), day, shops)
  await releaseReserves(await at(hour(day, 6), 'worker'))
  for (const { model } of shops) modelRelease(model, hour(day, 6))
  if (isEarly(day)) await dealAll(day, shops)
  if (day < DAYS) await trade(day, shops, payers)
  else await settle(hour(day, 12.5), shops)
  if (!isEarly(day)) await dealAll(day, shops)
  await moveOn(hour(day, 20), day, shops)
  for (const shop of shops) await keepBack(shop, hour(day, 20))
  await moveOn(hour(day, 21), day, shops)
  await settle(hour(day, 21), shops)
}

async function buyer(): Promise<Buyer> {
  const one = await person(1_000_000_000_000n, { withPin: false })
  return { ...one, account: uuidOf(await linkedAccount(one)) }
}

/** What a month must have had, so that it proves anything. */
async function expectVariety(shops: readonly MonthShop[]): Promise<void> {
  const sold = shops.flatMap((shop) => shop.sold)
  const some = (is: (one: Sold) => boolean) => sold.filter(is).length
  const batches = shops.flatMap(({ model }) => model.batches)
  const ended = (wanted: string) => batches.filter(({ state }) => state === wanted).length
  const seen = {
    ...{ bank: some(({ way }) => way === 'bank'), held: some(({ way }) => way === 'held') },
    several: some(({ sale, way }) => way === 'held' && sale.places.length > 1),
    shared: some(({ way }) => way === 'shared'),
    clawedBack: some(
      ({ sale }) => sale.shared?.how.others.some((one) => one.returned > 0n) ?? false,
    ),
    reversed: some(({ sale }) => sale.isReversed),
    unsold: shops.flatMap((shop) => shop.unsold).length,
    ...(await countedOf()),
    // Some are sent back at once, and some a second later.
    ...{ batches: batches.length, failed: ended('failed') + ended('returned') },
  }
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).to.be.greaterThan(0)
}

/** Of what has no other place in the model than what it moved. */
async function countedOf() {
  const { owner } = await world()
  const count = async (table: string, where: object = {}) =>
    owner(table)
      .where(where)
      .pluck('id')
      .then(({ length }) => length)
  return {
    refunds: await count('refunds'),
    won: await count('disputes', { state: 'won' }),
    lost: await count('disputes', { state: 'lost' }),
    chargebacksReversed: await count('disputes', { state: 'reversed' }),
  }
}

describe(`a month of ${PAYMENTS} payments (SEED=${SEED})`, () => {
  it('ends with every cent in one batch, and every statement at its balance', async () => {
    await quiet()
    const end = hour(DAYS + DAYS_AFTER + 1, 0)
    const shops = await Promise.all(times(SHOPS, (index) => openShop(index, FIRST, end)))
    await joinShops(shops)
    const payers = await Promise.all(times(8, buyer))
    await stopClock(FIRST)
    for (let day = 0; day < DAYS + DAYS_AFTER; day += 1) await liveThrough(day, shops, payers)
    await quiet()
    for (const shop of shops) {
      await expectFees(shop)
      await expectBatches(shop)
      await expectStatements(shop, MONTHS)
    }
    await expectVariety(shops)
  }).timeout(IS_LONG ? 3_600_000 : 300_000)
})
