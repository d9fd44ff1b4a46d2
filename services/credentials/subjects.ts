/**
 * What is known of the subject of a token who is not a person: the merchant it acts for, and since
 * when its tokens are good. It may change between two requests, so it is asked at each.
 */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Config } from '../config.ts'
import { type Load, openLoader } from '../loader.ts'
import type { Right } from './scopes.ts'

export interface Subject {
  /** Undefined for whoever acts for no merchant. */
  readonly merchant: Uuid | undefined
  /** What it may do for the merchant; a token may allow less. */
  readonly rights: readonly Right[]
  /** Tokens of this moment or earlier are revoked. */
  readonly revokedBefore: Date | null
}

interface Row {
  readonly issuer: string
  readonly subject: string
  readonly merchant_id: Uuid | null
  readonly rights: readonly Right[] | null
  readonly revoked_before: Date | null
}

/**
 * By issuer and subject. Staff of before there were several issuers belong to the first one, and a
 * row that names it goes before one that does not.
 */
const LOOK = `
  SELECT asked.issuer, asked.subject, staff.merchant_id, staff.rights, revocations.revoked_before
    FROM unnest(?::text[], ?::text[]) AS asked (issuer, subject)
    LEFT JOIN LATERAL (
         SELECT merchant_id, rights FROM merchant_staff
          WHERE merchant_staff.subject = asked.subject AND removed_at IS NULL
            AND merchant_staff.issuer IN (asked.issuer, CASE WHEN asked.issuer = ? THEN '' END)
          ORDER BY merchant_staff.issuer DESC LIMIT 1) AS staff ON true
    LEFT JOIN revocations USING (issuer, subject)`

/** Many requests share one look. */
export function openSubjects(db: Knex, { TOKEN_ISSUERS: [first] }: Config): Load<string, Subject> {
  return openLoader(async (keys) => {
    const pairs = keys.map((key): [string, string] => JSON.parse(key))
    const [issuers, subjects] = [0, 1].map((index) => pairs.map((pair) => pair[index] ?? ''))
    const { rows } = await db.raw<{ rows: Row[] }>(LOOK, [
      ...[issuers ?? [], subjects ?? [], first.issuer],
    ])
    return new Map(rows.map((row) => [subjectKey(row), fromRow(row)]))
  })
}

export const subjectKey = ({
  issuer,
  subject,
}: {
  readonly issuer: string
  readonly subject: string
}): string => JSON.stringify([issuer, subject])

const fromRow = (row: Row): Subject => ({
  merchant: row.merchant_id ?? undefined,
  rights: row.rights ?? [],
  revokedBefore: row.revoked_before,
})
