/**
 * A merchant's month with a purse, a drawer of reserves and a wall calendar: what each payment
 * costs, what goes back, what is kept, and which batches are made. Shares nothing with the product.
 */
import { modelPrice, type ModelTerms as ModelFees } from './fees.ts'
import { modelRefund, type ModelSale, nearest } from './refunds.ts'
import { modelCutOffs, type ModelTerms, openModelAccount } from './settlement.ts'

export interface ModelVersion {
  /** In force from then on. */
  readonly from: Date
  readonly fees: ModelFees
  readonly policy: ModelSale['policy']
}

export interface ModelRules {
  /** The oldest first. */
  readonly versions: readonly ModelVersion[]
  readonly settlement: ModelTerms
  readonly minimum: bigint
  /** Of what is paid, in percent, until so many days after the day on which it was recorded. */
  readonly rolling: { readonly percent: bigint; readonly days: number } | undefined
  readonly fixed: bigint
  readonly credit: bigint
  readonly disputeFee: bigint
}

export interface MonthSale extends ModelSale {
  readonly volume: bigint
  disputed: bigint
}

/** What the bank makes of a payout is written in its last two digits of three or more. */
const ENDS = new Map([
  // Whoever hears of the return first has never heard that it was paid.
  [83n, 'failed'],
  [91n, 'failed'],
  [98n, 'returned'],
])
const DAY_MS = 86_400_000
const dayOf = (at: Date) => at.toISOString().slice(0, 10)
const least = (one: bigint, other: bigint) => (one < other ? one : other)

/** Reserves in the order in which they are used up. */
function openDrawer() {
  const kept: { left: bigint; readonly until: number; readonly isFixed: boolean }[] = []
  const sum = (some: readonly { readonly left: bigint }[]) =>
    some.reduce((total, { left }) => total + left, 0n)
  return {
    total: () => sum(kept),
    fixed: () => sum(kept.filter(({ isFixed }) => isFixed)),
    put(amount: bigint, until: number) {
      kept.push({ left: amount, until, isFixed: until === 0 })
      kept.sort((one, other) => one.until - other.until)
    },
    take(amount: bigint) {
      let missing = amount
      for (const one of kept) {
        const part = least(one.left, missing)
        one.left -= part
        missing -= part
      }
    },
    /** Those whose day has come. */
    ripe(at: Date): bigint {
      const due = kept.filter(({ isFixed, until }) => !isFixed && until <= at.getTime())
      const amount = sum(due)
      for (const one of due) one.left = 0n
      return amount
    },
  }
}

export interface MadeBatch {
  readonly state: string
  readonly net: bigint
  readonly carriedIn: bigint
  readonly payout: bigint
  readonly carriedOut: bigint
  readonly byCode: Readonly<Record<string, bigint>>
}

export type ModelShop = ReturnType<typeof openModelShop>

/** @param end nothing is due after it. */
export function openModelShop(rules: ModelRules, end: Date) {
  const { settlement } = rules
  return {
    purse: { balance: 0n, reserve: 0n, credit: rules.credit },
    ...{ rules, account: openModelAccount(), drawer: openDrawer() },
    cutOffs: [...modelCutOffs([settlement], settlement.validFrom, end)],
    /** What was paid on each day of the shop's clock, and of the books' what is not looked at. */
    ...{ byDay: new Map<string, bigint>(), unseen: new Map<string, bigint>() },
    batches: [] as MadeBatch[],
    /** Since the last batch. */
    lines: 0,
  }
}

/** Everything that moves the account goes through here, but for payouts. */
function add(shop: ModelShop, code: string, change: bigint): void {
  shop.purse.reserve = shop.drawer.total()
  if (change === 0n) return
  shop.account.add(code, change)
  shop.purse.balance += change
  shop.lines += 1
}

function draw(shop: ModelShop, amount: bigint): void {
  shop.drawer.take(amount)
  add(shop, 'reserve_released', amount)
}

