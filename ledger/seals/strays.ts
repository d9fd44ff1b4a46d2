/** Transfers that no seal holds, or that more than one does. */
import type { Knex } from 'knex'
import type { Seal } from './heads.ts'

export interface Strays {
  /** How many are not sealed because they came after the last seal. */
  readonly unsealed: number
  /** Committed before the last seal, and in none. */
  readonly forgotten: readonly string[]
  /** In more than one seal. */
  readonly repeated: readonly string[]
}

const EXAMPLES_MAX = 20

/**
 * Whoever has seen that every seal holds only rows committed between its snapshot and the one
 * before knows that none is in two of them; then counting is enough. Where the count is wrong,
 * something else was, or transaction ids of another cluster occur, all ids are compared.
 */
export async function findStrays(
  trx: Knex.Transaction,
  last: Seal,
  isSuspect: boolean,
): Promise<Strays> {
  await trx.raw(`SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on`)
  const { rows } = await trx.raw<{ rows: [{ all: bigint; tail: bigint; restored: boolean }] }>(
    `SELECT (SELECT count(*) FROM transfers) AS all, (${COUNT_TAIL}) AS tail,
            EXISTS (SELECT FROM seals WHERE is_restoration) AS restored`,
    { xmin: `${last.snapshot}`.split(':')[0] ?? '', snapshot: last.snapshot },
  )
  const [{ all, tail, restored }] = rows
  const isCounted = Number(all - tail) === last.size
  if (isCounted && !restored && !isSuspect)
    return { unsealed: Number(tail), forgotten: [], repeated: [] }
  return compareAll(trx, last)
}

/** What a later transaction wrote. One that has not begun cannot have: see `ended`. */
const COUNT_TAIL = `
  SELECT count(*) FROM transfers
   WHERE transaction_id >= :xmin::bigint AND NOT was_done(transaction_id, :snapshot::pg_snapshot)
     AND was_done(transaction_id, pg_current_snapshot())`

async function compareAll(trx: Knex.Transaction, { number, snapshot }: Seal): Promise<Strays> {
  const sealed = `SELECT unpacked_ids(transfer_ids) AS id FROM seals WHERE number <= ${number}`
  const unsealed = `SELECT id, was_done(transaction_id, '${snapshot}')
                        OR NOT was_done(transaction_id, pg_current_snapshot()) AS forgotten
                      FROM transfers t WHERE NOT EXISTS (
                           SELECT FROM (${sealed}) s WHERE s.id = t.id)`
  const forgotten = await trx.raw<{ rows: { id: string }[] }>(
    `SELECT id FROM (${unsealed}) u WHERE forgotten LIMIT ${EXAMPLES_MAX}`,
  )
  const repeated = await trx.raw<{ rows: { id: string }[] }>(
    `SELECT id FROM (${sealed}) s GROUP BY id HAVING count(*) > 1 LIMIT ${EXAMPLES_MAX}`,
  )
  const tail = await trx.raw<{ rows: [{ count: bigint }] }>(
    `SELECT count(*) FROM (${unsealed}) u WHERE NOT forgotten`,
  )
  const idsOf = ({ rows }: { rows: { id: string }[] }) => rows.map(({ id }) => id)
  return {
    unsealed: Number(tail.rows[0].count),
    forgotten: idsOf(forgotten),
    repeated: idsOf(repeated),
  }
}
