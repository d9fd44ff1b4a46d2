/** Books, the accounts in them, one who moves money between them, and the loads put on that. */
import type { AccountId } from '../../ledger/index.ts'
import { type Accounts, accountsOf, type Examined, examine, together } from './books.ts'
import type { Contender } from './contenders.ts'
import { between, type Meter, type Metered } from './counters.ts'
import { type Past, transfersOf } from './fill.ts'
import { drive, openDice, type Round } from './load.ts'
import type { Runner, Say } from './rounds.ts'
import type { Database } from './server.ts'

export type Pair = () => readonly [debit: AccountId, credit: AccountId]

export interface Side {
  readonly name: string
  readonly database: Database
  readonly contender: Contender
  readonly accounts: Accounts
  /** Transfers that must be in the books by now. */
  transfers: number
}

export async function sideOf(
  name: string,
  database: Database,
  contender: Contender,
  past: Past,
): Promise<Side> {
  const accounts = await accountsOf(database.url)
  return { name, database, contender, accounts, transfers: transfersOf(past) }
}

export type MeteredRound = Round & Metered

/** Rounds of callers who each ask again as soon as they are answered, and what they cost. */
export function runnerOf(
  { read }: Meter,
  side: Side,
  pairsOf: (accounts: Accounts) => Pair,
): Runner<MeteredRound> {
  const pair = pairsOf(side.accounts)
  const { callers, transfer, transfersPerCall } = side.contender
  return {
    name: side.name,
    async run(seconds) {
      const before = await read()
      const round = await drive(callers, seconds, (caller) => transfer(caller, ...pair()))
      side.transfers += round.answered * transfersPerCall
      return { ...round, usage: between(before, await read()) }
    },
  }
}

/** Ours and theirs must be right, or there was nothing to compare. */
export async function examineSides(sides: readonly Side[], say: Say): Promise<Examined> {
  const found: Examined[] = []
  for (const { database, contender, transfers } of sides) {
    await contender.close()
    found.push(await examine(database, transfers, say))
  }
  return together(found)
}

const SEED = 20_260_101

/** Anybody pays anybody. */
export function spread({ wallets }: Accounts, seed = SEED): Pair {
  const dice = openDice(seed)
  return () => {
    const debit = dice(wallets.length)
    const credit = (debit + 1 + dice(wallets.length - 1)) % wallets.length
    return [wallets[debit] as AccountId, wallets[credit] as AccountId]
  }
}

/** Everybody pays the merchant. */
function hot({ wallets, merchant }: Accounts, seed = SEED): Pair {
  const dice = openDice(seed)
  return () => [wallets[dice(wallets.length)] as AccountId, merchant]
}

export const LOADS = { spread, hot } as const
export type Load = keyof typeof LOADS
