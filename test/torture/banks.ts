/**
 * Banks that misbehave and workers that die: people top up, pay and withdraw while every fifth
 * answer of a bank goes wrong and a worker is killed every few seconds. In the end, when all is
 * quiet, the banks' own logs, our instructions and our books must agree to the cent.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { connect } from '../../ledger/index.ts'
import { type Asking, openAsking } from './asking.ts'
import { arrive, customerOf, live } from './customers.ts'
import { decideByBankLog, decideDisputes, decideReturns, reconcileAll } from './desk.ts'
import { doHarm, forgetJobs, processesOf } from './harm.ts'
import { untilHeard } from './heard.ts'
import { type Hooks, openHooks } from './hooks.ts'
import { openJournal, readJournal } from './journal.ts'
import { type Figures, isClean, judge } from './judge.ts'
import { type Lap, timelineOf } from './laps.ts'
import { openNothing, type Opened } from './opened.ts'
import { streamOf } from './seeds.ts'
import { openShop, SHOPS } from './shops.ts'
import { openTown, type Town } from './town.ts'
import { payUnasked, untilTold } from './unasked.ts'
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

/** What was done on purpose, and when. */
interface Mark {
  readonly at_s: number
  readonly what: string
}

export interface BanksRun {
  readonly figures: Figures
  readonly timeline: readonly Lap[]
  readonly marks: readonly Mark[]
}

/** How long after the chaos everything may take to become final: the longest backoff, twice. */
const DRAIN_MAX_S = 300

export async function tortureBanks(plan: Plan): Promise<BanksRun> {
  const { people, faults, say } = plan
  say(`banks: ${people} people, ${faults * 100} % faults, a kill every ${plan.killEvery_s} s`)
  const opened = openNothing()
  try {
    return await runOn(await openStage(plan, opened), plan)
  } finally {
    await opened.close()
  }
}

/** Whatever is opened is kept at once, to be closed: what comes next may fail. */
async function openStage({ seed, faults, hasRedis, say }: Plan, { keep }: Opened) {
  const hooks = await openHooks(streamOf(seed, 'webhooks'))
  keep(hooks.close)
  const settings = { WEBHOOK_TARGETS: 'any', WEBHOOK_TIMEOUT_MS: '1000', MERCHANT_REVIEW: 'off' }
  const town = await openTown({ seed, faults, hasRedis, isRough: true, settings })
  keep(town.close)
  say(`clock: ${town.apis.some(({ clock }) => clock) ? 'jumps, by libfaketime' : 'not installed'}`)
  say(`doorbell: ${hasRedis ? 'Redis' : 'Postgres'}`)
  const db = connect({ url: town.url, connectionsMax: 4, applicationName: 'torture' })
  keep(() => db.destroy())
  const journalFile = join(town.folder, 'client.jsonl')
  const journal = await openJournal(journalFile)
  keep(journal.close)
  const watch = openWatch(db, say)
  keep(watch.stop)
  return {
    db,
    town,
    hooks,
    watch,
    journalFile,
    asking: openAsking(town, journal, streamOf(seed, 'asking')),
  }
}

async function runOn(
  { watch, journalFile, ...stage }: Awaited<ReturnType<typeof openStage>>,
  plan: Plan,
): Promise<BanksRun> {
  const { db, town, hooks, asking } = stage
  const { people, say } = plan
  try {
    const { marks, startedAt_ms, ...did } = await goWrong(plan, stage)
    const byHand = await comeToRest(stage)
    const watched = await watch.last()
    const seen = { db, town, hooks, people, counts: asking.counts }
    const evidence = { ...seen, journal: readJournal(journalFile) }
    const { chaos_s } = plan
    const figures = await judge(evidence, { ...did, chaos_s, ...byHand, ...watched })
    if (!isClean(figures)) sayLast(journalFile, say)
    return { figures, timeline: timelineOf(asking.counts.answers, startedAt_ms), marks }
  } catch (error) {
    for (const one of processesOf(town)) say(`${one.name}:\n${one.lastWords()}`)
    sayLast(journalFile, say)
    throw error
  }
}

/** Where it happens, and who asks. */
interface Stage {
  readonly db: Knex
  readonly town: Town
  readonly hooks: Hooks
  readonly asking: Asking
}

/** People live while all around them goes wrong. */
async function goWrong(plan: Plan, { db, town, hooks, asking: { ask } }: Stage) {
  const { seed, people } = plan
  const each = <T>(count: number, make: (index: number) => Promise<T>) =>
    Promise.all(Array.from({ length: count }, (_, index) => make(index)))
  const shops = await each(SHOPS, (index) => openShop(ask, index))
  await Promise.all(shops.map((shop) => hooks.listen(ask, shop)))
  const customers = await each(people, (index) => arrive(ask, index))
  const marks: Mark[] = []
  const startedAt_ms = performance.now()
  const mark = (what: string) => {
    plan.say(what)
    marks.push({ at_s: Math.round((performance.now() - startedAt_ms) / 100) / 10, what })
  }
  const isOver = () => performance.now() > startedAt_ms + plan.chaos_s * 1000
  const often = { every_s: plan.killEvery_s, longest_s: Math.min(STILL_MAX_S, plan.chaos_s / 4) }
  const harm = { random: streamOf(seed, 'harm'), isOver, say: mark, ...often, back_ms: BACK_MAX_MS }
  const harming = doHarm(town, harm)
  const paying = payUnasked(town, { people, random: streamOf(seed, 'unasked'), isOver })
  // In Redis they are forgotten when that is wiped.
  const forgetting = town.redis ? { deleted: 0, failed: {} } : forgetJobs(db, harm)
  await Promise.all(
    customers.map((customer, index) => {
      const random = streamOf(seed, `life of ${customerOf(index)}`)
      return live({ ask, customer, people, shops, random, isOver })
    }),
  )
  const [harmed, { deleted: jobs_deleted, failed }] = [await harming, await forgetting]
  await paying
  town.calm()
  hooks.calm()
  mark('banks: calm')
  return { harmed: { ...harmed, ...failed }, jobs_deleted, marks, startedAt_ms }
}

/** Waits until nothing is open. @returns of how many instructions operators had to decide. */
async function comeToRest({ db, town, hooks, asking }: Stage) {
  await untilTold(town)
  await drained(db)
  const decided_by_hand = await decideByBankLog(db, town, asking.ask)
  await drained(db)
  await decideDisputes(db, asking.ask)
  await asking.askAllAgain()
  await reconcileAll(asking.ask, 'at-rest')
  const returned_by_hand = await decideReturns(db, town, asking.ask)
  if (returned_by_hand > 0) await reconcileAll(asking.ask, 'at-last')
  // Last: a difference that reconciliation finds is told as well.
  await untilHeard(db, hooks)
  return { decided_by_hand, returned_by_hand }
}

/** Entries of the journal that are shown where a run was not clean. */
const LAST = 40

function sayLast(journalFile: string, say: (line: string) => void): void {
  say(`the last ${LAST} of the clients' journal:`)
  for (const entry of readJournal(journalFile).slice(-LAST)) say(JSON.stringify(entry))
}

/** A busy machine, no database, and killed again before it is ready. */
const BACK_MAX_MS = 300_000

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
