/**
 * The books, thought through a second time and in another way: nothing but a list of what was
 * accepted, and a list of what accounts were ordered to refuse. Every balance, entry number and
 * rest of a hold is worked out from the whole list whenever it is needed. Slow, and plain enough to
 * be believed; it shares no code with ledger/. Times are milliseconds.
 */
import { GROWS_BY_DEBIT, MAY_BE_CREDITED_FROM, sharesOf } from './chart.ts'
import type {
  ModelAccount,
  ModelOrder,
  ModelRow,
  ModelTransfer,
  ModelUnit,
  Movement,
  Said,
} from './words.ts'

type Rows = readonly ModelRow[]
type Orders = readonly (ModelOrder & { readonly account: string })[]
type Accounts = ReadonlyMap<string, ModelAccount>

const LARGEST = 9_223_372_036_854_775_807n
const ROWS_MAX = 256

const sum = (rows: readonly Movement[]) => rows.reduce((all, { amount }) => all + amount, 0n)
const hasMoved = ({ kind }: Movement) => ['single', 'post', 'reversal'].includes(kind)
const touches = (row: Movement, account: string) => row.debit === account || row.credit === account

/** What was posted on one side of an account, and what is still pending there. */
const postedOn = (rows: readonly Movement[], side: 'debit' | 'credit', account: string) =>
  sum(rows.filter((row) => hasMoved(row) && row[side] === account))

function pendingOn(rows: readonly Movement[], side: 'debit' | 'credit', account: string) {
  const here = rows.filter((row) => row[side] === account)
  const reserved = here.filter(({ kind }) => kind === 'pending')
  const resolved = here.filter(({ pendingId }) => pendingId !== null)
  return sum(reserved) - sum(resolved)
}

function balanceIn(accounts: Accounts, rows: readonly Movement[], account: string): bigint {
  const more = postedOn(rows, 'credit', account) - postedOn(rows, 'debit', account)
  return GROWS_BY_DEBIT.includes(accounts.get(account)?.type ?? '') ? -more : more
}

function availableIn(accounts: Accounts, rows: readonly Movement[], account: string): bigint {
  const growsByDebit = GROWS_BY_DEBIT.includes(accounts.get(account)?.type ?? '')
  const reserved = pendingOn(rows, growsByDebit ? 'credit' : 'debit', account)
  return balanceIn(accounts, rows, account) - reserved
}

const leftOf = (rows: Rows, leg: ModelRow) =>
  leg.amount - sum(rows.filter(({ pendingId }) => pendingId === leg.id))

const alone = { pendingId: null, reversesId: null, expiresAt: null }

/** What a wish comes to, or why it comes to nothing: `earlier` units may be referred to. */
function movementsOf(
  wish: ModelTransfer,
  at: number,
  earlier: Rows,
  soFar: Rows,
): readonly Movement[] | string {
  if ('original' in wish) {
    const original = earlier.filter(({ unit }) => unit === wish.original)
    if (original.length === 0) return 'original_not_found'
    const moved = original.filter(({ kind }) => kind === 'single' || kind === 'post')
    if (moved.length === 0) return 'not_reversible'
    const isDone = soFar.some(({ reversesId }) => moved.some(({ id }) => id === reversesId))
    if (isDone) return 'already_reversed'
    return [...moved].reverse().map(({ id, debit, credit, amount, currency }) => ({
      ...{ ...alone, kind: 'reversal', debit: credit, credit: debit, amount, currency },
      reversesId: id,
    }))
  }
  if ('hold' in wish) return resolutionsOf(wish, at, earlier, soFar)
  const { kind, debit, credit, amount, currency } = wish
  const expiresAt = kind === 'pending' ? wish.expiresAt : null
  return [{ ...alone, kind, debit, credit, amount, currency, expiresAt }]
}

