/** Units of the past that new ones refer to, read from the books. */
import { uuidsOf } from './wire/binary.ts'
import type { Connection } from './database.ts'
import { transferIdAt, TRANSFERS_PER_UNIT_MAX, type UnitId } from './ids.ts'
import type { Origin, OriginRow } from './origins.ts'

/** Transfers never change, so those of earlier units may be read before any account is locked. */
export async function findOrigins(connection: Connection, ids: readonly UnitId[]) {
  const origins = new Map<UnitId, OriginRow[]>()
  if (ids.length === 0) return origins
  const { rows } = await connection.query({
    name: 'find_origins',
    text: `SELECT u.first AS unit, t.id, t.kind, t.debit_account_id AS debit,
                  t.credit_account_id AS credit, t.amount, t.currency, t.expires_at AS "expiresAt"
             FROM unnest($1::uuid[], $2::uuid[]) AS u (first, last)
            CROSS JOIN LATERAL (
                  SELECT * FROM transfers WHERE id BETWEEN u.first AND u.last ORDER BY id) t`,
    values: [
      uuidsOf(ids.map((id) => transferIdAt(id, 0))),
      uuidsOf(ids.map((id) => transferIdAt(id, TRANSFERS_PER_UNIT_MAX - 1))),
    ],
  })
  type Row = Omit<OriginRow, 'money'> & OriginRow['money'] & { unit: UnitId }
  for (const { unit, amount, currency, ...row } of rows as Row[]) {
    const money = { amount, currency }
    const origin = origins.get(unit) ?? []
    origin.push({ ...row, money, resolved: 0n, resolutions: 0n, isReversed: false })
    origins.set(unit, origin)
  }
  return origins
}

/**
 * What was posted, voided or reversed of them already. May only be asked under lock: whoever does
 * any of it locks their accounts.
 */
export async function withWhatBecame(
  connection: Connection,
  origins: ReadonlyMap<UnitId, Origin>,
): Promise<ReadonlyMap<UnitId, Origin>> {
  const ids = [...origins.values()].flatMap((origin) => origin.map((row) => row.id))
  if (ids.length === 0) return origins
  const { rows } = await connection.query({
    name: 'find_what_became',
    text: `SELECT o.id, r.resolved, r.resolutions,
                  EXISTS (SELECT FROM transfers WHERE reverses_id = o.id) AS "isReversed"
             FROM unnest($1::uuid[]) AS o (id)
            CROSS JOIN LATERAL (
                  SELECT coalesce(sum(amount), 0)::bigint AS resolved, count(*) AS resolutions
                    FROM transfers WHERE pending_id = o.id) r`,
    values: [uuidsOf(ids)],
  })
  const became = new Map((rows as OriginRow[]).map((row) => [row.id, row]))
  return new Map(
    [...origins].map(([id, origin]) => [
      id,
      origin.map((row) => ({ ...row, ...became.get(row.id) })),
    ]),
  )
}
