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

const PEOPLE = 200

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

/** What it can do with as many as the bench has; the machine is shared, so it is asked for twice. */
export async function maximumOf({ crowd }: Place, seconds: number) {
  const rounds = [
    await crowd.do({ do: 'press', callers: CALLERS, seconds }),
    await crowd.do({ do: 'press', callers: CALLERS, seconds }),
  ]
  const failed = rounds.find(({ others }) => Object.keys(others).length > 0)
  if (failed !== undefined) throw new Error(`not a 201: ${JSON.stringify(failed.others)}`)
  return Math.max(...rounds.map(({ per_s }) => per_s))
}

export const rounded = (value: number, digits = 1) => Number(value.toFixed(digits))
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
