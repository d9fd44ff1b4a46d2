/**
 * Group commit: many callers, one transaction.
 *
 *   callers ── submit(unit) ──▶ queue ──▶ group: answers known, accounts locked, units decided,
 *                                         everything written set-wise, COMMIT ──▶ every caller
 *
 * A group waits for the database, not for a clock: while one is being written the next one fills,
 * and a caller who is alone goes at once. What commits together, commits with the money: the
 * transfers, the companion rows, and the answer by which the same claim is recognised for ever.
 */
import pg from 'pg'
import { type Claim, openRecall, type StoredAnswer } from './claims.ts'
import {
  type Bulk,
  commitBulk,
  commitUnits,
  concludeAs,
  type Outcome,
  type Unit,
} from './commit.ts'
import type { CompanionTables } from './companions.ts'
import { connectionOptions, type DatabaseOptions } from './database.ts'
import type { AccountId } from './ids.ts'
import { isUnavailable, LedgerError, violatedConstraint } from './errors.ts'
import { accountsOf, count, nextGroup } from './turns.ts'

export interface Group {
  /**
   * @throws {LedgerError} `ledger_saturated` when too many wait, `idempotency_key_reused` when the
   *   claim was used for something else, `ledger_unavailable` when the database did not confirm: the
   *   outcome is then unknown, and submitting the same claim again tells.
   */
  readonly submit: (unit: Unit) => Promise<Outcome>
  /**
   * Decides many units in their order and in one transaction of their own. Throws like `submit`; a
   * constraint that only Postgres can see fails all of them.
   */
  readonly submitBulk: (bulk: Bulk) => Promise<Outcome>
  /**
   * What the claim was answered, if it was: for callers who must know before they do costly work.
   */
  readonly recall: (claim: Claim) => Promise<StoredAnswer | undefined>
  readonly stats: () => { readonly waiting: number; readonly writing: number }
  /** Finishes what was submitted, then closes the connections. */
  readonly close: () => Promise<void>
}

export interface GroupOptions extends Omit<DatabaseOptions, 'connectionsMax'> {
  /** The tables that companion rows may go to, in writing order, each with its columns. */
  readonly companions: CompanionTables
  /** Constraints of companion tables that refuse a unit; any other violation is a bug. */
  readonly refusals: readonly string[]
  readonly groupSizeMax?: number
  readonly groupsInFlightMax?: number
  readonly queueLengthMax?: number
  /** Told of every group that committed, for metrics. */
  readonly onCommit?: (group: { readonly size: number; readonly duration_s: number }) => void
}

