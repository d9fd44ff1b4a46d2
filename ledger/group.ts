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
import { setImmediate as immediate } from 'node:timers/promises'
import pg from 'pg'
import { ANSWERS, type Claim, type StoredAnswer } from './claims.ts'
import { type Bulk, type Bulks, openBulks } from './bulks.ts'
import { commitUnits, concludeAs, type Outcome, type Unit } from './commit.ts'
import type { CompanionTables } from './companions.ts'
import { acceptConnection, connectionOptions, type DatabaseOptions } from './database.ts'
import type { AccountId } from './ids.ts'
import { isUnavailable, LedgerError, violatedConstraint } from './errors.ts'
import { openInTime } from './in_time.ts'
import { type KnownQuotas, openKnownQuotas } from './quotas.ts'
import { type Looks, openLooks } from './looks.ts'
import { accountsOf, count, nextGroup } from './turns.ts'

export interface Group {
  /**
   * @throws {LedgerError} `ledger_saturated` when too many wait, `idempotency_key_reused` when the
   *   claim was used for something else, `ledger_unavailable` when the database did not confirm:
   *   the outcome is then unknown, and submitting the same claim again tells.
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
  /** Anything else that many callers ask at once; it flies with what they recall. */
  readonly look: Looks['ask']
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

interface Settings extends GroupOptions {
  readonly knownQuotas: KnownQuotas
}

interface Waiting {
  readonly unit: Unit
  readonly accounts: readonly AccountId[]
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * So many wait before another group goes beside those in flight: what a group costs is shared by
 * all in it, and a small one only keeps the processors from those that are being written.
 */
const WORTH_A_GROUP = 32
/**
 * And for so long at most: a group that waits for somebody else's locks must not keep those
 * waiting who need none of them.
 */
const PATIENCE_MS = 50
const ANSWERS_AT_ONCE = 32
/** One writes, and one more waits at its locks. */
const WRITERS_OF_ONE_ACCOUNT = 2
/** One for those who look, one for bulks. */
const CONNECTIONS_FOR_OTHERS = 2

export function openGroup(options: GroupOptions): Group {
  const [group, inTime] = [openQueue(options), openInTime(options)]
  return {
    ...group,
    submit: (unit) => inTime(group.submit(unit)),
    look: (question, key) => inTime(group.look(question, key)),
    recall: (claim) => inTime(group.recall(claim)),
  }
}

/** The same, where nobody is told that it takes too long. */
function openQueue(options: GroupOptions): Group {
  const { groupSizeMax = 512, groupsInFlightMax = 3, queueLengthMax = 4096 } = options
  const pool = openPool(options, groupsInFlightMax + CONNECTIONS_FOR_OTHERS)
  /** How many units in flight touch an account. */
  const busy = new Map<AccountId, number>()
  let [queue, writing]: [Waiting[], number] = [[], 0]
  const patience = openPatience(fill)
  let closing: (() => void) | undefined
  const bulks = bulksOf(pool, options, busy)
  const settings = { ...options, knownQuotas: openKnownQuotas() }

  function fill(): void {
    while (writing < groupsInFlightMax && queue.length > 0) {
      if (writing > 0 && queue.length < WORTH_A_GROUP && patience.lasts()) break
      const { group, rest } = nextGroup(queue, busy, groupSizeMax, writing < WRITERS_OF_ONE_ACCOUNT)
      if (group.length === 0) break
      patience.begin()
      count(busy, group, 1)
      ;[queue, writing] = [rest, writing + 1]
      void writeGroup(pool, settings, group).finally(() => {
        writing -= 1
        count(busy, group, -1)
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
      queue.push({ unit, accounts: accountsOf(unit), resolve, reject })
    })
  }

  async function close(): Promise<void> {
    await new Promise<void>((resolve) => {
      closing = resolve
      fill()
    })
    await bulks.close().then(() => pool.end())
  }

  const stats = () => ({ waiting: queue.length, writing })
  return { submit, submitBulk: bulks.submit, ...lookingIn(pool), close, stats }
}

interface Patience {
  /** Another group is in flight: from now on. */
  readonly begin: () => void
  /** Whether to wait for it; if so, `later` is called when that is over. */
  readonly lasts: () => boolean
}

function openPatience(later: () => void): Patience {
  let begun_ms = 0
  let timer: NodeJS.Timeout | undefined
  return {
    begin() {
      begun_ms = performance.now()
    },
    lasts() {
      const left_ms = PATIENCE_MS - (performance.now() - begun_ms)
      if (left_ms <= 0) return false
      timer ??= setTimeout(() => {
        timer = undefined
        later()
      }, Math.ceil(left_ms))
      return true
    },
  }
}

function lookingIn(pool: pg.Pool): Pick<Group, 'look' | 'recall'> {
  const { ask: look } = openLooks(pool)
  return { look, recall: ({ id }) => look(ANSWERS, id) }
}

/** While one is being written its accounts are busy, so that only who needs them waits for it. */
function bulksOf(pool: pg.Pool, options: GroupOptions, busy: Map<AccountId, number>): Bulks {
  return openBulks(pool, options.companions, async (bulk, work) => {
    const touched = [{ accounts: bulk.units.flatMap(accountsOf) }]
    count(busy, touched, 1)
    return measured(options, bulk.units.length, work).finally(() => count(busy, touched, -1))
  })
}

/**
 * Whatever is asked here names its rows by their key or their place. Statements are planned once,
 * when tables may be small, and must not read all of them for ever because of that.
 */
const PLANNING = '-c enable_hashjoin=off -c enable_mergejoin=off'

function openPool(options: GroupOptions, max: number): pg.Pool {
  const database = { ...options, connectionsMax: max }
  const settings = connectionOptions(database)
  const pool = new pg.Pool({
    ...settings,
    options: `${settings.options} ${PLANNING}`,
    ...{ pipeline: true, max, idleTimeoutMillis: 0 },
    // oxlint-disable-next-line typescript/no-misused-promises -- it is waited for; the types lag
    onConnect: (client) => acceptConnection(client, database),
  })
  // A connection that breaks, in use or not, is replaced: whoever uses it next sees the error.
  pool.on('error', () => {})
  return pool
}

async function measured<T>(
  { onCommit }: GroupOptions,
  size: number,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  const result = await work()
  onCommit?.({ size, duration_s: (performance.now() - started) / 1000 })
  return result
}

/** Never throws: every caller in the group is answered, whatever happens. */
async function writeGroup(pool: pg.Pool, options: Settings, group: readonly Waiting[]) {
  try {
    const units = group.map((waiting) => waiting.unit)
    const work = () => commitUnits(pool, options.companions, units, options.knownQuotas)
    await answer(group, await measured(options, group.length, work))
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

/**
 * Tells the callers, some at a time: what they do next must not keep the other groups in flight
 * from being decided, for these hold locks.
 */
async function answer(
  group: readonly Waiting[],
  outcomes: readonly (Outcome | Error)[],
): Promise<void> {
  for (const [index, { resolve, reject }] of group.entries()) {
    if (index % ANSWERS_AT_ONCE === ANSWERS_AT_ONCE - 1) await immediate()
    const outcome = outcomes[index]
    if (outcome instanceof Error || outcome === undefined) reject(outcome)
    else resolve(outcome)
  }
}

/** Answers a group that failed: a known constraint is a final refusal, anything else an error. */
async function refuseAlone(
  pool: pg.Pool,
  options: Settings,
  group: readonly Waiting[],
  error: unknown,
): Promise<void> {
  const [waiting] = group
  const code = violatedConstraint(error)
  if (waiting !== undefined && code !== undefined && options.refusals.includes(code)) {
    const refused = {
      ...waiting.unit,
      transfers: [],
      uses: [],
      conclude: concludeAs(waiting.unit, code),
    }
    return writeGroup(pool, { ...options, refusals: [] }, [{ ...waiting, unit: refused }])
  }
  const shown = isUnavailable(error)
    ? new LedgerError('ledger_unavailable', { cause: error })
    : error
  for (const { reject } of group) reject(shown)
}
