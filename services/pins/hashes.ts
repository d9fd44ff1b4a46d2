/**
 * Hashing PINs: argon2id over the peppered PIN, by a bounded pool. Hashing is made to be slow, so
 * without a bound a crowd of payments would take every core from everybody else.
 */
import { hash, parseOptions, verify } from '@node-rs/argon2'
import type { HashCost } from '../config/pins.ts'
import { ServiceError } from '../errors.ts'
import type { Peppers } from './peppers.ts'

/** A PIN as it is stored. */
export interface PinHash {
  /** A PHC string. */
  readonly hash: string
  /** Which pepper is in it; null for the earliest one, before they had ids. */
  readonly kid: string | null
}

export interface HashPool {
  /** @throws {ServiceError} `saturated` when too many wait. */
  readonly hash: (pin: string) => Promise<PinHash>
  /**
   * One at a time for each person, in order: a crowd of right PINs is not a crowd of guesses.
   * @throws {ServiceError} `saturated` when too many wait.
   */
  readonly forPerson: <T>(person: string, work: (place: Place) => Promise<T>) => Promise<T>
  readonly stats: () => HashStats
}

/** What somebody who was let in may do. */
export interface Place {
  readonly matches: (pin: string, hash: PinHash) => Promise<boolean>
  /** The PIN under the current pepper at the current cost; undefined where it is so already. */
  readonly renewed: (pin: string, hash: PinHash) => Promise<PinHash | undefined>
}

interface HashStats {
  readonly running: number
  readonly waiting: number
  /** How many PINs were compared with a hash since the start. */
  readonly compared: number
}

const TAG_BYTES = 32
const SALT_BYTES = 16

/** How many checks of one person may wait or run; more are told to come back. */
const PER_PERSON_MAX = 16

interface HashPoolOptions {
  readonly peppers: Peppers
  readonly cost: HashCost
  readonly atOnce: number
  readonly queueMax: number
}

export function openHashPool({ peppers, cost, atOnce, queueMax }: HashPoolOptions): HashPool {
  const pool = openPlaces(atOnce)
  // Somebody's crowd of payments takes few of the places: the others are for the others.
  const admission = openAdmission(atOnce + queueMax)
  const perPerson = openAdmission(PER_PERSON_MAX)
  const turns = openTurns()
  let compared = 0

  const made = async (pin: string): Promise<PinHash> => {
    const peppered = peppers.pepper(pin, peppers.kid)
    return { hash: await pool.run(() => hash(peppered, optionsOf(cost))), kid: peppers.kid }
  }
  const place: Place = {
    matches: (pin, { hash: phc, kid }) =>
      pool.run(() => {
        compared += 1
        return verify(phc, peppers.pepper(pin, kid))
      }),
    renewed: async (pin, { hash: phc, kid }) =>
      kid === peppers.kid && isOfCost(phc, cost) ? undefined : made(pin),
  }
  return {
    hash: (pin) => admission.admit('', () => made(pin)),
    forPerson: (person, work) =>
      perPerson.admit(person, () =>
        admission.admit('', () => turns.take(person, () => work(place))),
      ),
    stats: () => {
      const running = pool.running()
      return { running, waiting: admission.inside('') - running, compared }
    },
  }
}

/** The salt is the library's: 16 random bytes. */
const optionsOf = ({ memory_kib, passes, lanes }: HashCost) => ({
  ...{ memoryCost: memory_kib, timeCost: passes, parallelism: lanes, outputLen: TAG_BYTES },
})

function isOfCost(phc: string, { memory_kib, passes, lanes }: HashCost): boolean {
  const { memoryCost, timeCost, parallelism, outputLen, saltLen } = parseOptions(phc)
  const isAsCostly = memoryCost === memory_kib && timeCost === passes && parallelism === lanes
  return isAsCostly && outputLen === TAG_BYTES && saltLen >= SALT_BYTES
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
