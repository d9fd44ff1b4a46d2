/**
 * The inbox of the banks: whatever one tells us, by callback, file or answer, is a row here before
 * anything comes of it. An event is known for ever by its bank and its id there. A copy changes
 * nothing; the same id with other contents is no copy, and somebody should know.
 */
import type { Knex } from 'knex'
import type { BankEvent } from '../../adapters/adapter.ts'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { OUR_REFERENCE } from './references.ts'

export type Source = 'callback' | 'file' | 'enquiry' | 'operator'

export const DISPOSITIONS = [
  ...(['received', 'orphan', 'applied', 'duplicate', 'contradiction', 'parked'] as const),
] as const

export type Disposition = (typeof DISPOSITIONS)[number]

/** As long as it is one of these, something may yet come of it. */
export const UNDECIDED: readonly Disposition[] = ['received', 'orphan']

export interface Heard {
  readonly id: Uuid
  readonly bank: string
  readonly event_id: string
  readonly source: Source
  readonly reference: string
  readonly outcome: BankEvent['outcome']
  readonly amount: bigint
  readonly currency: string
  readonly reason: string | null
  readonly occurred_at: Date
  readonly received_at: Date
  readonly disposition: Disposition
  /** Of money that came, where its sender's reference could be one of ours. */
  readonly end_to_end_id: string | null
  readonly remittance_sealed: Buffer | null
  readonly sender_sealed: Buffer | null
  readonly sender_account_sealed: Buffer | null
  /** No rule may say whose the money is. */
  readonly unidentified: boolean
  /** Operators, where it is their word. */
  readonly decided_by: string | null
  readonly approved_by: string | null
}

/** From whom, and how it came. */
interface Envelope {
  readonly bank: string
  readonly source: Source
  readonly file?: Uuid
}

/** So many rows go in with one statement. */
const ROWS_MAX = 5_000

const COLUMNS = [
  ...['id', 'bank', 'source', 'file_id', 'event_id', 'reference', 'outcome', 'amount', 'currency'],
  ...['reason', 'occurred_at', 'received_at', 'next_at', 'remittance_sealed', 'sender_sealed'],
  ...['sender_account_sealed', 'unidentified', 'end_to_end_id'],
].join(', ')

/** As one parameter: a file has more rows than a statement has parameters. */
const INSERT = `
  INSERT INTO callbacks (${COLUMNS})
  SELECT ${COLUMNS} FROM json_populate_recordset(NULL::callbacks, ?::json)
  ON CONFLICT (bank, event_id) DO NOTHING RETURNING id`

/** Whoever rings for a row does so at once; only later does silence mean that a ring was lost. */
const QUIET_MS = 2_000

/**
 * Writes down what was not known before, and raises the alarm, once for each event, where it was
 * known and said something else.
 * @returns for each of the events, in their order, the id of its row.
 */
export async function writeDown(
  context: Context,
  db: Knex,
  envelope: Envelope,
  events: readonly BankEvent[],
): Promise<{ readonly ids: readonly Uuid[]; readonly fresh: readonly Uuid[] }> {
  const ids: Uuid[] = []
  const fresh: Uuid[] = []
  for (let at = 0; at < events.length; at += ROWS_MAX) {
    const rows = events.slice(at, at + ROWS_MAX).map((event) => rowOf(context, envelope, event))
    const { rows: inserted } = await db.raw<{ rows: { id: Uuid }[] }>(INSERT, [
      JSON.stringify(rows),
    ])
    const known = new Set(inserted.map(({ id }) => id))
    fresh.push(...known)
    ids.push(...(await idsOf(context, db, rows, known)))
  }
  return { ids, fresh }
}

type Row = ReturnType<typeof rowOf>

const OURS = new RegExp(`^${OUR_REFERENCE}$`)

/** What a stranger calls his payments is his: unsealed we keep only what looks like ours. */
const likeOurs = (text: string | undefined) => (OURS.test(text ?? '') ? text : null)

const hexOf = (bytes: Buffer) => `\\x${bytes.toString('hex')}`

