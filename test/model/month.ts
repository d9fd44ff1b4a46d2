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

/** In whole hundreds: what the bank makes of a payout is written in its last digits. */
const ENDS = new Map([
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

export type ModelShop = ReturnType<typeof openModelShop>

export interface MadeBatch {
  readonly state: string
  readonly net: bigint
  readonly carriedIn: bigint
  readonly payout: bigint
  readonly carriedOut: bigint
  readonly byCode: Readonly<Record<string, bigint>>
}

/** @param end nothing is due after it. */
export function openModelShop(rules: ModelRules, end: Date) {
  const account = openModelAccount()
  const drawer = openDrawer()
  const { settlement } = rules
  const cutOffs = [...modelCutOffs([settlement], settlement.validFrom, end)]
  const purse = { balance: 0n, reserve: 0n, credit: rules.credit }
  const byDay = new Map<string, bigint>()
  const unseen = new Map<string, bigint>()
  const batches: MadeBatch[] = []
  let [lines, balance] = [0, 0n]

  const add = (code: string, change: bigint) => {
    if (change === 0n) return
    account.add(code, change)
    balance += change
    lines += 1
  }
  const follow = () => {
    purse.balance = balance
    purse.reserve = drawer.total()
  }
  const draw = (amount: bigint) => {
    drawer.take(amount)
    add('reserve_released', amount)
  }
  const addTo = (sums: Map<string, bigint>, day: string, amount: bigint) =>
    void sums.set(day, (sums.get(day) ?? 0n) + amount)

  return {
    purse,
    batches,
    balance: () => balance,
    reserve: drawer.total,
    /** @param recorded when the books took it; `at` is when the shop's clock says it was. */
    pay(paid: bigint, at: Date, recorded: Date): MonthSale {
      const version = rules.versions.findLast(({ from }) => from <= at)
      if (version === undefined) throw new Error('nothing is in force')
      const day = dayOf(at)
      let volume = 0n
      for (const [other, sum] of byDay) if (other < day) volume += sum
      const price = modelPrice(version.fees, {
        ...{ amount: paid, volume, rail: 'wallet', country: null, category: null },
        at: at.toISOString(),
      })
      if (price === undefined) throw new Error('nothing is left')
      addTo(byDay, day, paid)
      addTo(unseen, dayOf(recorded), paid)
      add('payment', paid)
      add('fee', -price.fee)
      add('tax', -price.tax)
      follow()
      const { fee, tax } = price
      const { policy } = version
      const fixed = version.fees.components
        .map((one) => (one.kind === 'fixed' ? BigInt(one.amount) : 0n))
        .reduce((sum, amount) => sum + amount, 0n)
      return { paid, fee, tax, fixed, policy, refunded: 0n, volume, disputed: 0n }
    },
    refund(sale: MonthSale, amount: bigint) {
      const done = modelRefund(purse, sale, amount)
      if (typeof done === 'string') return done
      add('fee_returned', done.fee + done.tax)
      draw(done.reserve)
      add('refund', -amount)
      follow()
      return done
    },
    /** @returns whether there was enough. */
    dispute(sale: MonthSale, amount: bigint): boolean {
      const need = amount + rules.disputeFee
      const own = least(need, purse.balance > 0n ? purse.balance : 0n)
      const kept = least(need - own, purse.reserve)
      const owed = need - own - kept
      if (owed > 0n && purse.balance - own - owed < -rules.credit) return false
      draw(kept)
      add('dispute', -amount)
      add('dispute_fee', -rules.disputeFee)
      sale.disputed += amount
      follow()
      return true
    },
    win(sale: MonthSale, amount: bigint) {
      sale.disputed -= amount
      add('chargeback_reversed', amount)
      follow()
    },
    release(at: Date) {
      add('reserve_released', drawer.ripe(at))
      follow()
    },
    /** Keeps of what was paid since it was last looked at, day by day. */
    keep() {
      let left = balance
      const put = (wanted: bigint, until: number) => {
        const amount = least(wanted, left)
        if (amount <= 0n) return
        drawer.put(amount, until)
        add('reserve', -amount)
        left -= amount
      }
      for (const [day, paid] of [...unseen].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
        const { rolling, fixed } = rules
        const days = rolling?.days ?? 0
        const share = nearest(paid * (rolling?.percent ?? 0n), 100n)
        put(share, Date.parse(day) + (days + 1) * DAY_MS)
        put(least(fixed - drawer.fixed(), paid), 0)
      }
      unseen.clear()
      follow()
    },
    isDue: (now: Date) => cutOffs.some(({ dueAt }) => dueAt <= now),
    /** The batch of a run, if there is one. */
    settle(now: Date): MadeBatch | undefined {
      const last = cutOffs.findLastIndex(({ dueAt }) => dueAt <= now)
      if (last < 0) return undefined
      cutOffs.splice(0, last + 1)
      const next = account.next(0n, rules.minimum)
      if (next.payout === 0n && lines === 0) return undefined
      account.made(next)
      balance -= next.payout
      const ended = ENDS.get(next.payout % 100n) ?? 'settled'
      const batch = { ...next, state: next.payout === 0n ? 'carried' : ended }
      batches.push(batch)
      lines = 0
      if (batch.state === 'failed') add('payout_rejected', next.payout)
      if (batch.state === 'returned') add('return', next.payout)
      follow()
      return batch
    },
  }
}