function resolutionsOf(
  wish: Extract<ModelTransfer, { hold: string }>,
  at: number,
  earlier: Rows,
  soFar: Rows,
): readonly Movement[] | string {
  const legs = earlier.filter(({ unit, kind }) => unit === wish.hold && kind === 'pending')
  const rests = legs.map((leg) => leftOf(soFar, leg))
  const rest = rests.reduce((all, one) => all + one, 0n)
  if (legs.length === 0) return 'hold_not_found'
  if (rest === 0n) return 'hold_resolved'
  const isPost = wish.kind === 'post'
  if (isPost && legs.some((leg) => leg.expiresAt !== null && at >= leg.expiresAt)) {
    return 'hold_expired'
  }
  const asked = isPost ? wish.amount : 0n
  if (isPost && asked !== null) {
    if (legs.some(({ currency }) => currency !== legs[0]?.currency)) {
      return 'hold_in_several_currencies'
    }
    if (asked < 1n) return 'amount_not_positive'
    if (asked > rest) return 'amount_exceeds_hold'
  }
  const used = asked === null ? rests : sharesOf(asked, rests)
  const goes = wish.kind === 'void' || wish.isFinal
  return legs
    .flatMap((leg, n): Movement[] => {
      const { id: pendingId, debit, credit, currency } = leg
      const mine = { ...alone, debit, credit, currency, pendingId }
      const [post, left] = [used[n] ?? 0n, (rests[n] ?? 0n) - (used[n] ?? 0n)]
      return [
        { ...mine, kind: 'post', amount: post },
        { ...mine, kind: 'void', amount: goes ? left : 0n },
      ]
    })
    .filter(({ amount }) => amount > 0n)
}

/** Why an account named by the movement cannot take part; asked in this order. */
function faultOf(accounts: Accounts, orders: Orders, one: Movement): string | undefined {
  const [debit, credit] = [accounts.get(one.debit), accounts.get(one.credit)]
  if (debit === undefined) return 'debit_account_not_found'
  if (credit === undefined) return 'credit_account_not_found'
  if (one.debit === one.credit) return 'same_account'
  if (debit.currency !== one.currency || credit.currency !== one.currency) {
    return 'currency_mismatch'
  }
  if (one.amount < 1n) return 'amount_not_positive'
  const [from, to] = one.reversesId === null ? [debit, credit] : [credit, debit]
  if (MAY_BE_CREDITED_FROM[to.type]?.includes(from.type) !== true) return 'posting_not_allowed'
  const isClosed = orders.some((order) => order.kind === 'close' && touches(one, order.account))
  if (isClosed) return 'account_closed'
  const frozen = (account: string) =>
    orders.findLast((order) => order.kind === 'freeze' && order.account === account)
  const [debits, credits] = [frozen(one.debit), frozen(one.credit)]
  const isFrozen =
    (debits?.kind === 'freeze' && debits.debits) || (credits?.kind === 'freeze' && credits.credits)
  return isFrozen && one.pendingId === null ? 'account_frozen' : undefined
}

/** Why the movement cannot come after what is there; asked last. */
function shortageOf(accounts: Accounts, before: Rows, one: Movement): string | undefined {
  const after = [...before, one]
  const isHuge = (side: 'debit' | 'credit') =>
    postedOn(after, side, one[side]) + pendingOn(after, side, one[side]) > LARGEST
  if (isHuge('debit') || isHuge('credit')) return 'total_too_large'
  const isShort = [one.debit, one.credit].some((account) => {
    const floor = accounts.get(account)?.floor ?? null
    const left = availableIn(accounts, after, account)
    return floor !== null && left < floor && left < availableIn(accounts, before, account)
  })
  return isShort ? 'insufficient_funds' : undefined
}

/** One millisecond after the last closed period of either side, for what happened within it. */
function bookedAt(orders: Orders, one: Movement, happened: number): number | null {
  const ends = orders.map((order) =>
    order.kind === 'close_period' && touches(one, order.account) ? order.through : -Infinity,
  )
  const end = Math.max(-Infinity, ...ends)
  return happened > end ? null : end + 1
}

