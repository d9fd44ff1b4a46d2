/** The books alone: transfers per second through the group commit, against one call for each. */
import type { AccountId } from '../../ledger/index.ts'
import {
  type Accounts,
  accountsOf,
  deadlocksIn,
  faultsOf,
  fill,
  type Past,
  transfersOf,
} from './books.ts'
import { type Contender, openBaseline, openOurs } from './contenders.ts'
import { drive, median, medianOf, openDice, type Round } from './load.ts'
import type { BenchServer, Database } from './server.ts'

export interface LedgerPlan {
  readonly rounds: number
  readonly round_s: number
  readonly warmUp_s: number
}

export interface LedgerFigures extends Round {
  /** How many times the baseline: the median of the rounds, in each of which both took part. */
  readonly ratio: number
  readonly baseline_per_s: number
}

export interface Measured<T> {
  readonly figures: T
  /** What is wrong with the books; empty when nothing is. */
  readonly faults: readonly string[]
  readonly deadlocks: number
}

type Say = (line: string) => void
type Pair = () => readonly [debit: AccountId, credit: AccountId]

const SMALL: Past = { wallets: 20_000, roundsOfPayments: 0 }
const LARGE: Past = { wallets: 1_000_000, roundsOfPayments: 8 }
const SEED = 20_260_101

/** Books, the accounts in them, and one who moves money between them. */
interface Side {
  readonly database: Database
  readonly contender: Contender
  readonly accounts: Accounts
  /** Transfers that must be in the books by now. */
  transfers: number
}

export async function measureLedger(server: BenchServer, plan: LedgerPlan, say: Say) {
  say('ledger: 20,000 funded accounts, twice')
  const ours = await server.databaseOf('florin_bench_ours')
  await fill(ours.url, SMALL, say)
  const baseline = await server.databaseOf('florin_bench_baseline', ours.name)
  const a = await sideOf(ours, openOurs(ours), SMALL)
  const b = await sideOf(baseline, await openBaseline(baseline), SMALL)
  const spread = await race('ledger, spread', a, b, spreadOver, plan, say)
  const hot = await race('ledger, hot', a, b, payingTheMerchant, plan, say)
  const figures = { spread: against(spread), hot: against(hot) }
  return { figures, ...(await examined([a, b], say)) }
}

const against = ({ a, b, ratio }: Result): LedgerFigures => ({
  ...a,
  ratio,
  baseline_per_s: b.per_s,
})

/** The same load on small, new books and on large, old ones. */
export async function measureGrowth(server: BenchServer, plan: LedgerPlan, say: Say) {
  say('growth: 20,000 accounts; 1,000,000 accounts and 5,000,000 transfers')
  const small = await server.databaseOf('florin_bench_small')
  await fill(small.url, SMALL, say)
  const large = await server.databaseOf('florin_bench_large')
  await fill(large.url, LARGE, say)
  const a = await sideOf(large, openOurs(large), LARGE)
  const b = await sideOf(small, openOurs(small), SMALL)
  const grown = await race('growth', a, b, spreadOver, plan, say)
  const figures = { ratio: grown.ratio, per_s_small: grown.b.per_s, per_s_large: grown.a.per_s }
  return { figures, ...(await examined([a, b], say)) }
}

async function sideOf(database: Database, contender: Contender, past: Past): Promise<Side> {
  const accounts = await accountsOf(database.url)
  return { database, contender, accounts, transfers: transfersOf(past) }
}

interface Result {
  readonly a: Round
  readonly b: Round
  readonly ratio: number
}

/** A and B in turns, because a machine drifts: what disturbs the one soon disturbs the other. */
async function race(
  name: string,
  a: Side,
  b: Side,
  pairsOf: (accounts: Accounts) => Pair,
  { rounds, round_s, warmUp_s }: LedgerPlan,
  say: Say,
): Promise<Result> {
  const turnOf = (side: Side) => ({ side, pair: pairsOf(side.accounts), rounds: [] as Round[] })
  const turns = [turnOf(a), turnOf(b)] as const
  for (const { side, pair } of turns) await drivePairs(side, pair, warmUp_s)
  for (let round = 1; round <= rounds; round++) {
    for (const turn of turns) turn.rounds.push(await drivePairs(turn.side, turn.pair, round_s))
    const shown = turns.map((turn) => Math.round(turn.rounds.at(-1)?.per_s ?? Number.NaN))
    say(`${name}: round ${round} of ${rounds}: ${shown.join(' against ')} per second`)
  }
  const [ours, theirs] = turns.map((turn) => turn.rounds) as [Round[], Round[]]
  const ratios = ours.map(({ per_s }, round) => per_s / (theirs[round]?.per_s ?? Number.NaN))
  return { a: medianOf(ours), b: medianOf(theirs), ratio: median(ratios) }
}

async function drivePairs(side: Side, pair: Pair, seconds: number): Promise<Round> {
  const { contender } = side
  const { answered, ...round } = await drive(contender.callers, seconds, (caller) =>
    contender.transfer(caller, ...pair()),
  )
  side.transfers += answered
  return round
}

function spreadOver({ wallets }: Accounts): Pair {
  const dice = openDice(SEED)
  return () => {
    const debit = dice(wallets.length)
    const credit = (debit + 1 + dice(wallets.length - 1)) % wallets.length
    return [wallets[debit] as AccountId, wallets[credit] as AccountId]
  }
}

function payingTheMerchant({ wallets, merchant }: Accounts): Pair {
  const dice = openDice(SEED)
  return () => [wallets[dice(wallets.length)] as AccountId, merchant]
}

/** The baseline's books must be right too, or there was nothing to compare. */
async function examined(sides: readonly Side[], say: Say) {
  const faults: string[] = []
  let deadlocks = 0
  for (const { database, contender, transfers } of sides) {
    await contender.close()
    say(`auditing ${database.name}: ${transfers} transfers`)
    const found = await faultsOf(database.url, transfers)
    faults.push(...found.map((fault) => `${database.name}: ${fault}`))
    deadlocks += await deadlocksIn(database.url)
  }
  return { faults, deadlocks }
}
