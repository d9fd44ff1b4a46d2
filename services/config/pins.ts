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

export const PIN_SETTINGS = {
  PIN_DIGITS: integer(6, 4, 6).describe('How many digits a new PIN has'),
  PIN_PEPPER: key.describe(
    '32 bytes at least, base64: hashed into every PIN; lose it, and every PIN is lost',
  ),
  PIN_PREVIOUS_PEPPERS: json
    .pipe(z.array(key).max(8))
    .default([])
    .describe('JSON list of earlier peppers, newest first; a PIN moves on when it is next right'),
  PIN_ARGON2: Cost.prefault('m=19456,t=2,p=1').describe(
    'What a hash costs: m KiB, t passes, p lanes',
  ),
  PIN_HASHES_AT_ONCE: integer(2, 1, 64).describe('How many PINs are hashed at the same time'),
  PIN_QUEUE_MAX: integer(64, 0, 10_000).describe('How many may wait for being hashed; then 503'),
  PIN_SCHEME: z
    .enum(['standard', 'strict'])
    .default('standard')
    .describe('With strict three wrong PINs in a row lock for 24 hours'),
  PIN_ATTEMPTS_MAX: integer(5, 1, 5).describe('So many wrong PINs in a row lock the PIN'),
  PIN_LOCK_S: integer(HALF_AN_HOUR_S, HALF_AN_HOUR_S, 30 * DAY_S).describe(
    'For how long they lock',
  ),
  PIN_FAILURES_MAX: integer(10, 1, 10).describe(
    'So many without a right one in between, locks or not, end it: a new one must be set',
  ),
  SPRAY_FAILURES_PER_ADDRESS_HOUR: integer(20, 0, 1_000_000).describe(
    'Wrong PINs and codes from one address within an hour; 0: any number',
  ),
  SPRAY_FAILURES_GLOBAL_MINUTE: integer(1_000, 0, 10_000_000).describe(
    'Wrong PINs and codes of everybody within a minute, then none is looked at; 0: any number',
  ),
  UV_THREADPOOL_SIZE: integer(4, 1, 1_024).describe('Threads of Node for hashes, files and DNS'),
}
