/** Where a load takes place: Postgres, an API, a worker, people, and the crowd that they make. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSite, type Site } from '../../bench/site.ts'
import { type Crowd, gather } from './crowd-process.ts'
import { type LoadDatabase, openDatabase } from './database.ts'

export interface Plan {
  readonly seed: number
  /** How long it goes on; `quick` says that figures are rough. */
  readonly seconds: number
  readonly quick: boolean
  readonly say: (line: string) => void
}

export interface Place {
  readonly database: LoadDatabase
  readonly site: Site
  readonly crowd: Crowd
  readonly folder: string
}

export interface Mark {
  readonly at_s: number
  readonly what: string
}

const PEOPLE = 100

export async function inPlace<T>(
  { seed, say }: Plan,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  say(`Postgres, the API, a worker, ${PEOPLE} people with money`)
  const folder = await mkdtemp(join(tmpdir(), 'florin-load-'))
  const database = await openDatabase(folder)
  try {
    const site = await openSite({ database, folder, people: PEOPLE, hasWorker: true, settings })
    try {
      const crowd = await gather(site, seed)
      const result = await work({ database, site, crowd, folder })
      await crowd.leave()
      return result
    } finally {
      await site.stop()
    }
  } finally {
    await database.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Whoever waits in the crowd keeps its connection: that it closes is not what is looked at. */
const settings = { KEEP_ALIVE_TIMEOUT_MS: '120000' }

const CALLERS = 64
/** Payments until the code is compiled as it stays; what other work slows down takes longer. */
const WARM_UP = 8_000
const [WARM_UP_S, WARM_UP_ROUNDS] = [2, 10]

/** What it can do with as many as the bench has; asked twice, because the machine is shared. */
export async function maximumOf({ crowd }: Place, seconds: number) {
  for (let made = 0, round = 0; made < WARM_UP && round < WARM_UP_ROUNDS; round += 1) {
    made +=
      (await crowd.do({ do: 'press', callers: CALLERS, seconds: WARM_UP_S })).per_s * WARM_UP_S
  }
  const rounds = [
    await crowd.do({ do: 'press', callers: CALLERS, seconds }),
    await crowd.do({ do: 'press', callers: CALLERS, seconds }),
  ]
  const failed = rounds.find(({ others }) => Object.keys(others).length > 0)
  if (failed !== undefined) throw new Error(`not a 201: ${JSON.stringify(failed.others)}`)
  return Math.max(...rounds.map(({ per_s }) => per_s))
}

/** The figures that nothing was measured for: any comparison would let them pass. */
export const unmeasured = (figures: object): string[] =>
  Object.entries(figures)
    .filter(([, value]) => [value].flat().some(isNoNumber))
    .map(([name, value]) => `${name} is ${value}: not measured`)

const isNoNumber = (value: unknown) => typeof value === 'number' && !Number.isFinite(value)

export const rounded = (value: number, digits = 1) => Number(value.toFixed(digits))
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