const addTo = (sums: Map<string, bigint>, day: string, amount: bigint) =>
  void sums.set(day, (sums.get(day) ?? 0n) + amount)

/** @param recorded when the books took it; `at` is when the shop's clock says it was. */
export function modelPay(shop: ModelShop, paid: bigint, at: Date, recorded: Date): MonthSale {
  const version = shop.rules.versions.findLast(({ from }) => from <= at)
  if (version === undefined) throw new Error('nothing is in force')
  const { fees, policy } = version
  const day = dayOf(at)
  let volume = 0n
  for (const [other, sum] of shop.byDay) if (other < day) volume += sum
  const facts = { amount: paid, volume, rail: 'wallet', country: null, category: null }
  const price = modelPrice(fees, { ...facts, at: at.toISOString() })
  if (price === undefined) throw new Error('nothing is left')
  const { fee, tax } = price
  addTo(shop.byDay, day, paid)
  addTo(shop.unseen, dayOf(recorded), paid)
  add(shop, 'payment', paid)
  add(shop, 'fee', -fee)
  add(shop, 'tax', -tax)
  const fixed = fees.components
    .map((one) => (one.kind === 'fixed' ? BigInt(one.amount) : 0n))
    .reduce((sum, amount) => sum + amount, 0n)
  return { paid, fee, tax, fixed, policy, refunded: 0n, volume, disputed: 0n }
}

/** What comes of a refund, or why it is refused. */
export function modelGiveBack(shop: ModelShop, sale: MonthSale, amount: bigint) {
  const done = modelRefund({ ...shop.purse }, sale, amount)
  if (typeof done === 'string') return done
  add(shop, 'fee_returned', done.fee + done.tax)
  draw(shop, done.reserve)
  add(shop, 'refund', -amount)
  return done
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

export const modelRelease = (shop: ModelShop, at: Date): void =>
  add(shop, 'reserve_released', shop.drawer.ripe(at))

/** Keeps of what was paid since it was last looked at, day by day. @returns how much. */
export function modelKeep(shop: ModelShop): bigint {
  const { rules, drawer, unseen, purse } = shop
  const before = drawer.total()
  const put = (wanted: bigint, until: number) => {
    const amount = least(wanted, purse.balance)
    if (amount <= 0n) return
    drawer.put(amount, until)
    add(shop, 'reserve', -amount)
  }
  for (const [day, paid] of [...unseen].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
    const { percent = 0n, days = 0 } = rules.rolling ?? {}
    put(nearest(paid * percent, 100n), Date.parse(day) + (days + 1) * DAY_MS)
    put(least(rules.fixed - drawer.fixed(), paid), 0)
  }
  unseen.clear()
  return drawer.total() - before
}

export const isDue = ({ cutOffs }: ModelShop, now: Date): boolean =>
  cutOffs.some(({ dueAt }) => dueAt <= now)

/** The batch of a run, if there is one, and what the bank makes of it. */
export function modelSettle(shop: ModelShop, now: Date): MadeBatch | undefined {
  const { account, cutOffs } = shop
  const last = cutOffs.findLastIndex(({ dueAt }) => dueAt <= now)
  if (last < 0) return undefined
  cutOffs.splice(0, last + 1)
  const next = account.next(0n, shop.rules.minimum)
  if (next.payout === 0n && shop.lines === 0) return undefined
  account.made(next)
  shop.purse.balance -= next.payout
  const ended = next.payout < 100n ? undefined : ENDS.get(next.payout % 100n)
  const batch = { ...next, state: next.payout === 0n ? 'carried' : (ended ?? 'settled') }
  shop.batches.push(batch)
  shop.lines = 0
  if (batch.state === 'failed') add(shop, 'payout_rejected', next.payout)
  if (batch.state === 'returned') add(shop, 'return', next.payout)
  return batch
}