interface Waiting {
  readonly unit: Unit
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

/** One for those who recall, one for bulks. */
const CONNECTIONS_FOR_OTHERS = 2
const BULKS_WAITING_MAX = 8

export function openGroup(options: GroupOptions): Group {
  const { groupSizeMax = 256, groupsInFlightMax = 2, queueLengthMax = 4096 } = options
  const pool = openPool(options, groupsInFlightMax + CONNECTIONS_FOR_OTHERS)
  /** How many groups in flight touch an account. */
  const busy = new Map<AccountId, number>()
  let queue: Waiting[] = []
  let writing = 0
  let closing: (() => void) | undefined
  let bulks: Promise<unknown> = Promise.resolve()
  let bulksWaiting = 0

  function fill(): void {
    while (writing < groupsInFlightMax && queue.length > 0) {
      const { group, rest } = nextGroup(queue, busy, groupSizeMax)
      const accounts = new Set(group.flatMap(({ unit }) => accountsOf(unit)))
      for (const id of accounts) count(busy, id, 1)
      queue = rest
      writing += 1
      void writeGroup(pool, options, group).finally(() => {
        writing -= 1
        for (const id of accounts) count(busy, id, -1)
        fill()
      })
    }
    if (writing === 0) closing?.()
  }

  function submit(unit: Unit): Promise<Outcome> {
    if (queue.length >= queueLengthMax || closing !== undefined) {
      return Promise.reject(new LedgerError('ledger_saturated'))
    }
    return new Promise((resolve, reject) => {
      // Everything submitted in one turn of the event loop shares a group.
      if (queue.length === 0) setImmediate(fill)
      queue.push({ unit, resolve, reject })
    })
  }

  async function close(): Promise<void> {
    await new Promise<void>((resolve) => {
      closing = resolve
      fill()
    })
    await bulks
    await pool.end()
  }

  /** Meanwhile its accounts are busy, so that only who needs them waits for it. */
  async function writeBulk(bulk: Bulk): Promise<Outcome> {
    const accounts = new Set(bulk.units.flatMap(accountsOf))
    for (const id of accounts) count(busy, id, 1)
    const started = performance.now()
    try {
      const outcome = await commitBulk(pool, options.companions, bulk)
      const duration_s = (performance.now() - started) / 1000
      options.onCommit?.({ size: bulk.units.length, duration_s })
      return outcome
    } finally {
      for (const id of accounts) count(busy, id, -1)
    }
  }

  /** One at a time, so that whoever pays meanwhile is hardly held up. */
  async function submitBulk(bulk: Bulk): Promise<Outcome> {
    if (closing !== undefined || bulksWaiting === BULKS_WAITING_MAX) {
      throw new LedgerError('ledger_saturated')
    }
    bulksWaiting += 1
    const outcome = bulks.then(() => writeBulk(bulk))
    bulks = outcome.catch(() => {})
    try {
      return await outcome
    } catch (error) {
      throw isUnavailable(error) ? new LedgerError('ledger_unavailable', { cause: error }) : error
    } finally {
      bulksWaiting -= 1
    }
  }

  const stats = () => ({ waiting: queue.length, writing })
  return { submit, submitBulk, recall: openRecall(pool), close, stats }
}

function openPool(options: GroupOptions, max: number): pg.Pool {
  const settings = { ...connectionOptions({ ...options, connectionsMax: max }), pipeline: true }
  const pool = new pg.Pool({ ...settings, max, idleTimeoutMillis: 0 })
  // An idle connection that breaks is replaced at the next use, where the error is seen.
  pool.on('error', () => {})
  return pool
}

/** Never throws: every caller in the group is answered, whatever happens. */
async function writeGroup(pool: pg.Pool, options: GroupOptions, group: readonly Waiting[]) {
  try {
    const started = performance.now()
    const units = group.map((waiting) => waiting.unit)
    const outcomes = await commitUnits(pool, options.companions, units)
    options.onCommit?.({ size: group.length, duration_s: (performance.now() - started) / 1000 })
    for (const [index, { resolve, reject }] of group.entries()) {
      const outcome = outcomes[index]
      if (outcome instanceof Error || outcome === undefined) reject(outcome)
      else resolve(outcome)
    }
  } catch (error) {
    if (group.length > 1 && !isUnavailable(error)) {
      // Somebody offends: halving finds them, and only they see the error.
      const middle = group.length >> 1
      await writeGroup(pool, options, group.slice(0, middle))
      await writeGroup(pool, options, group.slice(middle))
      return
    }
    await refuseAlone(pool, options, group, error)
  }
}

/** Answers a group that failed: a known constraint is a final refusal, anything else an error. */
async function refuseAlone(
  pool: pg.Pool,
  options: GroupOptions,
  group: readonly Waiting[],
  error: unknown,
): Promise<void> {
  const [waiting] = group
  const code = violatedConstraint(error)
  if (waiting !== undefined && code !== undefined && options.refusals.includes(code)) {
    const refused = { ...waiting.unit, transfers: [], conclude: concludeAs(waiting.unit, code) }
    return writeGroup(pool, { ...options, refusals: [] }, [{ ...waiting, unit: refused }])
  }
  const shown = isUnavailable(error)
    ? new LedgerError('ledger_unavailable', { cause: error })
    : error
  for (const { reject } of group) reject(shown)
}
