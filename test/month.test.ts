/**
 * A month of four shops: what is paid, goes back, is contested, kept and paid out, on a clock that
 * runs ahead, under four fee schedules and two calendars; in the end every cent is where a model
 * has it that shares nothing with the product. PAYMENTS says how many, SEED which; RUN_LONG=1 has
 * 100,000.
 */
import { releaseReserves } from '../services/reserves/release.ts'
import { isDue, modelRelease } from './model/month.ts'
import { quiet, times } from './support/abuse.ts'
import {
  at,
  buy,
  contest,
  countTurnover,
  decideOldest,
  giveBack,
  isContested,
  keepBack,
  leftOf,
  type MonthShop,
  openShop,
  settleAll,
  type Sold,
  steer,
} from './support/month.ts'
import { expectBatches, expectFees, expectStatements } from './support/month-end.ts'
import { person, type Person } from './support/people.ts'
import { randomOf } from './support/random.ts'
import { DAY_MS } from './support/reserves.ts'

const SEED = Number(process.env['SEED'] ?? 815)
const IS_LONG = process.env['RUN_LONG'] === '1'
const PAYMENTS = Number(process.env['PAYMENTS'] ?? (IS_LONG ? 100_000 : 300))
const SHOPS = 4
const DAYS = 27
/** After the last payment: every calendar has had its payout by then, whatever is off. */
const DAYS_AFTER = 10
const AT_ONCE = 128
const HOUR_MS = 3_600_000

/** The second of next month: what was paid this month and before is no turnover of it. */
function firstDay(): Date {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 2))
}

const FIRST = firstDay()
const random = randomOf(SEED)
const upTo = (most: number) => Math.floor(random() * most)
const hour = (day: number, hours: number) =>
  new Date(FIRST.getTime() + day * DAY_MS + hours * HOUR_MS)

interface Wish {
  readonly shop: MonthShop
  readonly payer: Person
  readonly amount: bigint
  readonly when: Date
}

/** The payments of a day, in the order of its clock. */
function wishesOf(day: number, shops: readonly MonthShop[], payers: readonly Person[]): Wish[] {
  const count = Math.ceil((PAYMENTS * (day + 1)) / DAYS) - Math.ceil((PAYMENTS * day) / DAYS)
  return times(count, () => ({
    ...{ shop: shops[upTo(shops.length)]!, payer: payers[upTo(payers.length)]! },
    ...{ amount: BigInt(300 + upTo(9_000)), when: hour(day, 8 + 10 * random()) },
  })).toSorted((one, other) => one.when.getTime() - other.when.getTime())
}

/** As many at a time as there may be. */
async function payAll(wishes: readonly Wish[]): Promise<void> {
  let next = 0
  const one = async () => {
    for (let wish = wishes[next++]; wish !== undefined; wish = wishes[next++]) {
      await buy(wish.shop, wish.payer, wish.amount, wish.when)
    }
  }
  await Promise.all(times(AT_ONCE, one))
}

/** Something that a shop does about one of its sales; what goes back is all, or a part. */
interface Deed {
  readonly kind: 'refund' | 'dispute' | 'decide'
  readonly sold: Sold
  readonly share: number
  readonly isWon: boolean
}

function deedsOf({ sold }: MonthShop): Deed[] {
  const count = Math.ceil(PAYMENTS / SHOPS / DAYS / 4)
  if (sold.length === 0) return []
  return times(count, () => ({
    kind: (['refund', 'refund', 'dispute', 'decide'] as const)[upTo(4)]!,
    // Mostly of late.
    sold: sold[sold.length - 1 - Math.floor(random() ** 2 * sold.length)]!,
    ...{ share: random() < 0.4 ? 100 : 1 + upTo(99), isWon: random() < 0.5 },
  }))
}

async function deal(shop: MonthShop, deeds: readonly Deed[], day: number): Promise<void> {
  const when = hour(day, isEarly(day) ? 7 : 19)
  for (const { kind, sold, share, isWon } of deeds) {
    const amount = (leftOf(sold) * BigInt(share)) / 100n
    if (kind === 'decide') await decideOldest(shop, isWon, when)
    else if (amount === 0n) continue
    else if (kind === 'refund') await giveBack(shop, sold, amount, when)
    else if (!isContested(shop, sold)) await contest(shop, sold, amount, when)
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
  const deeds = shops.map(deedsOf)
  await Promise.all(shops.map((shop, index) => deal(shop, deeds[index] ?? [], day)))
}

async function trade(day: number, shops: readonly MonthShop[], payers: readonly Person[]) {
  await Promise.all(shops.map((shop) => countTurnover(shop, hour(day, 6))))
  if (isEarly(day)) await dealAll(day, shops)
  await payAll(wishesOf(day, shops, payers))
  // Whoever was answered first, so that a SEED repeats what is done about them.
  for (const { sold } of shops) sold.sort((one, other) => one.when.getTime() - other.when.getTime())
  if (!isEarly(day)) await dealAll(day, shops)
}

async function liveThrough(day: number, shops: readonly MonthShop[], payers: readonly Person[]) {
  await releaseReserves(await at(hour(day, 6), 'worker'))
  for (const { model } of shops) modelRelease(model, hour(day, 6))
  if (day < DAYS) await trade(day, shops, payers)
  const ends = shops.map(() => endOf(day))
  await Promise.all(
    shops.map(async (shop, index) => {
      await keepBack(shop, hour(day, 20))
      if (isDue(shop.model, hour(day, 21))) await steer(shop, ends[index], hour(day, 20))
    }),
  )
  await settleAll(shops, hour(day, 21))
}

describe(`a month of ${PAYMENTS} payments (SEED=${SEED})`, () => {
  it('ends with every cent in one batch, and every statement at its balance', async () => {
    await quiet()
    const end = hour(DAYS + DAYS_AFTER + 1, 0)
    const shops = await Promise.all(times(SHOPS, (index) => openShop(index, FIRST, end)))
    const payers = await Promise.all(times(8, () => person(1_000_000_000_000n, { withPin: false })))
    for (let day = 0; day < DAYS + DAYS_AFTER; day += 1) await liveThrough(day, shops, payers)
    await quiet()
    for (const shop of shops) {
      await expectFees(shop)
      await expectBatches(shop)
      await expectStatements(shop, FIRST)
    }
  }).timeout(IS_LONG ? 3_600_000 : 120_000)
})
