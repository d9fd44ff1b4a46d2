/** What an account was credited for one reason, day by day, in a range of its numbered entries. */
import type { Knex } from 'knex'
import type { AccountId } from './ids.ts'

export interface Daily {
  /** In UTC, as ISO 8601 has it: when it was recorded. */
  readonly day: string
  /** Minor units. */
  readonly credited: bigint
}

/** Days on which there was nothing are left out; the earliest first. */
export async function creditedByDay(
  db: Knex,
  account: AccountId,
  { code, beyond, last }: { readonly code: string; readonly beyond: bigint; readonly last: bigint },
): Promise<Daily[]> {
  const { rows } = await db.raw<{ rows: Daily[] }>(
    `SELECT to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
            sum(amount)::bigint AS credited
       FROM transfers
      WHERE credit_account_id = :account AND credit_entry > :beyond AND credit_entry <= :last
        AND code = :code AND kind IN ('single', 'post')
      GROUP BY 1 ORDER BY 1`,
    { account, code, beyond: beyond.toString(), last: last.toString() },
  )
  return rows
}
