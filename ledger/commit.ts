/** One transaction: claims recognised, accounts locked, units decided, everything written. */
import type pg from 'pg'
import { type Claim, findAnswers, type StoredAnswer, writeAnswers } from './claims.ts'
import { type CompanionRows, type CompanionTables, writeCompanions } from './companions.ts'
import type { Verdict } from './decide.ts'
import { LedgerError, violatedConstraint, withRetries } from './errors.ts'
import type { Connection } from './database.ts'
import type { KnownQuotas } from './quotas.ts'
import { decideUnderLock, type LockedDecision, writesOf } from './transfers.ts'
import type { NewUnit } from './units.ts'

/** Why a unit came to nothing: the ledger's code, or the constraint that a companion row broke. */
export type Refusal = { readonly accepted: false; readonly code: string }
export type Accepted = Extract<Verdict, { accepted: true }>

export interface Conclusion {
  /** Rows of other tables that commit with the money, by table. */
  readonly rows?: CompanionRows
  /** What the caller is told, byte for byte; kept under the unit's claim. */
  readonly answer: string
  /** What the caller alone is given beside it, so as not to read it out of the answer. Not kept. */
  readonly made?: object | undefined
}

export interface Unit extends NewUnit {
  /** By which a repetition is recognised. Without one, every submission is new. */
  readonly claim?: Claim
  /**
   * Says what else is written and what is answered. Pure; may be called again when the group is
   * retried. A refused unit may write rows too: its money did not move, but its answer is final.
   * An error, for a refusal that is not: the caller gets it, nothing is kept, the claim is free.
   */
  readonly conclude: (verdict: Accepted | Refusal) => Conclusion | Error
}

export interface Outcome {
  readonly answer: string
  /** The claim was known: nothing was written and the answer is the first one's. */
  readonly replayed: boolean
  /** As it was concluded; never of an answer that was given before. */
  readonly made?: object | undefined
}

export const concludeAs = (unit: Unit, code: string) => () =>
  unit.conclude({ accepted: false, code })

export async function commitUnits(
  pool: pg.Pool,
  companions: CompanionTables,
  units: readonly Unit[],
  knownQuotas: KnownQuotas,
): Promise<(Outcome | Error)[]> {
  return inTransaction(pool, async (connection, begun) => {
    const [, known] = await Promise.all([begun, findAnswers(connection, claimsOf(units))])
    const { fresh, earlier } = sortOut(units, known)
    const { verdicts, ...rows } = await decideUnderLock(connection, fresh, knownQuotas)
    const conclusions = fresh.map((unit, index) => unit.conclude(verdicts[index] as Verdict))
    await write(connection, companions, rows, concluded(fresh, conclusions))
    knownQuotas.add([...rows.quotaPlaces.keys()])
    const answers = answersOf(fresh, conclusions)
    return units.map((unit, index) => outcomeOf(unit, earlier[index], answers))
  })
}

/** `work` sends the COMMIT itself, together with its last statements. */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (connection: Connection, begun: Promise<unknown>) => Promise<T>,
): Promise<T> {
  return withRetries(() => attempted(pool, work))
}

async function attempted<T>(
  pool: pg.Pool,
  work: (connection: Connection, begun: Promise<unknown>) => Promise<T>,
): Promise<T> {
  const connection = await pool.connect()
  let isDoubtful = false
  try {
    return await work(connection, connection.query({ text: 'BEGIN' }))
  } catch (error) {
    // A connection whose fate is unknown is not used again.
    isDoubtful = violatedConstraint(error) === undefined && !(error instanceof LedgerError)
    await connection.query('ROLLBACK').catch(() => {})
    throw error
  } finally {
    connection.release(isDoubtful)
  }
}

export async function write(
  connection: Connection,
  companions: CompanionTables,
  rows: Omit<LockedDecision, 'verdicts'>,
  done: readonly Concluded[],
): Promise<void> {
  const conclusions = done.map(({ conclusion }) => conclusion)
  await Promise.all([
    ...writesOf(rows).map((one) => one(connection)),
    ...writeCompanions(connection, companions, conclusions),
    ...writeAnswers(connection, done, conclusions),
    connection.query({ text: 'COMMIT' }),
  ])
}

export interface Concluded {
  readonly claim?: Claim | undefined
  readonly conclusion: Conclusion
}

/** Those of the units that are answered for ever. */
export const concluded = (
  units: readonly Unit[],
  conclusions: readonly (Conclusion | Error)[],
): Concluded[] =>
  units.flatMap(({ claim }, index) => {
    const conclusion = conclusions[index]
    return conclusion === undefined || conclusion instanceof Error ? [] : [{ claim, conclusion }]
  })

type Answers = ReadonlyMap<Unit, Conclusion | Error | undefined>

export const answersOf = (
  units: readonly Unit[],
  conclusions: readonly (Conclusion | Error)[],
): Answers => new Map(units.map((unit, index) => [unit, conclusions[index]]))

/** @param earlier what the unit's claim came to before it, if anything. */
export function outcomeOf(
  unit: Unit,
  earlier: Earlier | undefined,
  answers: Answers,
): Outcome | Error {
  const first = earlier ?? unit
  if (first instanceof Error || 'answer' in first) return first
  const conclusion = answers.get(first)
  if (conclusion instanceof Error) return conclusion
  const { answer = '', made } = conclusion ?? {}
  if (first !== unit) return { answer, replayed: true }
  return { answer, replayed: false, ...(made && { made }) }
}

export type Earlier = Outcome | LedgerError | Unit

export const claimsOf = (units: readonly Pick<Unit, 'claim'>[]): Claim[] =>
  units.flatMap((unit) => (unit.claim === undefined ? [] : [unit.claim]))

/**
 * Which units are new, and what the others get: the stored answer, the fate of an earlier unit of
 * this very group that makes the same claim, or an error when the claim was for something else.
 */
export function sortOut(units: readonly Unit[], known: ReadonlyMap<string, StoredAnswer>) {
  const fresh: Unit[] = []
  const first = new Map<string, Unit>()
  const earlier = units.map((unit): Earlier | undefined => {
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
  return { fresh, earlier }
}
