/** Looks up how the banks are, and chooses one for an instruction. */
import type { Direction } from '../../adapters/adapter.ts'
import { findAccounts, type Money } from '../../ledger/index.ts'
import { type BankAccount, wasPaid } from '../banking/bank_accounts.ts'
import { bankOwner } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { OWNER_CODES } from './owners.ts'
import type { LASTING_REFUSALS } from './refusals.ts'
import type { RegisteredBank } from './registry.ts'
import { type BankNow, type Considered, lesserAmounts, route, type Route } from './routing.ts'

/** The bank that an instruction goes through, and over which of its rails. */
export interface Way {
  readonly bank: string
  readonly rail: string
  /** Whether the account's bank is asked whose it is before anything is sent. */
  readonly nameDue: boolean
}

/** When it is asked again where it is only a matter of time. */
const ASK_AGAIN_S = 60

/**
 * The bank and the rail by which money moves from or to an account.
 * @throws {ServiceError} one of `LASTING_REFUSALS` where no bank can do it; `bank_closed` where one
 *   could, at another time.
 */
export async function chooseBank(
  context: Context,
  account: BankAccount,
  direction: Direction,
  money: Money,
): Promise<Way> {
  const routed = await routeOf(context, account, direction, money)
  const { chosen, isPassing, considered, isPaid } = routed
  if (chosen !== undefined) return { ...chosen, nameDue: !isPaid && isOld(context, account) }
  if (isPassing) throw new ServiceError('bank_closed', { retryAfter_s: ASK_AGAIN_S })
  throw new ServiceError(whyNot(considered))
}

/**
 * As `chooseBank`, for as much of a payout as goes at once where all of it is too much.
 * @param least of which less is not worth it.
 */
export async function chooseForMost(
  context: Context,
  account: BankAccount,
  money: Money,
  least: bigint,
): Promise<{ readonly way: Way; readonly amount: bigint }> {
  const { facts, banks, at } = await lookUp(context, account, 'credit', money.currency)
  const tried: Route[] = []
  const lesser = lesserAmounts(money, banks).filter((amount) => amount >= least)
  for (const amount of [money.amount, ...lesser]) {
    const part = { amount, currency: money.currency }
    const routed = route({ direction: 'credit', money: part, account: facts, at }, banks)
    if (routed.chosen !== undefined) {
      const nameDue = !facts.isPaid && isOld(context, account)
      return { way: { ...routed.chosen, nameDue }, amount }
    }
    tried.push(routed)
    // Where all of it could go at another time that is worth waiting for.
    if (amount === money.amount && routed.isPassing) break
  }
  if (tried.some(({ isPassing }) => isPassing))
    throw new ServiceError('bank_closed', { retryAfter_s: ASK_AGAIN_S })
  throw new ServiceError(whyNot(tried.flatMap(({ considered }) => considered)))
}

/** An account that a bank is to credit, whose owner is in no doubt. */
export interface Destination {
  /** At which bank of ours it is, where that is known. */
  readonly bank: string | null
  readonly country: string | null
}

/**
 * The rail over which this bank credits an account, where no other bank can take its place.
 * @throws {ServiceError} `no_route`; `bank_closed` where there would be one at another time.
 */
export async function chooseRail(
  context: Context,
  bank: string,
  { bank: at, country }: Destination,
  money: Money,
): Promise<string> {
  const known = { nameCheck: 'match', isConfirmed: true, isPaid: true } as const
  const account = { ...known, bank: at ?? '', country }
  const banks = (await banksNow(context, money.currency)).filter((one) => one.bank.name === bank)
  const asked = { direction: 'credit', money, account, at: context.now() } as const
  const { chosen, isPassing } = route(asked, banks)
  if (chosen !== undefined) return chosen.rail
  if (isPassing) throw new ServiceError('bank_closed', { retryAfter_s: ASK_AGAIN_S })
  throw new ServiceError('no_route', { detail: bank })
}

/** The obstacle that is left when the others are out of the way says most. */
function whyNot(considered: readonly Considered[]): (typeof LASTING_REFUSALS.credit)[number] {
  const isAbout = (verdict: Considered['verdict']) =>
    considered.some((one) => one.verdict === verdict)
  for (const obstacle of ['owner_not_confirmed', 'owner_not_checked'] as const) {
    if (isAbout(obstacle)) return OWNER_CODES[obstacle]
  }
  if (isAbout('amount') || isAbout('not_reached')) return 'no_route'
  return isAbout('currency') ? 'currency_not_supported' : 'no_route'
}

/** Whether its bank was last asked whose it is so long ago that it is asked again. */
export const isOld = (
  { config, now }: Pick<Context, 'config' | 'now'>,
  { checkedAt }: BankAccount,
): boolean => now().getTime() - checkedAt.getTime() > config.NAME_CHECK_DAYS * DAY_MS

const DAY_MS = 86_400_000

export async function routeOf(
  context: Context,
  account: BankAccount,
  direction: Direction,
  money: Money,
): Promise<Route & { readonly isPaid: boolean }> {
  const { facts, banks, at } = await lookUp(context, account, direction, money.currency)
  return { ...route({ direction, money, account: facts, at }, banks), isPaid: facts.isPaid }
}

/** What the choice depends on, but for how much it is. */
async function lookUp(
  context: Context,
  account: BankAccount,
  direction: Direction,
  currency: string,
) {
  const at = context.now()
  const { bank, country, nameCheck } = account
  const [banks, isPaid] = await Promise.all([
    banksNow(context, currency),
    direction === 'debit' || wasPaid(context.db, account.id),
  ])
  const isConfirmed = account.confirmedAt !== null
  return { facts: { bank, country, nameCheck, isConfirmed, isPaid }, banks, at }
}

/** How each bank is at the moment. */
export async function banksNow(context: Context, currency: string): Promise<BankNow[]> {
  const { registry, now } = context
  const [outages, failing] = await Promise.all([
    context.outages.at(now()),
    context.bankHealth.at(now()),
  ])
  return Promise.all(
    [...registry.values()].map(async (bank) => ({
      bank,
      outages: outages
        .filter((one) => one.bank === bank.name)
        .map(({ rail, validFrom, validTo }) => ({ rail, from: validFrom, to: validTo ?? FOREVER })),
      isFailing: failing.some((one) => one.bank === bank.name),
      exposure: await exposureOf(context, bank, currency),
    })),
  )
}

const FOREVER = new Date(8.64e15)

/** What is on its way out; asked only where there is a limit to it. */
async function exposureOf(context: Context, bank: RegisteredBank, currency: string) {
  if (bank.exposureMax[currency] === undefined) return 0n
  const owner = bankOwner(bank.name)
  const accounts = await findAccounts(context.db, { owner, type: 'transit' })
  return accounts.find((one) => one.currency === currency)?.posted ?? 0n
}
