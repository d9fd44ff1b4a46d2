/**
 * Banks that misbehave and workers that die: people top up, pay and withdraw while every fifth
 * answer of a bank goes wrong and a worker is killed every few seconds. In the end, when all is
 * quiet, the banks' own logs, our instructions and our books must agree to the cent.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { connect } from '../../ledger/index.ts'
import { openAsking } from './asking.ts'
import { randomOf } from '../support/random.ts'
import { arrive, live } from './customers.ts'
import { decideByBankLog } from './desk.ts'
import { doHarm, forgetJobs, processesOf } from './harm.ts'
import { openJournal } from './journal.ts'
import { type Figures, judge } from './judge.ts'
import { openTown } from './town.ts'
import { openWatch } from './watch.ts'

export interface Plan {
  readonly seed: number
  /** How long things go wrong. */
  readonly chaos_s: number
  readonly people: number
  readonly killEvery_s: number
  /** The share of a bank's answers that go wrong. */
  readonly faults: number
  readonly hasRedis: boolean
  readonly say: (line: string) => void
}

/** How long after the chaos everything may take to become final: the longest backoff, twice. */
const DRAIN_MAX_S = 300

export async function tortureBanks(plan: Plan): Promise<Figures> {
  const { seed, people, faults, hasRedis, say } = plan
  say(`banks: ${people} people, ${faults * 100} % faults, a kill every ${plan.killEvery_s} s`)
  const town = await openTown({ seed, faults, hasRedis, isRough: true })
  say(`clock: ${town.apis.some(({ clock }) => clock) ? 'jumps, by libfaketime' : 'not installed'}`)
  say(`doorbell: ${hasRedis ? 'Redis' : 'Postgres'}`)
  const db = connect({ url: town.url, connectionsMax: 4, applicationName: 'torture' })
  const journalFile = join(town.folder, 'client.jsonl')
  const journal = await openJournal(journalFile)
  const watch = openWatch(db, say)
  try {
    const asking = openAsking(town, journal, randomOf(seed - 1))
    const { ask } = asking
    const random = randomOf(seed)
    const customers = await Promise.all(
      Array.from({ length: people }, (_, index) => arrive(ask, index)),
    )
    const until = performance.now() + plan.chaos_s * 1000
    const isOver = () => performance.now() > until
    const longest_s = Math.min(STILL_MAX_S, plan.chaos_s / 4)
    const harm = { random, isOver, say, every_s: plan.killEvery_s, longest_s }
    const harming = doHarm(town, harm)
    const forgetting = forgetJobs(db, harm)
    await Promise.all(
      customers.map((one, index) =>
        live(ask, one, people, { random: randomOf(seed + 1 + index), isOver }),
      ),
    )
    const harmed = await harming
    const jobs_deleted = await forgetting
    town.calm()
    say('banks: calm now; waiting until nothing is open')
    await drained(db)
    const byHand = await decideByBankLog(db, town, ask)
    await drained(db)
    await asking.askAllAgain()
    const watched = await watch.stop()
    const did = { harmed, decided_by_hand: byHand, jobs_deleted, ...watched }
    return await judge({ db, town, journalFile, counts: asking.counts }, did)
  } catch (error) {
    for (const one of processesOf(town)) say(`${one.name}:\n${one.lastWords()}`)
    throw error
  } finally {
    await watch.stop()
    await journal.close()
    await db.destroy()
    await town.close()
  }
}

/** Longer than any lease of a job or of an instruction here. */
const STILL_MAX_S = 40

const OPEN = ['created', 'sent', 'unknown']

const SHOWN_MAX = 5
const textOfBig = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)

async function drained(db: Knex): Promise<void> {
  const deadline = performance.now() + DRAIN_MAX_S * 1000
  for (;;) {
    const open = await db('instructions').whereIn('state', OPEN).limit(SHOWN_MAX)
    const waiting = await db('callbacks').where({ disposition: 'received' }).limit(SHOWN_MAX)
    if (open.length === 0 && waiting.length === 0) return
    if (performance.now() > deadline) {
      const shown = [...open, ...waiting].map((row) => JSON.stringify(row, textOfBig)).join('\n')
      throw new Error(`not final after ${DRAIN_MAX_S} s:\n${shown}`)
    }
    await sleep(500)
  }
}
