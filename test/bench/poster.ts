/** One of several processes that post to the same books, each with a group of its own. */
import { accountsOf } from './books.ts'
import { openOurs } from './contenders.ts'
import { drive } from './load.ts'
import { type Load, LOADS } from './sides.ts'

export interface PosterPlan {
  readonly name: string
  /** The owner's. */
  readonly url: string
  readonly apiUrl: string
  /** No two draw the same accounts in the same order. */
  readonly seed: number
}

/** Callers for so long; or without a load, the end. */
export interface PosterOrder {
  readonly load?: Load
  readonly seconds: number
}

export interface PosterReport {
  readonly per_s: number
  readonly answered: number
}

async function run({ name, url, apiUrl, seed }: PosterPlan): Promise<void> {
  const contender = openOurs({ name, url, urlOf: () => apiUrl })
  const accounts = await accountsOf(url)
  const pairs = { spread: LOADS.spread(accounts, seed), hot: LOADS.hot(accounts, seed) }

  async function obey({ load, seconds }: PosterOrder): Promise<void> {
    if (load === undefined) {
      await contender.close()
      process.exit(0)
    }
    const { per_s, answered } = await drive(contender.callers, seconds, (caller) =>
      contender.transfer(caller, ...pairs[load]()),
    )
    process.send?.({ per_s, answered } satisfies PosterReport)
  }

  process.on('message', (order: PosterOrder) => void obey(order))
  process.send?.('ready')
}

// Nobody is waiting any more.
process.once('disconnect', () => process.exit(0))
process.once('message', (plan: PosterPlan) => void run(plan))
