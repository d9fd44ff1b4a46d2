/** What moved an account for some reasons, day by day, in a range of its numbered entries. */
import type { Knex } from 'knex'
import type { AccountId } from './ids.ts'

export interface Daily {
  /** In UTC, as ISO 8601 has it: when it was recorded. */
  readonly day: string
  /** Minor units. */
  readonly credited: bigint
  readonly debited: bigint
}

/** Days on which there was nothing are left out; the earliest first. */
export async function movedByDay(
  db: Knex,
  account: AccountId,
  {
    codes,
    beyond,
    last,
  }: { readonly codes: readonly string[]; readonly beyond: bigint; readonly last: bigint },
): Promise<Daily[]> {
  const { rows } = await db.raw<{ rows: Daily[] }>(
    `WITH moved AS (
       SELECT recorded_at, amount AS credited, 0 AS debited FROM transfers
        WHERE credit_account_id = :account AND credit_entry > :beyond AND credit_entry <= :last
          AND code = ANY (:codes::text[]) AND kind IN ('single', 'post')
        UNION ALL
       SELECT recorded_at, 0, amount FROM transfers
        WHERE debit_account_id = :account AND debit_entry > :beyond AND debit_entry <= :last
          AND code = ANY (:codes::text[]) AND kind IN ('single', 'post')
     )
     SELECT to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
            sum(credited)::bigint AS credited, sum(debited)::bigint AS debited
       FROM moved GROUP BY 1 ORDER BY 1`,
    { account, codes: [...codes], beyond: beyond.toString(), last: last.toString() },
  )
  return rows
}
