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

interface HashPoolOptions {
  /** Kept outside the database: without it, stolen hashes of six digits are worth nothing. */
  readonly pepper: Buffer
  readonly atOnce: number
  readonly queueMax: number
}

export function openHashPool({ pepper, atOnce, queueMax }: HashPoolOptions): HashPool {
  const waiting: (() => void)[] = []
  const lastOf = new Map<string, Promise<unknown>>()
  let running = 0
  let admitted = 0

  async function inPool<T>(work: () => Promise<T>): Promise<T> {
    if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }

  async function admit<T>(work: () => Promise<T>): Promise<T> {
    if (admitted >= atOnce + queueMax) throw new ServiceError('saturated', { retryAfter_s: 1 })
    admitted += 1
    try {
      return await work()
    } finally {
      admitted -= 1
    }
  }

  const peppered = (pin: string) => createHmac('sha256', pepper).update(pin).digest('base64')
  const matches: Matches = (pin, phc) => inPool(() => verify(phc, peppered(pin)))

  return {
    hash: (pin) => admit(() => inPool(() => hash(peppered(pin), ARGON2ID))),
    forPerson: (person, work) =>
      admit(async () => {
        const turn = (lastOf.get(person) ?? Promise.resolve()).then(() => work(matches))
        const settled = turn.catch(() => {})
        lastOf.set(person, settled)
        try {
          return await turn
        } finally {
          if (lastOf.get(person) === settled) lastOf.delete(person)
        }
      }),
    stats: () => ({ running, waiting: admitted - running }),
  }
}
