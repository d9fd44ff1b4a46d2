/**
 * What an account came to at a moment. There are three times: when something was recorded here,
 * when it happened in the world, and in which accounting period it is booked.
 */
import type { Knex } from 'knex'
import { LedgerError } from './errors.ts'
import type { AccountId } from './ids.ts'

/** A moment covers its whole millisecond, as times are shown. */
export interface Moment {
  /** What was known then; left out, all that is known now. */
  readonly recordedAt?: Date | undefined
  /** What had happened by then, whenever it was recorded. */
  readonly effectiveAt?: Date | undefined
  /** What belongs to periods up to then. Cannot be asked together with `effectiveAt`. */
  readonly bookedAt?: Date | undefined
}

/** By which of its times an entry counts. */
export type CountedBy = 'recorded' | 'effective' | 'booked'

/** The column of `entries` for each. */
export const TIME = {
  recorded: 'recorded_at',
  effective: 'effective_at',
  booked: 'booked_at',
} as const satisfies Record<CountedBy, string>

/**
 * The posted balance at that moment, in minor units on the account's normal side. An answer about a
 * moment that is less than a second past may still miss what is being written.
 * @throws {LedgerError} `account_not_found`; `moment_not_answerable` for the future, for the time
 *   before the account was opened, and for two times of counting at once.
 */
export async function balanceAt(db: Knex, account: AccountId, moment: Moment): Promise<bigint> {
  const { recordedAt, effectiveAt, bookedAt } = moment
  if (effectiveAt !== undefined && bookedAt !== undefined) {
    throw new LedgerError('moment_not_answerable')
  }
  const asked = [recordedAt, effectiveAt, bookedAt].filter((one) => one !== undefined)
  await refuseUnanswerable(db, account, asked)
  const countedAt = effectiveAt ?? bookedAt
  return balanceBefore(db, account, {
    by: effectiveAt === undefined ? 'booked' : 'effective',
    known: recordedAt && after(recordedAt),
    counted: countedAt && after(countedAt),
  })
}

/** The first moment that does not belong to this one any more. */
export const after = (moment: Date): Date => new Date(moment.getTime() + 1)

/** @throws {LedgerError} `account_not_found` or `moment_not_answerable`. */
export async function refuseUnanswerable(
  db: Knex,
  account: AccountId,
  moments: readonly Date[],
): Promise<void> {
  const { rows } = await db.raw<{ rows: { is_answerable: boolean }[] }>(
    `SELECT NOT EXISTS (
              SELECT FROM unnest(?::timestamptz[]) AS asked (moment)
               WHERE moment > statement_timestamp()
                  OR moment + interval '1 millisecond' <= opened_at) AS is_answerable
       FROM accounts WHERE id = ?`,
    // As dates: text has no year 0 in Postgres.
    [[...moments], account],
  )
  const [row] = rows
  if (row === undefined) throw new LedgerError('account_not_found')
  if (!row.is_answerable) throw new LedgerError('moment_not_answerable')
}

export interface Before {
  readonly by: CountedBy
  /** Of what was recorded before this; left out, of everything. */
  readonly known?: Date | undefined
  /** And counts from before this; left out, whenever. */
  readonly counted?: Date | undefined
}

/**
 * The balance that the account's own entries carry at the earlier of both moments, corrected by
 * what is late: less what is recorded there and counts only afterwards, plus what was recorded
 * later and counts before. Nothing counts from more than a minute after it was recorded, see the
 * constraints `effective_in_future` and `booked_in_future`.
 */
const BALANCE_BEFORE = (by: CountedBy) => `
  SELECT (coalesce(stood.balance, 0) + coalesce(late.change, 0))::bigint AS balance
    FROM accounts a
    LEFT JOIN LATERAL (
         SELECT balance FROM entries
          WHERE account_id = a.id
            AND entry = (SELECT entry_at(:account,
                                cast(:first AS timestamptz) - interval '1 microsecond'))
         ) stood ON true
    LEFT JOIN LATERAL (
         SELECT sum(CASE WHEN side = a.normal_side THEN amount ELSE -amount END
                  * CASE WHEN recorded_at < :first THEN -1 ELSE 1 END) AS change
           FROM entries
          WHERE account_id = a.id
            AND is_late
            AND recorded_at >= cast(:first AS timestamptz) - interval '1 minute'
            AND recorded_at < :known
            AND kind IN ('single', 'post', 'reversal')
            AND (${TIME[by]} < :counted) <> (recorded_at < :first)
         ) late ON true
   WHERE a.id = :account`

const EVER = 'infinity'

/** In minor units on the normal side; the moments are not checked. */
export async function balanceBefore(
  db: Knex,
  account: AccountId,
  { by, known, counted }: Before,
): Promise<bigint> {
  const isKnownFirst = counted === undefined || (known !== undefined && known < counted)
  const first = isKnownFirst ? known : counted
  const { rows } = await db.raw<{ rows: { balance: bigint }[] }>(BALANCE_BEFORE(by), {
    account,
    first: first?.toISOString() ?? EVER,
    known: known?.toISOString() ?? EVER,
    counted: counted?.toISOString() ?? EVER,
  })
  const [row] = rows
  if (row === undefined) throw new LedgerError('account_not_found')
  return row.balance
}
