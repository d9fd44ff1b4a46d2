/** Answers already given: by these a request that is sent again is recognised and moves nothing. */
import { hash } from 'node:crypto'
import type { Knex } from 'knex'
import { LedgerError } from './errors.ts'
import { uuidOfHex } from './ids.ts'
import type { Connection } from './database.ts'
import type { Question } from './looks.ts'
import { putBytea, putText, putUuid, uuidsOf } from './wire/binary.ts'
import { type Column, copyOf } from './wire/copy.ts'

export interface Claim {
  /** Digest of who asks, for what, and the key of their choice; a uuid in form. */
  readonly id: string
  /** Digest of what is asked: the same claim for something else is refused. */
  readonly fingerprint: Buffer
}

export interface StoredAnswer {
  readonly fingerprint: Buffer
  readonly answer: string
}

/** The claim of `owner` on `key` within `scope`. The parts must not contain line breaks. */
export function claimOf(owner: string, scope: string, key: string, asked: string): Claim {
  const id = uuidOfHex(hash('sha256', `${owner}\n${scope}\n${key}`))
  return { id, fingerprint: hash('sha256', asked, 'buffer').subarray(0, 16) }
}

/** The first answer again; @throws {LedgerError} when the claim was used for something else. */
export function replayOf(claim: Claim, { fingerprint, answer }: StoredAnswer) {
  if (!fingerprint.equals(claim.fingerprint)) throw new LedgerError('idempotency_key_reused')
  return { answer, replayed: true }
}

const FIND_ANSWERS = {
  name: 'find_answers',
  text: 'SELECT id, fingerprint, answer FROM claims WHERE id = ANY ($1::uuid[])',
} as const

type AnswerRow = StoredAnswer & { readonly id: Claim['id'] }

/** The answers stored under these claims, by claim id. */
export async function findAnswers(
  connection: Connection,
  claims: readonly Claim[],
): Promise<Map<string, StoredAnswer>> {
  if (claims.length === 0) return new Map()
  const values = [uuidsOf(claims.map((claim) => claim.id))]
  const { rows } = await connection.query({ ...FIND_ANSWERS, values })
  return new Map((rows as AnswerRow[]).map((row) => [row.id, row]))
}

/** Whether a claim was answered already: see `Group.recall`. */
export const ANSWERS: Question<Claim['id'], StoredAnswer> = {
  name: FIND_ANSWERS.name,
  text: FIND_ANSWERS.text,
  values: (ids) => [uuidsOf(ids)],
  answers: (rows) => new Map((rows as AnswerRow[]).map((row) => [row.id, row])),
}

const CLAIM_COLUMNS: readonly Column<Claim & Pick<StoredAnswer, 'answer'>>[] = [
  { name: 'id', put: ({ id }) => putUuid(id) },
  { name: 'fingerprint', put: ({ fingerprint }) => putBytea(fingerprint) },
  { name: 'answer', put: ({ answer }) => putText(answer) },
]

/** Stores what the claiming units were answered. A claim stored meanwhile is `claim_exists`. */
export function writeAnswers(
  connection: Connection,
  units: readonly { readonly claim?: Claim | undefined }[],
  conclusions: readonly { readonly answer: string }[],
): Promise<unknown>[] {
  const rows = units.flatMap(({ claim }, index) =>
    claim === undefined ? [] : [{ ...claim, answer: conclusions[index]?.answer ?? '' }],
  )
  if (rows.length === 0) return []
  // In id order, so that two processes with the same claims cannot wait for each other.
  rows.sort((a, b) => (a.id < b.id ? -1 : 1))
  return [copyOf('claims', CLAIM_COLUMNS, rows)(connection)]
}

/** So little that nobody notices: 8 MB. */
const PURGED_PAGES = 1_024

/**
 * Forgets answers that were given more than `days` ago, in one part of the table.
 * @param turn which part: whoever counts up, however slowly, comes by all of them again and again.
 * @returns how many were forgotten.
 */
export async function purgeClaims(
  db: Knex,
  { days, turn }: { readonly days: number; readonly turn: number },
): Promise<number> {
  const { rows } = await db.raw<{ rows: [{ purged: bigint }] }>(
    'SELECT purge_claims(make_interval(days => ?), ?, ?) AS purged',
    [days, turn, PURGED_PAGES],
  )
  return Number(rows[0].purged)
}

/** Answers of one transaction. */
const REWRITTEN_AT_ONCE = 500

/**
 * Changes every stored answer to what `rewrite` makes of it. Only for an upgrade, by the owner of
 * the table, when answers are to be kept in another form: who repeats a request must not notice.
 */
export async function rewriteAnswers(
  db: Knex,
  rewrite: (trx: Knex.Transaction, answer: string) => Promise<string>,
): Promise<void> {
  let after: string | undefined
  do {
    after = await db.transaction(async (trx) => {
      const page = trx('claims').orderBy('id').limit(REWRITTEN_AT_ONCE)
      if (after !== undefined) void page.where('id', '>', after)
      const rows: { id: string; answer: string }[] = await page.select('id', 'answer')
      for (const { id, answer } of rows) {
        const rewritten = await rewrite(trx, answer)
        if (rewritten !== answer) await trx('claims').where({ id }).update({ answer: rewritten })
      }
      return rows.at(-1)?.id
    })
  } while (after !== undefined)
}