function rowOf({ vault, now }: Context, { bank, source, file }: Envelope, event: BankEvent) {
  const [id, at] = [newId(), now()]
  const { eventId, reference, outcome, money, occurredAt } = event
  const sealed = (column: string, text: string | undefined) =>
    text === undefined ? null : hexOf(vault.seal({ table: 'callbacks', row: id, column }, text))
  const written = event.outcome === 'received' ? event : undefined
  return {
    ...{ id, bank, source, file_id: file ?? null, event_id: eventId, reference, outcome },
    ...{ amount: money.amount.toString(), currency: money.currency },
    reason: ('reason' in event ? event.reason : undefined) ?? null,
    ...{ occurred_at: occurredAt, received_at: at, next_at: new Date(at.getTime() + QUIET_MS) },
    remittance_sealed: sealed('remittance_sealed', written?.remittance),
    sender_sealed: sealed('sender_sealed', written?.sender),
    sender_account_sealed: sealed('sender_account_sealed', written?.senderAccount),
    unidentified: written?.isUnidentified ?? false,
    end_to_end_id: likeOurs(written?.endToEndId),
  }
}

/** The ids of all the rows; those that were not inserted are there under an earlier one. */
async function idsOf(
  context: Context,
  db: Knex,
  rows: readonly Row[],
  inserted: ReadonlySet<Uuid>,
): Promise<Uuid[]> {
  const again = rows.filter(({ id }) => !inserted.has(id))
  if (again.length === 0) return rows.map(({ id }) => id)
  const bank = again[0]?.bank ?? ''
  const found: Heard[] = await db('callbacks')
    .where({ bank })
    .whereIn(
      'event_id',
      again.map(({ event_id }) => event_id),
    )
  const known = new Map(found.map((one) => [one.event_id, one]))
  const others = again.filter((row) => !saysTheSame(row, known.get(row.event_id)))
  for (const { event_id } of others) await contradicted(context, db, known.get(event_id))
  return rows.map(({ id, event_id }) => (inserted.has(id) ? id : (known.get(event_id)?.id ?? id)))
}

/** What moves money: a bank may word a reason differently, or name the moment less exactly. */
const saysTheSame = (row: Row, known: Heard | undefined) =>
  row.reference === known?.reference &&
  row.outcome === known.outcome &&
  BigInt(row.amount) === known.amount &&
  row.currency === known.currency

async function contradicted(context: Context, db: Knex, known: Heard | undefined): Promise<void> {
  if (known === undefined) return
  const at = context.now()
  context.log.error({ bank: known.bank, event: known.event_id }, 'an event id came again, changed')
  const alert = async (trx: Knex.Transaction) => {
    const first = { id: known.id, contradicted_at: null }
    const changed = await trx('callbacks').where(first).update({ contradicted_at: at })
    if (changed === 1) await recordBankEvent(trx, 'contradicted', known, 'other_contents', at)
  }
  await (db.isTransaction === true ? alert(db as Knex.Transaction) : db.transaction(alert))
}

/** Tells whoever watches that an event of a bank needs a person, and why. */
export async function recordBankEvent(
  trx: Knex.Transaction,
  what: 'contradicted' | 'parked',
  heard: Heard,
  why: string,
  at: Date,
): Promise<void> {
  const object = publicId('bev', heard.id)
  const data = { ...heardOut(heard), why }
  await recordEvent(trx, { type: `bank_event.${what}`, object, data, at })
}

/**
 * The row, locked until the transaction ends; undefined when somebody else has decided it
 * meanwhile.
 */
export async function lockHeard(trx: Knex.Transaction, id: Uuid): Promise<Heard | undefined> {
  return trx('callbacks').where({ id }).whereIn('disposition', UNDECIDED).forUpdate().first()
}

export async function dispose(
  trx: Knex.Transaction,
  id: Uuid,
  disposition: Disposition,
): Promise<void> {
  await trx('callbacks').where({ id }).whereIn('disposition', UNDECIDED).update({ disposition })
}

/** Those that somebody should look at, newest first. */
export async function findHeard(
  db: Knex,
  asked: {
    readonly disposition: Disposition
    readonly before: Uuid | undefined
    readonly limit: number
  },
): Promise<Heard[]> {
  const { disposition, before, limit } = asked
  const query = db('callbacks').where({ disposition }).orderBy('id', 'desc').limit(limit)
  if (before !== undefined) query.where('id', '<', before)
  return query
}

export const heardOut = (heard: Heard) => ({
  id: publicId('bev', heard.id),
  bank: heard.bank,
  event_id: heard.event_id,
  source: heard.source,
  reference: heard.reference,
  outcome: heard.outcome,
  amount: heard.amount.toString(),
  currency: heard.currency,
  reason: heard.reason,
  disposition: heard.disposition,
  occurred_at: heard.occurred_at.toISOString(),
  received_at: heard.received_at.toISOString(),
})
