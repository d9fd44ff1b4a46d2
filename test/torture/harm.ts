/**
 * What is done on purpose to a town while customers live in it: processes die, stand still or go by
 * a wrong time, and jobs are lost. What is next is drawn from a seed; each kind has its turn.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { Kept } from './kept.ts'
import type { Town } from './town.ts'

/** What decides when something goes wrong, and until when it does. */
export interface Harm {
  readonly random: () => number
  readonly isOver: () => boolean
  /** About so often something is done. */
  readonly every_s: number
  /** The longest that something stands still, or is wrong about the time. */
  readonly longest_s: number
  readonly say: (line: string) => void
}

/** @returns in words what was done; undefined when there was nothing to do it to. */
type Act = (town: Town, harm: Harm) => Promise<string | undefined>

/** One of each is in a deck, or as many as it says. */
const ACTS: Readonly<Record<string, readonly [count: number, act: Act]>> = {
  killed: [3, async (town, harm) => named(oneOf(town, harm), (one) => one.kill())],
  'stood still': [
    2,
    async (town, harm) => named(oneOf(town, harm), (one) => one.freeze(shortly_ms(harm))),
  ],
  'wrong time': [2, jumpClock],
  'all killed': [
    1,
    async (town) => {
      processesOf(town).forEach((one) => one.kill())
      return 'APIs and workers'
    },
  ],
  'backend of Postgres killed': [
    2,
    async ({ postgres }, { random }) => (postgres.killBackend(random) ? '' : undefined),
  ],
  'Postgres killed': [
    1,
    async ({ postgres }) => {
      postgres.killServer()
      return ''
    },
  ],
  'Redis killed': [1, async (town, harm) => killRedis(town, harm, 'kept')],
  'Redis killed, its disk lost': [1, async (town, harm) => killRedis(town, harm, 'lost')],
  'Redis wiped': [
    1,
    async ({ redis }) => {
      await redis?.wipe()
      return redis && ''
    },
  ],
  'backend of Postgres stood still': [
    2,
    async ({ postgres }, harm) =>
      (await postgres.freezeBackend(shortly_ms(harm))) ? '' : undefined,
  ],
}

async function killRedis({ redis }: Town, harm: Harm, disk: 'kept' | 'lost') {
  if (redis === undefined) return undefined
  const away_ms = shortly_ms(harm)
  await redis.kill(away_ms, disk)
  return `away for ${Math.round(away_ms / 1000)} s`
}

/** @returns how often each was done, when all of it is over. */
export async function doHarm(town: Town, harm: Harm): Promise<Readonly<Record<string, number>>> {
  const done: Record<string, number> = {}
  const running: Promise<void>[] = []
  const start = async (kind: string, act: Act) => {
    const what = await act(town, harm)
    if (what === undefined) return
    done[kind] = (done[kind] ?? 0) + 1
    harm.say(`banks: ${kind}${what === '' ? '' : `: ${what}`}`)
  }
  let deck: string[] = []
  while (!harm.isOver()) {
    await sleep(harm.every_s * 1000 * (0.5 + harm.random()))
    if (deck.length === 0) deck = shuffled(harm.random, town)
    const kind = deck.pop() ?? ''
    const act = ACTS[kind]?.[1]
    if (act !== undefined) running.push(start(kind, act))
  }
  await Promise.all(running)
  return done
}

/** Of what can be done in the town. */
function shuffled(random: () => number, { redis, apis }: Town): string[] {
  const hasClocks = apis.some(({ clock }) => clock !== undefined)
  const kinds = Object.entries(ACTS).flatMap(([kind, [count]]) =>
    Array.from({ length: count }, () => kind),
  )
  return kinds
    .filter((kind) => redis !== undefined || !kind.startsWith('Redis'))
    .filter((kind) => hasClocks || kind !== 'wrong time')
    .map((kind) => ({ kind, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ kind }) => kind)
}

export const processesOf = ({ apis, workers }: Town): readonly Kept[] => [...apis, ...workers]

function oneOf(town: Town, { random }: Harm): Kept {
  const all = processesOf(town)
  const one = all[Math.floor(random() * all.length)]
  if (one === undefined) throw new Error('there is nobody')
  return one
}

async function named(one: Kept, act: (one: Kept) => void | Promise<void>): Promise<string> {
  await act(one)
  return one.name
}

const shortly_ms = ({ random, longest_s }: Harm) => 1000 * (1 + random() * (longest_s - 1))

const DAY_S = 24 * 3600

/** By a second as often as by a day, and either way. */
async function jumpClock(town: Town, harm: Harm): Promise<string | undefined> {
  const { name, clock } = oneOf(town, harm)
  const size_s = Math.round(DAY_S ** harm.random())
  const offset_s = harm.random() < 0.5 ? size_s : -size_s
  if (clock === undefined) return undefined
  await clock.jump(offset_s, shortly_ms(harm))
  return `${name}, by ${offset_s} s`
}

/** Every few seconds the doorbell forgets all that it was told. */
export async function forgetJobs(db: Knex, { isOver }: Pick<Harm, 'isOver'>): Promise<number> {
  let deleted = 0
  while (!isOver()) {
    await sleep(FORGET_EVERY_MS)
    // There may be no database just now.
    deleted += await db.raw(FORGET).then(
      ({ rowCount }: { readonly rowCount: number }) => rowCount,
      () => 0,
    )
  }
  return deleted
}

/** Of what nobody works on just now: who waits for no lock is part of no deadlock. */
const FORGET = `
  DELETE FROM bullmq.job WHERE ctid IN (SELECT ctid FROM bullmq.job FOR UPDATE SKIP LOCKED)`

const FORGET_EVERY_MS = 5_000
