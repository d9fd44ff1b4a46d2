/**
 * What no judge of money sees: a process that ended by itself or did not know what to answer, and a
 * run that was clean because nothing much happened in it.
 */
import type { Counts } from './asking.ts'
import type { Kept } from './kept.ts'
import { type Intents, madeOf } from './told.ts'

interface Found {
  readonly what: 'broken' | 'untried'
  readonly where: string
}

/** Words of a process that did not expect what happened to it. */
const UNEXPECTED = ['internal error', 'nhandled', 'ncaught', 'ERR_INTERNAL_ASSERTION']

/** What follows such a line says where it happened. */
const TRACE = 12

const unexpectedOf = (lines: readonly string[]): string[] =>
  lines.flatMap((line, at) =>
    UNEXPECTED.some((word) => line.includes(word)) ? [lines.slice(at, at + TRACE).join(' | ')] : [],
  )

/** What is answered with 500, or ends a process that nobody killed, is a mistake of ours. */
export function brokenIn(
  processes: readonly Pick<Kept, 'name' | 'gaveUp' | 'words'>[],
  { doubts }: Pick<Counts, 'doubts'>,
): Found[] {
  const wheres = [
    ...processes.flatMap((one) => one.gaveUp().map((how) => `ended by itself: ${how}`)),
    ...processes.flatMap(({ name, words }) =>
      unexpectedOf(words().split('\n')).map((said) => `${name}: ${said}`),
    ),
    ...(doubts['500'] === undefined ? [] : [`${doubts['500']} answers of 500`]),
  ]
  return wheres.map((where) => ({ what: 'broken', where }))
}

export interface Tried {
  /** How long things went wrong. */
  readonly chaos_s: number
  readonly intents: Intents
  /** What the banks did, by what was asked and what came of it. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly harmed: Readonly<Record<string, number>>
  /** What was done to links, receivers and banks, by kind. */
  readonly faults: Readonly<Record<string, number>>
  readonly jobs_deleted: number
  /** What could be done in this town at all. */
  readonly possible: { readonly clocks: boolean; readonly redis: boolean }
  readonly refused_by: Readonly<Record<string, number>>
  readonly instructions: number
  readonly unasked: number
  readonly decided_by_hand: number
  readonly checks: number
}

/** In a run that is shorter a kind of thing may have had no turn. */
const LONG_S = 300
/** Redis that is away cannot be killed, nor wiped: so it is a matter of luck for longer. */
const LONG_OF_REDIS_S = 900
const AUDIT_AT_LEAST_EVERY_S = 60

const ACKNOWLEDGED: Readonly<Record<string, RegExp>> = {
  ...{ 'a top-up': /^\/v1\/top_ups$/, 'a withdrawal': /^\/v1\/withdrawals$/ },
  ...{ 'an order': /^\/v1\/orders$/, 'a payment': /^\/v1\/payments$/ },
  ...{ 'a capture': /\/capture$/, 'a void': /\/void$/, 'a refund': /\/refunds$/ },
  ...{ 'a dispute': /\/disputes$/, 'an accepted dispute': /\/accept$/, evidence: /\/evidence$/ },
  ...{ 'a settlement': /^\/v1\/settlements$/ },
}

const OUTCOMES = [
  ...['debit settled', 'debit rejected'],
  ...['credit settled', 'credit rejected', 'credit returned'],
]

const HARM = [
  ...['killed', 'stood still', 'all killed', 'Postgres killed'],
  ...['backend of Postgres killed', 'backend of Postgres stood still'],
]

const HARM_TO_CLOCKS = ['wrong time', 'clock_believed']
const HARM_TO_REDIS = ['Redis killed', 'Redis killed, its disk lost', 'Redis wiped']

/** Of each link and of the receivers, what the others do not have or what matters most. */
export const FAULTS = [
  ...['API and Postgres', 'worker and Postgres'].flatMap((link) => [
    ...[`${link}: cut_commit_sent`, `${link}: cut_commit_answered`, `${link}: half_open`],
  ]),
  ...['driver and API: duplicate', 'bank and API: swap', 'worker and bank: cut_reply'],
  ...['webhook: error', 'webhook: reset', 'webhook: silence'],
  ...['request_lost', 'reply_lost', 'error_after', 'garbage'],
  ...['callback_lost', 'callback_twice', 'callback_late', 'callback_forged'],
]

/** What people and merchants may be told who ask as these do. */
const REFUSALS = new Set([
  // Set by a request of which the answer was lost.
  'pin_already_set',
  ...['insufficient_funds', 'refund_exceeds_capture', 'nothing_to_settle', 'settlement_exists'],
  ...['payment_not_completed', 'dispute_decided', 'same_account'],
])
/** The share of instructions that a person may have to decide. */
const BY_HAND_MAX = 0.05

export function untried(tried: Tried): Found[] {
  const broken = Object.keys(tried.refused_by)
    .filter((code) => !REFUSALS.has(code))
    .map((code) => `refused with ${code}`)
  if (tried.decided_by_hand > Math.max(1, tried.instructions * BY_HAND_MAX)) {
    broken.push(`${tried.decided_by_hand} instructions left to people`)
  }
  const missing = tried.chaos_s < LONG_S ? [] : missingOf(tried)
  return [
    ...broken.map((where) => ({ what: 'broken' as const, where })),
    ...missing.map((where) => ({ what: 'untried' as const, where })),
  ]
}

function missingOf(tried: Tried): string[] {
  const { intents, outcomes, harmed, faults, possible, checks } = tried
  const made = madeOf(intents).map(({ asks }) => asks.path)
  const harm = [
    ...[...HARM, ...(possible.clocks ? HARM_TO_CLOCKS : [])],
    ...(possible.redis && tried.chaos_s >= LONG_OF_REDIS_S ? HARM_TO_REDIS : []),
  ]
  const isNone = (counts: Readonly<Record<string, number>>) => (name: string) =>
    (counts[name] ?? 0) === 0
  const missing = Object.entries(ACKNOWLEDGED)
    .filter(([, path]) => !made.some((one) => path.test(one)))
    .map(([name]) => name)
  missing.push(...OUTCOMES.filter(isNone(outcomes)), ...harm.filter(isNone(harmed)))
  missing.push(...FAULTS.filter(isNone(faults)))
  if (tried.unasked === 0) missing.push('incoming money')
  // In Redis they go with all else that it has.
  if (!possible.redis && tried.jobs_deleted === 0) missing.push('deleted jobs')
  if (checks * AUDIT_AT_LEAST_EVERY_S < tried.chaos_s) missing.push(`more than ${checks} audits`)
  return missing
}
