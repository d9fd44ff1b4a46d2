/**
 * Which bank an instruction goes through, and over which of its rails. Pure. It is decided when the
 * instruction is made, before any bank hears of it, and never again: the reference is known to one
 * bank only.
 *
 * A rail that can do it and is open wins by its priority, then by the names; so the same question
 * has the same answer everywhere, and every rail that lost says in a sentence why.
 */
import type { Direction } from '../../adapters/adapter.ts'
import { formatMoney, type Money } from '../../ledger/index.ts'
import { type KnownOwner, ownerObstacle, type OwnerObstacle } from './owners.ts'
import type { Hours, Period, Rail, RegisteredBank } from './registry.ts'

export interface RouteRequest {
  readonly direction: Direction
  readonly money: Money
  readonly account: KnownOwner & {
    /** At which bank of ours it was linked. */
    readonly bank: string
    /** Of the account, where its number tells; ISO 3166. */
    readonly country: string | null
  }
  readonly at: Date
}

/** How a bank is at the moment. */
export interface BankNow {
  readonly bank: RegisteredBank
  /** What operators have closed, of all rails or one. */
  readonly outages: readonly (Period & { readonly rail: string | null })[]
  /** Whether it has failed too often of late. */
  readonly isFailing: boolean
  /** Minor units on their way out, their outcome not known. */
  readonly exposure: bigint
}

/** Why a rail cannot be taken. */
export type Obstacle =
  | 'not_valid'
  | 'direction'
  | 'currency'
  | 'not_reached'
  | 'amount'
  | OwnerObstacle
  | 'closed'
  | 'maintenance'
  | 'outage'
  | 'failing'
  | 'exposure'

/** Obstacles that pass by themselves, or when an operator says so. */
const PASSING: readonly Obstacle[] = ['closed', 'maintenance', 'outage', 'failing', 'exposure']

export interface Considered {
  readonly bank: string
  readonly rail: string
  readonly verdict: 'chosen' | 'possible' | Obstacle
  readonly sentence: string
}

export interface Route {
  readonly chosen: { readonly bank: string; readonly rail: string } | undefined
  /** Whether it is only a matter of time, where nothing is chosen. */
  readonly isPassing: boolean
  readonly considered: readonly Considered[]
}

export function route(request: RouteRequest, banks: readonly BankNow[]): Route {
  const all = banks
    .flatMap((now) => now.bank.rails.map((rail) => ({ now, rail })))
    .sort((one, other) => compare(one.rail.priority, other.rail.priority) || byName(one, other))
  const judged = all.map(({ now, rail }) => ({
    now,
    rail,
    obstacle: obstacleOf(request, now, rail),
  }))
  const chosen = judged.find(({ obstacle }) => obstacle === undefined)
  const considered = judged.map((one): Considered => {
    const { now, rail, obstacle } = one
    const verdict = obstacle ?? (one === chosen ? 'chosen' : 'possible')
    const named = { bank: now.bank.name, rail: rail.rail }
    return { ...named, verdict, sentence: SENTENCES[verdict](request, now, rail) }
  })
  return {
    chosen: chosen && { bank: chosen.now.bank.name, rail: chosen.rail.rail },
    isPassing: judged.some(({ obstacle }) => obstacle !== undefined && PASSING.includes(obstacle)),
    considered,
  }
}

interface Way {
  readonly now: BankNow
  readonly rail: Rail
}

const compare = <T extends number | bigint | string>(one: T, other: T) =>
  one < other ? -1 : one > other ? 1 : 0
const byName = (one: Way, other: Way) =>
  compare(one.now.bank.name, other.now.bank.name) || compare(one.rail.rail, other.rail.rail)

type Check = (request: RouteRequest, now: BankNow, rail: Rail) => boolean

/** What must not be so, in the order in which it is said. */
const OBSTACLES: readonly (readonly [Obstacle, Check])[] = [
  ['not_valid', ({ at }, _, { validFrom, validTo }) => !isWithin(at, validFrom, validTo)],
  [
    'direction',
    ({ direction }, { bank }, rail) =>
      !rail.directions.includes(direction) || !bank.capabilities.has(direction),
  ],
  ['currency', ({ money }, _, { currencies }) => !currencies.includes(money.currency)],
  ['not_reached', ({ account }, _, { reaches }) => !isReached(account, reaches)],
  // More than may ever be on its way does not pass, however long anybody waits.
  ['amount', (request, now, rail) => !isAllowed(request.money, rail) || !mayFit(request, now)],
  ['owner_not_checked', isOwner('owner_not_checked')],
  ['owner_not_confirmed', isOwner('owner_not_confirmed')],
  ['closed', ({ at }, _, { hours }) => hours !== null && !isOpenAt(hours, at)],
  ['maintenance', ({ at }, { bank }) => bank.maintenance.some((one) => isDuring(at, one))],
  [
    'outage',
    ({ at }, { outages }, { rail }) =>
      outages.some((one) => (one.rail === null || one.rail === rail) && isDuring(at, one)),
  ],
  ['failing', (_, { isFailing }) => isFailing],
  ['exposure', (request, now) => !hasRoom(request, now)],
]

