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
import { type Claim, findAnswers, openRecall, type StoredAnswer, writeAnswers } from './claims.ts'
import { type CompanionRows, type CompanionTables, writeCompanions } from './companions.ts'
import { connectionOptions, type DatabaseOptions } from './database.ts'
import type { NewUnit, Verdict } from './decide.ts'
import type { AccountId } from './ids.ts'
import { isUnavailable, LedgerError, sqlState, violatedConstraint } from './errors.ts'
import { accountsOf, count, nextGroup } from './turns.ts'
import { type Connection, decideUnderLock, writeMoney } from './transfers.ts'

/** Why a unit came to nothing: the ledger's code, or the constraint that a companion row broke. */
export type Refusal = { readonly accepted: false; readonly code: string }
export type Accepted = Extract<Verdict, { accepted: true }>

export interface Conclusion {
  /** Rows of other tables that commit with the money, by table. */
  readonly rows?: CompanionRows
  /** What the caller is told, byte for byte; kept under the unit's claim. */
  readonly answer: string
}

export interface Unit extends NewUnit {
  /** By which a repetition is recognised. Without one, every submission is new. */
  readonly claim?: Claim
  /**
   * Says what else is written and what is answered. Pure; may be called again when the group is
   * retried. A refused unit may write rows too: its money did not move, but its answer is final.
   */
  readonly conclude: (verdict: Accepted | Refusal) => Conclusion
}

export interface Outcome {
  readonly answer: string
  /** The claim was known: nothing was written and the answer is the first one's. */
  readonly replayed: boolean
}

export interface Group {
  /**
   * @throws {LedgerError} `ledger_saturated` when too many wait, `idempotency_key_reused` when the
   * claim
   *   was used for something else, `ledger_unavailable` when the database did not confirm: the
   *   outcome is then unknown, and submitting the same claim again tells.
   */
  readonly submit: (unit: Unit) => Promise<Outcome>
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

const RETRIES_MAX = 5
const CONNECTIONS_FOR_RECALL = 1

export function openGroup(options: GroupOptions): Group {
  const { groupSizeMax = 256, groupsInFlightMax = 2, queueLengthMax = 4096 } = options
  const pool = openPool(options, groupsInFlightMax + CONNECTIONS_FOR_RECALL)
  /** How many groups in flight touch an account. */
  const busy = new Map<AccountId, number>()
  let queue: Waiting[] = []
  let writing = 0
  let closing: (() => void) | undefined

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
    await pool.end()
  }

  const stats = () => ({ waiting: queue.length, writing })
  return { submit, recall: openRecall(pool), close, stats }
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
    const outcomes = await withRetries(() => commit(pool, options, units))
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

const concludeAs = (unit: Unit, code: string) => () => unit.conclude({ accepted: false, code })

/** Deadlocks and lost races leave nothing behind and may be tried again. */
async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const retriable = ['40001', '40P01'].includes(sqlState(error) ?? '')
      const raced = violatedConstraint(error) === 'claim_exists'
      if (!(retriable || raced) || attempt === RETRIES_MAX) throw error
    }
  }
}

async function commit(
  pool: pg.Pool,
  options: GroupOptions,
  units: readonly Unit[],
): Promise<(Outcome | LedgerError)[]> {
  const connection = await pool.connect()
  let failure: unknown
  try {
    return await writeUnits(connection, options.companions, units)
  } catch (error) {
    failure = error
    await connection.query('ROLLBACK').catch(() => {})
    throw error
  } finally {
    // A connection whose fate is unknown is not used again.
    connection.release(failure !== undefined && violatedConstraint(failure) === undefined)
  }
}

async function writeUnits(
  connection: Connection,
  companions: CompanionTables,
  units: readonly Unit[],
): Promise<(Outcome | LedgerError)[]> {
  const [, known] = await Promise.all([
    connection.query({ text: 'BEGIN' }),
    findAnswers(connection, claimsOf(units)),
  ])
  const { fresh, outcomes } = sortOut(units, known)
  const { verdicts, ...rows } = await decideUnderLock(connection, fresh)
  const conclusions = fresh.map((unit, index) => unit.conclude(verdicts[index] as Verdict))
  await Promise.all([
    ...writeMoney(connection, rows),
    ...writeCompanions(connection, companions, conclusions),
    ...writeAnswers(connection, fresh, conclusions),
    connection.query({ text: 'COMMIT' }),
  ])
  const answers = new Map(fresh.map((unit, index) => [unit, conclusions[index]?.answer ?? '']))
  return units.map((unit, index) => {
    const first = outcomes[index] ?? unit
    if (first instanceof Error || 'answer' in first) return first
    return { answer: answers.get(first) ?? '', replayed: first !== unit }
  })
}

const claimsOf = (units: readonly Unit[]): Claim[] =>
  units.flatMap((unit) => (unit.claim === undefined ? [] : [unit.claim]))

/**
 * Which units are new, and what the others get: the stored answer, the fate of an earlier unit of
 * this very group that makes the same claim, or an error when the claim was for something else.
 */
function sortOut(units: readonly Unit[], known: ReadonlyMap<string, StoredAnswer>) {
  const fresh: Unit[] = []
  const first = new Map<string, Unit>()
  const outcomes = units.map((unit): Outcome | LedgerError | Unit | undefined => {
    const { claim } = unit
    const stored = claim && known.get(claim.id)
    const twin = claim && first.get(claim.id)
    const fingerprint = stored?.fingerprint ?? twin?.claim?.fingerprint
    if (claim !== undefined && fingerprint !== undefined) {
      if (!fingerprint.equals(claim.fingerprint)) return new LedgerError('idempotency_key_reused')
      return stored === undefined ? twin : { answer: stored.answer, replayed: true }
    }
    if (claim !== undefined) first.set(claim.id, unit)
    fresh.push(unit)
    return undefined
  })
  return { fresh, outcomes }
}
