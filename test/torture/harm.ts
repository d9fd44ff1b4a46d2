/**
 * What is done on purpose to a town while customers live in it: processes die, stand still or go by
 * a wrong time, and jobs are lost. What is next is drawn from a seed; each kind has its turn.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { isUnavailable } from '../../ledger/index.ts'
import { isAlive } from '../../services/local/signals.ts'
import { hearsBelief } from './clock.ts'
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
  /** The longest that what was killed takes to be back, while all else goes wrong. */
  readonly back_ms: number
  readonly say: (line: string) => void
}

/** What was done in words, and whether it came to anything: it may be known later only. */
interface Done {
  readonly what: string
  readonly happens?: Promise<boolean>
  /** What else there is to count. */
  readonly also?: readonly string[]
}

/** @returns undefined when there was nothing to do it to. */
type Act = (town: Town, harm: Harm) => Promise<Done | undefined>

/** One of each is in a deck, or as many as it says. */
const ACTS: Readonly<Record<string, readonly [count: number, act: Act]>> = {
  killed: [
    3,
    async (town, harm) => {
      const one = oneOf(town, harm)
      return { what: one.name, happens: killOne(one, harm) }
    },
  ],
  'stood still': [
    2,
    async (town, harm) => {
      const one = oneOf(town, harm)
      await one.freeze(shortly_ms(harm))
      return { what: one.name }
    },
  ],
  'wrong time': [2, jumpClock],
  'all killed': [
    1,
    async (town, harm) => {
      const killing = processesOf(town).map((one) => killOne(one, harm))
      return { what: 'APIs and workers', happens: areAll(killing) }
    },
  ],
  'backend of Postgres killed': [
    2,
    async ({ postgres }, { random }) => doneIf(postgres.killBackend(random)),
  ],
  'Postgres killed': [1, killPostgres],
  'Redis killed': [1, async (town, harm) => killRedis(town, harm, 'kept')],
  'Redis killed, its disk lost': [1, async (town, harm) => killRedis(town, harm, 'lost')],
  'Redis wiped': [1, async ({ redis }) => doneIf((await redis?.wipe()) === true)],
  'backend of Postgres stood still': [
    2,
    async ({ postgres }, harm) => doneIf(await postgres.freezeBackend(shortly_ms(harm))),
  ],
}

const doneIf = (isDone: boolean, what = ''): Done | undefined => (isDone ? { what } : undefined)

const areAll = async (all: readonly Promise<boolean>[]) => (await Promise.all(all)).every(Boolean)

const LOOK_EVERY_MS = 50
/** A process that is killed is gone at once; what it leaves may be another's soon. */
const GONE_MAX_MS = 2_000

async function comesTrue(isTrue: () => boolean, max_ms: number): Promise<boolean> {
  const deadline = performance.now() + max_ms
  while (!isTrue() && performance.now() < deadline) await sleep(LOOK_EVERY_MS)
  return isTrue()
}

/** @returns whether it was started again: so it has ended. */
function killOne(one: Kept, { back_ms }: Harm): Promise<boolean> {
  const before = one.starts().length
  one.kill()
  return comesTrue(() => one.starts().length > before, back_ms)
}

/** The one that is there; while another kill is being mended nobody may be. */
async function killPostgres({ postgres, folder }: Town, { back_ms }: Harm) {
  const pid = Number.parseInt(textOf(join(folder, 'postgres', 'postmaster.pid')), 10)
  if (Number.isNaN(pid) || !isAlive(pid)) return undefined
  postgres.killServer()
  return { what: '', happens: comesTrue(() => !isAlive(pid), Math.min(back_ms, GONE_MAX_MS)) }
}

async function killRedis({ redis }: Town, harm: Harm, disk: 'kept' | 'lost') {
  if (redis === undefined) return undefined
  const away_ms = shortly_ms(harm)
  return doneIf(await redis.kill(away_ms, disk), `away for ${Math.round(away_ms / 1000)} s`)
}

/** @returns how often each was done and came to something, when all of it is over. */
export async function doHarm(town: Town, harm: Harm): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = { [BELIEVED]: 0 }
  const running: Promise<void>[] = []
  const start = async (kind: string, act: Act) => {
    const done = await act(town, harm)
    if (done === undefined) return
    const { what, happens, also = [] } = done
    harm.say(`banks: ${kind}${what === '' ? '' : `: ${what}`}`)
    if ((await happens) === false) return
    for (const name of [kind, ...also]) counts[name] = (counts[name] ?? 0) + 1
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
  return counts
}

/** Whether the time can be set that a process goes by. */
export const hasClocks = ({ apis }: Town): boolean => apis.some(({ clock }) => clock !== undefined)

/** Of what can be done in the town. */
function shuffled(random: () => number, town: Town): string[] {
  const kinds = Object.entries(ACTS).flatMap(([kind, [count]]) =>
    Array.from({ length: count }, () => kind),
  )
  return kinds
    .filter((kind) => town.redis !== undefined || !kind.startsWith('Redis'))
    .filter((kind) => hasClocks(town) || kind !== 'wrong time')
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

const shortly_ms = ({ random, longest_s }: Harm) => 1000 * (1 + random() * (longest_s - 1))

const DAY_S = 24 * 3600

/** How often a process was heard to say the wrong time that it was told. */
const BELIEVED = 'clock_believed'

/** By a second as often as by a day, and either way. */
async function jumpClock(town: Town, harm: Harm) {
  const { name, clock } = oneOf(town, harm)
  const size_s = Math.round(DAY_S ** harm.random())
  const offset_s = harm.random() < 0.5 ? size_s : -size_s
  if (clock === undefined) return undefined
  let isOver = false
  const jumping = clock.jump(offset_s, shortly_ms(harm)).finally(() => (isOver = true))
  const hearing = hearsBelief(town.portOf(name), offset_s, () => isOver)
  const [isDone, isBelieved] = [await jumping, await hearing]
  if (!isDone) return undefined
  return { what: `${name}, by ${offset_s} s`, also: isBelieved ? [BELIEVED] : [] }
}

/** What came of it: jobs that are gone, and by their code the errors that were none of ours. */
interface Forgotten {
  readonly deleted: number
  readonly failed: Readonly<Record<string, number>>
}

/** Every few seconds the doorbell forgets all that it was told. */
export async function forgetJobs(
  db: Pick<Knex, 'raw'>,
  { isOver, every_ms = FORGET_EVERY_MS }: Pick<Harm, 'isOver'> & { readonly every_ms?: number },
): Promise<Forgotten> {
  let deleted = 0
  const failed: Record<string, number> = {}
  while (!isOver()) {
    await sleep(every_ms)
    try {
      const { rowCount } = await db.raw<{ readonly rowCount: number }>(FORGET)
      deleted += rowCount
    } catch (error) {
      // There may be no database just now. Whatever else there is means that nothing is forgotten.
      if (isUnavailable(error)) continue
      const { code, message } = error as { readonly code?: unknown; readonly message: string }
      const name = `jobs not forgotten: ${typeof code === 'string' ? code : message}`
      failed[name] = (failed[name] ?? 0) + 1
    }
  }
  return { deleted, failed }
}

/** Of what nobody works on just now: who waits for no lock is part of no deadlock. */
const FORGET = `
  DELETE FROM bullmq.job WHERE ctid IN (SELECT ctid FROM bullmq.job FOR UPDATE SKIP LOCKED)`

const FORGET_EVERY_MS = 5_000

/** Nothing of what is not there. */
function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
