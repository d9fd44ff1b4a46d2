/** Answers already given: by these a request that is sent again is recognised and moves nothing. */
import { createHash } from 'node:crypto'
import type { Knex } from 'knex'
import { LedgerError } from './errors.ts'
import type { Connection } from './database.ts'
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
  const hex = createHash('sha256').update(`${owner}\n${scope}\n${key}`).digest('hex')
  const id = [8, 12, 16, 20, 32].map((end, i, ends) => hex.slice(ends[i - 1] ?? 0, end)).join('-')
  return { id, fingerprint: createHash('sha256').update(asked).digest().subarray(0, 16) }
}

/** The first answer again; @throws {LedgerError} when the claim was used for something else. */
export function replayOf(claim: Claim, { fingerprint, answer }: StoredAnswer) {
  if (!fingerprint.equals(claim.fingerprint)) throw new LedgerError('idempotency_key_reused')
  return { answer, replayed: true }
}

/** The answers stored under these claims, by claim id. */
export async function findAnswers(
  connection: Connection,
  claims: readonly Claim[],
): Promise<Map<string, StoredAnswer>> {
  if (claims.length === 0) return new Map()
  const { rows } = await connection.query({
    name: 'find_answers',
    text: 'SELECT id, fingerprint, answer FROM claims WHERE id = ANY ($1::uuid[])',
    values: [uuidsOf(claims.map((claim) => claim.id))],
  })
  return new Map((rows as ({ id: string } & StoredAnswer)[]).map((row) => [row.id, row]))
}

/** Whether a claim was answered already, many callers sharing one look: see `Group.recall`. */
export function openRecall(pool: { query: Connection['query'] }) {
  interface Waiting {
    readonly claim: Claim
    readonly resolve: (stored: StoredAnswer | undefined) => void
    readonly reject: (error: unknown) => void
  }
  let waiting: Waiting[] = []
  let looking = false

  async function look(): Promise<void> {
    looking = true
    while (waiting.length > 0) {
      const ours = waiting
      waiting = []
      try {
        const found = await findAnswers(
          pool,
          ours.map(({ claim }) => claim),
        )
        for (const { claim, resolve } of ours) resolve(found.get(claim.id))
      } catch (error) {
        for (const { reject } of ours) reject(error)
      }
    }
    looking = false
  }

  return (claim: Claim) =>
    new Promise<StoredAnswer | undefined>((resolve, reject) => {
      waiting.push({ claim, resolve, reject })
      if (!looking && waiting.length === 1) setImmediate(() => void look())
    })
}

const CLAIM_COLUMNS: readonly Column<Claim & Pick<StoredAnswer, 'answer'>>[] = [
  { name: 'id', put: ({ id }) => putUuid(id) },
  { name: 'fingerprint', put: ({ fingerprint }) => putBytea(fingerprint) },
  { name: 'answer', put: ({ answer }) => putText(answer) },
]

/** Stores what the claiming units were answered. A claim stored meanwhile is `claim_exists`. */
export function writeAnswers(
  connection: Connection,
  units: readonly { readonly claim?: Claim }[],
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
