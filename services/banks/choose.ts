/** Looks up how the banks are, and chooses one for an instruction. */
import type { Direction } from '../../adapters/adapter.ts'
import { findAccounts, type Money } from '../../ledger/index.ts'
import type { BankAccount } from '../banking/bank_accounts.ts'
import { bankOwner } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import type { RegisteredBank } from './registry.ts'
import { type BankNow, type Considered, route, type Route } from './routing.ts'

/** The bank that an instruction goes through, and over which of its rails. */
export interface Way {
  readonly bank: string
  readonly rail: string
}

/** When it is asked again where it is only a matter of time. */
const ASK_AGAIN_S = 60

/**
 * The bank and the rail by which money moves from or to an account.
 * @throws {ServiceError} `currency_not_supported`, `name_mismatch`, `no_route` where no bank can do
 *   it; `bank_closed` where one could, at another time.
 */
export async function chooseBank(
  context: Context,
  account: BankAccount,
  direction: Direction,
  money: Money,
): Promise<Way> {
  const { chosen, isPassing, considered } = await routeOf(context, account, direction, money)
  if (chosen !== undefined) return chosen
  if (isPassing) throw new ServiceError('bank_closed', { retryAfter_s: ASK_AGAIN_S })
  throw new ServiceError(whyNot(considered))
}

/** The obstacle that is left when the others are out of the way says most. */
function whyNot(considered: readonly Considered[]) {
  const isAbout = (verdict: Considered['verdict']) =>
    considered.some((one) => one.verdict === verdict)
  if (isAbout('owner_not_checked')) return 'name_mismatch'
  if (isAbout('amount') || isAbout('not_reached')) return 'no_route'
  return isAbout('currency') ? 'currency_not_supported' : 'no_route'
}

export async function routeOf(
  context: Context,
  account: BankAccount,
  direction: Direction,
  money: Money,
): Promise<Route> {
  const at = context.now()
  const { bank, country, nameCheck } = account
  const [banks, isPaid] = await Promise.all([
    banksNow(context, money.currency),
    direction === 'debit' || wasPaid(context, account),
  ])
  const facts = { bank, country, nameCheck, isPaid }
  return route({ direction, money, account: facts, at }, banks)
}

async function wasPaid({ db }: Context, { id }: BankAccount): Promise<boolean> {
  const where = { bank_account_id: id, direction: 'credit', state: 'settled' }
  return (await db('instructions').where(where).first('id')) !== undefined
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
