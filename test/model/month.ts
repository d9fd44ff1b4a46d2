/**
 * A merchant's month with a purse, a drawer of reserves and a wall calendar: what is kept, and
 * which batches are made. Shares nothing with the product.
 */
import type { ModelTerms as ModelFees } from './fees.ts'
import { type ModelSale, nearest } from './refunds.ts'
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

/** What the bank makes of a payout is written in its last two digits of three or more. */
const ENDS = new Map([
  // Whoever hears of the return first has never heard that it was paid.
  [83n, 'failed'],
  [91n, 'failed'],
  [98n, 'returned'],
  // The bank tells of another amount: a person has to say what is so.
  [97n, 'processing'],
])
const DAY_MS = 86_400_000
export const dayOf = (at: Date) => at.toISOString().slice(0, 10)
export const least = (one: bigint, other: bigint) => (one < other ? one : other)

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
  readonly cutOff: Date
  readonly net: bigint
  readonly carriedIn: bigint
  readonly payout: bigint
  readonly carriedOut: bigint
  readonly byCode: Readonly<Record<string, bigint>>
}

export type ModelShop = ReturnType<typeof openModelShop>

/**
 * @param end nothing is due after it.
 * @param books whose clock says when things are written down.
 */
export function openModelShop(rules: ModelRules, end: Date, books: { readonly now: Date }) {
  const { settlement } = rules
  return {
    purse: { balance: 0n, reserve: 0n, credit: rules.credit },
    ...{ rules, books, account: openModelAccount(), drawer: openDrawer() },
    cutOffs: [...modelCutOffs([settlement], settlement.validFrom, end)],
    /** What was paid on each day, and what of it was not looked at yet. */
    ...{ byDay: new Map<string, bigint>(), unseen: new Map<string, bigint>() },
    batches: [] as MadeBatch[],
  }
}

/** Everything that moves the account goes through here, but for payouts. */
export function add(shop: ModelShop, code: string, change: bigint): void {
  shop.purse.reserve = shop.drawer.total()
  if (change === 0n) return
  shop.account.add(code, change, true, shop.books.now)
  shop.purse.balance += change
}

export function draw(shop: ModelShop, amount: bigint): void {
  shop.drawer.take(amount)
  add(shop, 'reserve_released', amount)
}

export const addTo = (sums: Map<string, bigint>, day: string, amount: bigint) =>
  void sums.set(day, (sums.get(day) ?? 0n) + amount)

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

/** What the next run would pay out, if it came now. */
export function modelPayout({ account, cutOffs, rules }: ModelShop, now: Date): bigint {
  const due = cutOffs.filter(({ dueAt }) => dueAt <= now)
  return account.next(0n, rules.minimum, due[0]?.cutOff).payout
}

/** The batches of a run, and what the bank makes of each: it speaks once all are made. */
export function modelSettle(shop: ModelShop, now: Date): MadeBatch[] {
  const { account, cutOffs } = shop
  const last = cutOffs.findLastIndex(({ dueAt }) => dueAt <= now)
  const made: MadeBatch[] = []
  for (const { cutOff } of cutOffs.splice(0, last + 1)) {
    const next = account.next(0n, shop.rules.minimum, cutOff)
    if (next.payout === 0n && Object.keys(next.byCode).length === 0) continue
    account.made(next, cutOff)
    shop.purse.balance -= next.payout
    const ended = next.payout < 100n ? undefined : ENDS.get(next.payout % 100n)
    const state = next.payout === 0n ? 'carried' : (ended ?? 'settled')
    made.push({ ...next, state, cutOff })
  }
  shop.batches.push(...made)
  for (const { state, payout } of made) {
    if (state === 'failed') add(shop, 'payout_rejected', payout)
    if (state === 'returned') add(shop, 'return', payout)
  }
  return made
}
