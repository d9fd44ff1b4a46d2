/**
 * The answers that commit with the money: the object as the API shows it, or why it was refused.
 */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  type Conclusion,
  LedgerError,
  type Outcome,
  type Refusal,
  violatedConstraint,
} from '../ledger/index.ts'
import { CONSTRAINT_CODES, ServiceError } from './errors.ts'

/**
 * A final refusal: stored under the claim, answered again for ever. What was only too much to go
 * without an approval is not final: with one, the same request may come again.
 */
export const refused = ({ code }: Refusal): Conclusion | Error =>
  code === 'allowance_exceeded' ? new ServiceError('approval_required') : finalRefusal(code)

const finalRefusal = (code: string): Conclusion => ({ answer: refusedFor(code) })

/** What is stored of a refusal for good. */
export const refusedFor = (code: string): string => JSON.stringify({ refused: code })

/**
 * What is stored for `work`: its result, or that the books refused. `work` must have written
 * nothing when they do. What else it throws is not final, and is thrown on.
 * @throws {ServiceError} for a constraint that a request can break: something changed after it had
 *   been looked up. All that was written is gone, and the same may be asked again.
 */
export async function answerOf(work: () => Promise<unknown>): Promise<string> {
  try {
    return JSON.stringify(await work())
  } catch (error) {
    if (error instanceof LedgerError) return refusedFor(error.code)
    const broken = CONSTRAINT_CODES.find((code) => code === violatedConstraint(error))
    throw broken === undefined ? error : new ServiceError(broken)
  }
}

/** Does `work` in a transaction of its own: once for the claim, where there is one. */
export async function answerFor(
  db: Knex,
  claim: Claim | undefined,
  work: (trx: Knex.Transaction) => Promise<string>,
): Promise<Outcome> {
  if (claim !== undefined) return answerOnce(db, claim, work)
  return { answer: await db.transaction(work), replayed: false }
}
