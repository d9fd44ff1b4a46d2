/**
 * What is known of the subject of a token who is not a person: the merchant it acts for, and since
 * when its tokens are good. It may change between two requests, so it is asked at each.
 */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Config } from '../config.ts'
import { type Load, openLoader } from '../loader.ts'
import type { Vault } from '../vault/vault.ts'
import { erasedSubject } from './revocations.ts'
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
  SELECT asked.issuer, asked.subject, staff.merchant_id, staff.rights, revoked.revoked_before
    FROM unnest(?::text[], ?::text[], ?::text[]) AS asked (issuer, subject, erased)
    LEFT JOIN LATERAL (
         SELECT merchant_id, rights FROM merchant_staff
          WHERE merchant_staff.subject = asked.subject AND removed_at IS NULL
            AND merchant_staff.issuer IN (asked.issuer, CASE WHEN asked.issuer = ? THEN '' END)
          ORDER BY merchant_staff.issuer DESC LIMIT 1) AS staff ON true
    CROSS JOIN LATERAL (
         SELECT max(revoked_before) AS revoked_before FROM revocations
          WHERE revocations.issuer = asked.issuer
            AND revocations.subject IN (asked.subject, asked.erased)) AS revoked`

/** Many requests share one look. */
export function openSubjects(
  db: Knex,
  { TOKEN_ISSUERS: [first] }: Config,
  vault: Vault,
): Load<string, Subject> {
  return openLoader(async (keys) => {
    const asked = keys.map((key) => {
      const [issuer, subject]: [string, string] = JSON.parse(key)
      return { issuer, subject, erased: erasedSubject(vault, { issuer, subject }) }
    })
    const { rows } = await db.raw<{ rows: Row[] }>(LOOK, [
      ...[asked.map(({ issuer }) => issuer), asked.map(({ subject }) => subject)],
      ...[asked.map(({ erased }) => erased), first.issuer],
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
