/**
 * Hashing PINs: argon2id over the peppered PIN, by a bounded pool. Hashing is made to be slow, so
 * without a bound a crowd of payments would take every core from everybody else.
 */
import { createHmac } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import { ServiceError } from '../errors.ts'

export interface HashPool {
  /** @throws {ServiceError} `saturated` when too many wait. */
  readonly hash: (pin: string) => Promise<string>
  /**
   * One at a time for each person, in order: a crowd of right PINs is not a crowd of guesses.
   * @param work gets a function that says whether a PIN matches a hash.
   * @throws {ServiceError} `saturated` when too many wait.
   */
  readonly forPerson: <T>(person: string, work: (matches: Matches) => Promise<T>) => Promise<T>
  readonly stats: () => { readonly running: number; readonly waiting: number }
}

export type Matches = (pin: string, hash: string) => Promise<boolean>

/** Source: OWASP password storage guidance, argon2id with 19 MiB. */
const ARGON2ID = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 } as const

/** How many checks of one person may wait or run; more are told to come back. */
const PER_PERSON_MAX = 16

interface HashPoolOptions {
  /** Kept outside the database: without it, stolen hashes of six digits are worth nothing. */
  readonly pepper: Buffer
  readonly atOnce: number
  readonly queueMax: number
}

export function openHashPool({ pepper, atOnce, queueMax }: HashPoolOptions): HashPool {
  const pool = openPlaces(atOnce)
  // Somebody's crowd of payments takes few of the places: the others are for the others.
  const admission = openAdmission(atOnce + queueMax)
  const perPerson = openAdmission(PER_PERSON_MAX)
  const turns = openTurns()
  const peppered = (pin: string) => createHmac('sha256', pepper).update(pin).digest('base64')
  const matches: Matches = (pin, phc) => pool.run(() => verify(phc, peppered(pin)))
  return {
    hash: (pin) => admission.admit('', () => pool.run(() => hash(peppered(pin), ARGON2ID))),
    forPerson: (person, work) =>
      perPerson.admit(person, () =>
        admission.admit('', () => turns.take(person, () => work(matches))),
      ),
    stats: () => ({ running: pool.running(), waiting: admission.inside('') - pool.running() }),
  }
}

/** Runs so much at once; the rest waits in order. */
function openPlaces(atOnce: number) {
  const waiting: (() => void)[] = []
  let running = 0
  return {
    running: () => running,
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve))
      else running += 1
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running -= 1
        else next()
      }
    },
  }
}

/** Turns away whoever finds `max` inside under the same name. */
function openAdmission(max: number) {
  const counts = new Map<string, number>()
  const inside = (name: string) => counts.get(name) ?? 0
  return {
    inside,
    async admit<T>(name: string, work: () => Promise<T>): Promise<T> {
      if (inside(name) >= max) throw new ServiceError('saturated', { retryAfter_s: 1 })
      counts.set(name, inside(name) + 1)
      try {
        return await work()
      } finally {
        if (inside(name) === 1) counts.delete(name)
        else counts.set(name, inside(name) - 1)
      }
    },
  }
}

/** One after another under the same name, in the order in which they came. */
function openTurns() {
  const last = new Map<string, Promise<unknown>>()
  return {
    async take<T>(name: string, work: () => Promise<T>): Promise<T> {
      const turn = (last.get(name) ?? Promise.resolve()).then(work)
      const settled = turn.catch(() => {})
      last.set(name, settled)
      try {
        return await turn
      } finally {
        if (last.get(name) === settled) last.delete(name)
      }
    },
  }
}