function rowOf(accounts: Accounts, orders: Orders, before: Rows, unit: ModelUnit, said: Said) {
  const nth = before.filter((row) => row.unit === unit.id).length
  const { code, reference, effectiveAt } = said
  return (one: Movement): ModelRow => {
    const after = [...before, one]
    const entryOf = (account: string) => BigInt(after.filter((row) => touches(row, account)).length)
    const sameHold = before.filter(({ pendingId }) => pendingId === one.pendingId)
    return {
      ...{ ...one, code, reference, effectiveAt, unit: unit.id },
      id: unit.id.slice(0, -2) + (nth < 16 ? '0' : '') + nth.toString(16),
      resolution: one.pendingId === null ? null : BigInt(sameHold.length + 1),
      bookedAt: bookedAt(orders, one, effectiveAt ?? unit.at),
      evidence: nth === 0 ? unit.evidence : null,
      debitEntry: entryOf(one.debit),
      creditEntry: entryOf(one.credit),
      debitBalance: balanceIn(accounts, after, one.debit),
      creditBalance: balanceIn(accounts, after, one.credit),
    }
  }
}

/** What the unit adds to the list, or the code with which it is refused. */
function judge(accounts: Accounts, orders: Orders, rows: Rows, unit: ModelUnit): Rows | string {
  const isMet = unit.conditions.every(
    ({ account, availableAtLeast, lastEntry }) =>
      accounts.has(account) &&
      availableIn(accounts, rows, account) >= (availableAtLeast ?? -Infinity) &&
      (lastEntry === null ||
        rows.filter((row) => touches(row, account)).length === Number(lastEntry)),
  )
  if (!isMet) return 'condition_failed'
  let soFar = rows
  for (const wish of unit.transfers) {
    const wanted = movementsOf(wish, unit.at, rows, soFar)
    if (typeof wanted === 'string') return wanted
    for (const one of wanted) {
      if (soFar.length - rows.length === ROWS_MAX) return 'unit_too_large'
      const fault = faultOf(accounts, orders, one)
      if (fault !== undefined) return fault
      if (wish.effectiveAt !== null && wish.effectiveAt > unit.at) return 'effective_in_future'
      const shortage = shortageOf(accounts, soFar, one)
      if (shortage !== undefined) return shortage
      soFar = [...soFar, rowOf(accounts, orders, soFar, unit, wish)(one)]
    }
  }
  return soFar.slice(rows.length)
}

export type Model = ReturnType<typeof openModel>

export function openModel(accounts: Accounts) {
  let rows: Rows = []
  let orders: Orders = []

  return {
    /** Its rows when it is accepted, else the code of the refusal. */
    submit(unit: ModelUnit): Rows | string {
      const verdict = judge(accounts, orders, rows, unit)
      if (typeof verdict !== 'string') rows = [...rows, ...verdict]
      return verdict
    },
    order: (account: string, order: ModelOrder) =>
      void (orders = [...orders, { ...order, account }]),
    rows: () => rows,
    totals: (account: string) => ({
      debitsPosted: postedOn(rows, 'debit', account),
      creditsPosted: postedOn(rows, 'credit', account),
      debitsPending: pendingOn(rows, 'debit', account),
      creditsPending: pendingOn(rows, 'credit', account),
      lastEntry: BigInt(rows.filter((row) => touches(row, account)).length),
    }),
    /** The end of the account's last closed period, 0 when there is none. */
    closedThrough: (account: string) =>
      Math.max(
        0,
        ...orders.map((one) =>
          one.kind === 'close_period' && one.account === account ? one.through : 0,
        ),
      ),
    /** What the account came to by a moment, by when things count. */
    bookedBy: (account: string, through: number) =>
      balanceIn(
        accounts,
        rows.filter((row) => (row.bookedAt ?? row.effectiveAt ?? Infinity) <= through),
        account,
      ),
  }
}
