/**
 * A transaction of one's own that answers a claim: for those who change rows together with money.
 *
 * A group only adds rows. Whoever must also change one, because what is decided depends on it,
 * locks it here, moves money with `createTransfers`, and the answer commits with both.
 */
import type { Knex } from 'knex'
import { type Claim, findAnswers, replayOf, writeAnswers } from './claims.ts'
import type { Outcome } from './commit.ts'
import { withRetries } from './errors.ts'
import type { Connection } from './database.ts'

/**
 * Does `work` once for the claim, however often and from however many processes it is asked: the
 * answer is stored under the claim in the transaction of the work, and two that do it at the same
 * time cannot both store one. Whoever loses is rolled back, looks again and finds the answer.
 * @param work answers what is stored, byte for byte. What it throws undoes everything.
 * @throws {LedgerError} `idempotency_key_reused` when the claim was used for something else.
 */
export async function answerOnce(
  db: Knex,
  claim: Claim,
  work: (trx: Knex.Transaction) => Promise<string>,
): Promise<Outcome> {
  return withRetries(() => db.transaction((trx) => answered(trx, claim, work)))
}

async function answered(
  trx: Knex.Transaction,
  claim: Claim,
  work: (trx: Knex.Transaction) => Promise<string>,
): Promise<Outcome> {
  const connection = (await trx.client.acquireConnection()) as Connection
  const stored = (await findAnswers(connection, [claim])).get(claim.id)
  if (stored !== undefined) return replayOf(claim, stored)
  const answer = await work(trx)
  await Promise.all(writeAnswers(connection, [{ claim }], [{ answer }]))
  return { answer, replayed: false }
}
