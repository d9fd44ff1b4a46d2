/**
 * Whose turn it is to be settled: a work list that any number of workers share. Who takes a turn
 * puts it off for as long as the work may take; one that its worker dies over comes again then.
 */
import type { Knex } from 'knex'
import type { Currency, Uuid } from '../../ledger/index.ts'

export interface Turn {
  readonly merchant: Uuid
  readonly currency: Currency
  /** The last cut-off that is done. */
  readonly settledTo: Date
}

interface Taking {
  readonly now: Date
  /** When they come again, unless they are returned before. */
  readonly until: Date
  readonly limit: number
}

/** Takes turns that have come, those that waited longest first. */
export async function takeTurns(db: Knex, { now, until, limit }: Taking): Promise<Turn[]> {
  const { rows } = await db.raw<{ rows: Turn[] }>(
    `UPDATE settlement_turns t SET next_at = :until
       FROM (SELECT merchant_id, currency FROM settlement_turns
              WHERE next_at <= :now ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED) due
      WHERE t.merchant_id = due.merchant_id AND t.currency = due.currency
  RETURNING t.merchant_id AS merchant, t.currency, t.settled_to AS "settledTo"`,
    { now, until, limit },
  )
  return rows
}

export interface Taken extends Omit<Turn, 'settledTo'> {
  /** The last cut-off that is done now; undefined: none, and the turn begins where it did. */
  readonly settledTo: Date | undefined
  /** When there is something to do again; undefined: not before the schedule changes. */
  readonly nextAt: Date | undefined
}

/**
 * How far each got. Where a schedule changed meanwhile, `next_at` is another: that is kept. So is
 * an earlier beginning, unless something is done: it would be lost under the one that was taken.
 * They are locked in one order: a worker back from a standstill may return turns beside whoever
 * has taken them since.
 */
export async function returnTurns(db: Knex, turns: readonly Taken[], until: Date): Promise<void> {
  await db.raw(
    `WITH returned AS (
       SELECT * FROM unnest(:merchants::uuid[], :currencies::text[], :settled::timestamptz[],
                            :nexts::timestamptz[]) AS r (merchant_id, currency, settled_to, next_at)
     ), locked AS (
       SELECT merchant_id, currency
         FROM settlement_turns JOIN returned USING (merchant_id, currency)
        ORDER BY merchant_id, currency FOR NO KEY UPDATE OF settlement_turns
     )
     UPDATE settlement_turns t
        SET settled_to = greatest(t.settled_to, r.settled_to),
            next_at = CASE WHEN t.next_at = :until THEN r.next_at
                           ELSE least(t.next_at, r.next_at) END
       FROM returned r JOIN locked USING (merchant_id, currency)
      WHERE t.merchant_id = r.merchant_id AND t.currency = r.currency`,
    {
      until,
      merchants: turns.map(({ merchant }) => merchant),
      currencies: turns.map(({ currency }) => currency),
      settled: turns.map(({ settledTo }) => settledTo?.toISOString() ?? null),
      nexts: turns.map(({ nextAt }) => nextAt?.toISOString() ?? null),
    },
  )
}

/** How many turns have come. */
export async function countTurns(db: Knex, now: Date): Promise<number> {
  const { rows } = await db.raw<{ rows: [{ count: bigint }] }>(
    'SELECT count(*) AS count FROM settlement_turns WHERE next_at <= ?',
    [now],
  )
  return Number(rows[0].count)
}
