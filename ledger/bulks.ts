/** Many units of one caller: decided in their order, in one transaction, if asked all or none. */
import type pg from 'pg'
import { type Claim, findAnswers, replayOf } from './claims.ts'
import {
  answersOf,
  claimsOf,
  concluded,
  type Conclusion,
  type Earlier,
  inTransaction,
  type Outcome,
  outcomeOf,
  sortOut,
  type Unit,
  write,
} from './commit.ts'
import type { CompanionTables } from './companions.ts'
import type { Verdict } from './decide.ts'
import { isUnavailable, LedgerError } from './errors.ts'
import { decideUnderLock } from './transfers.ts'

export interface Bulk {
  readonly units: readonly Unit[]
  /** Whether nothing happens at all unless every unit is new and accepted. */
  readonly isAtomic: boolean
  readonly claim?: Claim
  /**
   * Says what the bulk is answered. Pure. When an atomic bulk fails, those that are not refused
   * themselves are `undone`.
   */
  readonly conclude: (results: readonly BulkResult[]) => Conclusion
}

export type BulkResult =
  | { readonly state: 'accepted' | 'replayed'; readonly answer: string }
  | { readonly state: 'refused'; readonly code: string }
  | { readonly state: 'undone' }

/** More than so many that wait are turned away. */
const WAITING_MAX = 8

export interface Bulks {
  /** @throws {LedgerError} like `Group.submit`. */
  readonly submit: (bulk: Bulk) => Promise<Outcome>
  /** Takes none any more; resolves when none is being written. */
  readonly close: () => Promise<unknown>
}

/** One at a time, so that whoever pays meanwhile is hardly held up. */
export function openBulks(
  pool: pg.Pool,
  companions: CompanionTables,
  around: <T>(bulk: Bulk, work: () => Promise<T>) => Promise<T>,
): Bulks {
  let newest: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let isClosed = false

  async function submit(bulk: Bulk): Promise<Outcome> {
    if (isClosed || waiting === WAITING_MAX) throw new LedgerError('ledger_saturated')
    waiting += 1
    const outcome = newest.then(() => around(bulk, () => commitBulk(pool, companions, bulk)))
    newest = outcome.catch(() => {})
    try {
      return await outcome
    } catch (error) {
      throw isUnavailable(error) ? new LedgerError('ledger_unavailable', { cause: error }) : error
    } finally {
      waiting -= 1
    }
  }

  function close(): Promise<unknown> {
    isClosed = true
    return newest
  }

  return { submit, close }
}

async function commitBulk(
  pool: pg.Pool,
  companions: CompanionTables,
  bulk: Bulk,
): Promise<Outcome> {
  const claims = claimsOf([...bulk.units, bulk])
  return inTransaction(pool, async (connection, begun) => {
    const [, known] = await Promise.all([begun, findAnswers(connection, claims)])
    const stored = bulk.claim && known.get(bulk.claim.id)
    if (bulk.claim !== undefined && stored !== undefined) {
      await connection.query({ text: 'ROLLBACK' })
      return replayOf(bulk.claim, stored)
    }
    const { fresh, earlier } = sortOut(bulk.units, known)
    const { verdicts, ...rows } = await decideUnderLock(connection, fresh)
    const conclusions = fresh.map((unit, index) => unit.conclude(verdicts[index] as Verdict))
    const results = resultsOf(bulk, earlier, verdicts, answersOf(fresh, conclusions))
    const conclusion = bulk.conclude(results)
    const whole = { claim: bulk.claim, conclusion }
    const isUndone = bulk.isAtomic && results.some(({ state }) => state !== 'accepted')
    if (isUndone) await write(connection, companions, NOTHING, [whole])
    else await write(connection, companions, rows, [...concluded(fresh, conclusions), whole])
    return { answer: conclusion.answer, replayed: false }
  })
}

const NOTHING = {
  ...{ accounts: [], transfers: [], quotas: [] },
  ...{ places: new Map(), quotaPlaces: new Map() },
}

/** In the units' order; the verdicts are those of the units that nothing is known of. */
function resultsOf(
  { units, isAtomic }: Bulk,
  earlier: readonly (Earlier | undefined)[],
  verdicts: readonly Verdict[],
  answers: ReturnType<typeof answersOf>,
): BulkResult[] {
  const ofFresh = verdicts.values()
  const results = units.map((unit, index): BulkResult => {
    const before = earlier[index]
    const verdict = before === undefined ? ofFresh.next().value : undefined
    if (verdict?.accepted === false) return { state: 'refused', code: verdict.code }
    const outcome = outcomeOf(unit, before, answers)
    if (outcome instanceof LedgerError) return { state: 'refused', code: outcome.code }
    if (outcome instanceof Error) throw outcome
    if (verdict !== undefined) return { state: 'accepted', answer: outcome.answer }
    if (isAtomic) return { state: 'refused', code: 'idempotency_key_reused' }
    return { state: 'replayed', answer: outcome.answer }
  })
  if (!isAtomic || results.every(({ state }) => state === 'accepted')) return results
  return results.map((result) => (result.state === 'refused' ? result : { state: 'undone' }))
}
