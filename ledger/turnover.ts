/** What an account was credited for one reason, by ranges of its numbered entries. */
import type { Knex } from 'knex'
import type { AccountId } from './ids.ts'

export interface Turnover {
  /** The account's last entry that was recorded before the moment. */
  readonly lastEntry: bigint
  /** Minor units that entries of the code credited, beyond one entry and up to the last. */
  readonly credited: bigint
}

/**
 * What entries with this code credited, beyond the entry `beyond` and before `before`. Entries that
 * are still being written may lack; they have higher numbers than `lastEntry`, so whoever asks next
 * from there on finds them: each counts once.
 * @param beyond left out, nothing is counted: this only says where counting begins.
 */
export async function turnoverOf(
  db: Knex,
  account: AccountId,
  {
    code,
    beyond,
    before,
  }: { readonly code: string; readonly beyond?: bigint; readonly before: Date },
): Promise<Turnover> {
  const { rows } = await db.raw<{ rows: Turnover[] }>(
    `WITH range AS (SELECT entry_at(:account,
                             cast(:before AS timestamptz) - interval '1 microsecond') AS last)
     SELECT range.last AS "lastEntry",
            (SELECT coalesce(sum(amount), 0)::bigint FROM transfers
              WHERE credit_account_id = :account
                AND credit_entry > coalesce(:beyond, range.last) AND credit_entry <= range.last
                AND code = :code AND kind IN ('single', 'post')) AS credited
       FROM range`,
    { account, code, before: before.toISOString(), beyond: beyond?.toString() ?? null },
  )
  return rows[0] ?? { lastEntry: 0n, credited: 0n }
}
