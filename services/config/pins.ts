/** Settings of PINs: how they look, how they are hashed, and how many may be wrong. */
import { z } from 'zod'
import { integer, json, key } from './kinds.ts'

/** What argon2id costs, as a PHC string writes it. */
export interface HashCost {
  readonly memory_kib: number
  readonly passes: number
  readonly lanes: number
}

/** Weaker than all of these is refused. Source: OWASP password storage guidance, argon2id. */
const COSTS_MIN: readonly Omit<HashCost, 'lanes'>[] = [
  { memory_kib: 47_104, passes: 1 },
  { memory_kib: 19_456, passes: 2 },
  { memory_kib: 12_288, passes: 3 },
]

const Cost = z
  .string()
  .regex(/^m=\d{4,7},t=\d{1,2},p=[1-4]$/, 'must look like m=19456,t=2,p=1')
  .transform((text): HashCost => {
    const [memory_kib = 0, passes = 0, lanes = 0] = (text.match(/\d+/g) ?? []).map(Number)
    return { memory_kib, passes, lanes }
  })
  .refine(
    (cost) =>
      COSTS_MIN.some((min) => min.memory_kib <= cost.memory_kib && min.passes <= cost.passes),
    'must be at least m=19456,t=2 or m=47104,t=1 or m=12288,t=3',
  )
  .refine(({ memory_kib, passes }) => memory_kib <= 1_048_576 && passes <= 20, 'is far too slow')

const HALF_AN_HOUR_S = 1_800
const DAY_S = 86_400

export const pinSettings = {
  PIN_DIGITS: integer(6, 4, 6).describe('how many digits a new PIN has'),
  PIN_PEPPER: key.describe(
    'hashed into every PIN and never in the database; lose it, lose the PINs',
  ),
  PIN_PREVIOUS_PEPPERS: json
    .pipe(z.array(key).max(8))
    .default([])
    .describe('JSON list of earlier peppers, newest first; a PIN moves on when it is next right'),
  PIN_ARGON2: Cost.default({ memory_kib: 19_456, passes: 2, lanes: 1 }).describe(
    'what a hash costs: m KiB, t passes, p lanes',
  ),
  PIN_HASHES_AT_ONCE: integer(2, 1, 64).describe('how many PINs are hashed at the same time'),
  PIN_QUEUE_MAX: integer(64, 0, 10_000).describe('how many may wait for that; then 503'),
  PIN_SCHEME: z
    .enum(['standard', 'strict'])
    .default('standard')
    .describe('strict: three wrong PINs lock for 24 hours'),
  PIN_ATTEMPTS_MAX: integer(5, 1, 5).describe('so many wrong PINs in a row lock'),
  PIN_LOCK_S: integer(HALF_AN_HOUR_S, HALF_AN_HOUR_S, 30 * DAY_S).describe('for so long'),
  PIN_FAILURES_MAX: integer(10, 1, 10).describe(
    'so many without a right one in between, locks or not, and a new PIN must be set',
  ),
  SPRAY_FAILURES_PER_ADDRESS_HOUR: integer(20, 0, 1_000_000).describe(
    'wrong PINs and codes from one address within an hour; 0: any number',
  ),
  SPRAY_FAILURES_GLOBAL_MINUTE: integer(1_000, 0, 10_000_000).describe(
    'wrong PINs and codes of everybody within a minute, then none is looked at; 0: any number',
  ),
  UV_THREADPOOL_SIZE: integer(4, 1, 1_024).describe('threads of Node for hashes, files and DNS'),
}