/** Whoever is debited has agreed to it with their bank. */
function isOwner(obstacle: OwnerObstacle): Check {
  return ({ direction, account }, _, { nameCheck }) =>
    direction === 'credit' && ownerObstacle(account, nameCheck) === obstacle
}

const obstacleOf = (request: RouteRequest, now: BankNow, rail: Rail): Obstacle | undefined =>
  OBSTACLES.find(([, stands]) => stands(request, now, rail))?.[0]

const isWithin = (at: Date, from: Date | null, to: Date | null) =>
  (from === null || from <= at) && (to === null || at < to)
const isDuring = (at: Date, { from, to }: Period) => from <= at && at < to

const isReached = (
  { bank, country }: RouteRequest['account'],
  { banks, countries }: Rail['reaches'],
) => banks.includes(bank) || (country !== null && countries.includes(country))

function isAllowed({ amount, currency }: Money, { amountMin, amountMax }: Rail): boolean {
  const [least = 0n, most = amount] = [amountMin[currency], amountMax[currency]]
  return least <= amount && amount <= most
}

const mayFit = (request: RouteRequest, { bank }: BankNow) =>
  hasRoom(request, { bank, exposure: 0n })

function hasRoom(
  { direction, money }: RouteRequest,
  { bank, exposure }: Pick<BankNow, 'bank' | 'exposure'>,
): boolean {
  const most = bank.exposureMax[money.currency]
  return direction === 'debit' || most === undefined || exposure + money.amount <= most
}

/**
 * Amounts that some limit still allows where all of it is too much: the largest first. What a bank
 * has room for now is among them, or a busy one would be waited for until nothing is on its way.
 */
export function lesserAmounts(
  { amount, currency }: Money,
  banks: readonly BankNow[],
): readonly bigint[] {
  const limits = banks.flatMap(({ bank: { rails, exposureMax }, exposure }) => {
    const most = exposureMax[currency]
    const room = most === undefined ? [] : [most, most - exposure]
    return [...rails.map(({ amountMax }) => amountMax[currency] ?? 0n), ...room]
  })
  const lesser = limits.filter((limit) => limit > 0n && limit < amount)
  return [...new Set(lesser)].sort((one, other) => compare(other, one))
}

/** Whether a rail is open at a moment, by the clock of its place. */
export function isOpenAt({ timeZone, days, opens, closes }: Hours, at: Date): boolean {
  const parts = new Intl.DateTimeFormat('en-GB', {
    ...{ timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  }).formatToParts(at)
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? ''
  const day = WEEKDAYS.indexOf(part('weekday')) + 1
  const time = `${part('hour')}:${part('minute')}`
  return days.includes(day) && opens <= time && time < closes
}

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

type Say = (request: RouteRequest, now: BankNow, rail: Rail) => string

const SENTENCES = {
  chosen: (_, __, { priority }) => `Open, and nothing that can do it comes before ${priority}`,
  possible: (_, __, { priority }) => `It could do it too, at priority ${priority}`,
  not_valid: ({ at }) => `Not in force at ${at.toISOString()}`,
  direction: ({ direction }) => `It makes no ${direction}`,
  currency: ({ money }) => `It does not move ${money.currency}`,
  not_reached: ({ account: { bank, country } }) =>
    `It reaches no account at ${bank}, and none in ${country ?? 'an unknown country'}`,
  amount: ({ money }) => `It does not move ${formatMoney(money)} at once`,
  owner_not_checked: ({ account }) =>
    `It wants to know more of the owner than ${account.nameCheck}`,
  owner_not_confirmed: () => 'The owner has yet to say that the name at the bank is theirs',
  closed: (_, __, { hours }) => `It is open from ${hours?.opens} to ${hours?.closes}`,
  maintenance: (_, { bank }) => `${bank.title} has said that it does not work now`,
  outage: () => 'Operators have closed it for now',
  failing: (_, { bank }) => `${bank.title} has failed too often of late`,
  exposure: () => 'As much as may be is on its way already',
} as const satisfies Record<Considered['verdict'], Say>
