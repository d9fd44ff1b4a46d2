/** What became of each line and of each transfer that no line shows: by page, or as CSV. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { State } from '../banking/machine.ts'
import { csvCell } from '../books/statement.ts'
import { publicId } from '../ids.ts'
import type { ItemKind, Run } from './runs.ts'

export const ITEM_STATES = [
  ...(['matched', 'open', 'proposed', 'confirmed', 'corrected', 'merged'] as const),
] as const

export interface Item {
  readonly id: Uuid
  readonly reconciliation_id: Uuid
  readonly bank: string
  readonly kind: ItemKind
  readonly state: (typeof ITEM_STATES)[number]
  readonly currency: string
  readonly line: bigint | null
  readonly reference: string
  readonly bank_reference: string | null
  readonly statement_amount: bigint | null
  readonly booked_at: Date | null
  readonly description: string | null
  readonly instruction_id: Uuid | null
  readonly transfer_id: Uuid | null
  readonly books_amount: bigint | null
  readonly effective_at: Date | null
  readonly proposed_transfer_id: Uuid | null
  readonly correction_id: Uuid | null
  readonly resolved_by: string | null
  readonly approved_by: string | null
  readonly reason: string | null
  readonly resolved_at: Date | null
  /** Of the instruction of an item that has no transfer. */
  readonly instruction_state: State | null
  /** Whether our books were read, whole, since the instruction came to that. */
  readonly books_read: boolean
}

/** With what a line without a transfer is judged by: a line that is matched asks for nothing. */
const ALONE = `
  SELECT i.state AS instruction_state,
         EXISTS (SELECT FROM reconciliations r
                  WHERE r.bank = i.bank AND r.state = 'completed'
                    AND r.created_at > i.changed_at) AS books_read
    FROM instructions i
   WHERE i.id = reconciliation_items.instruction_id AND reconciliation_items.transfer_id IS NULL`

const itemsOf = (db: Knex) =>
  db('reconciliation_items')
    .joinRaw(`LEFT JOIN LATERAL (${ALONE}) alone ON true`)
    .select('reconciliation_items.*', 'instruction_state', 'books_read')

export interface ItemPage {
  readonly kind?: ItemKind | undefined
  readonly state?: Item['state'] | undefined
  readonly after?: Uuid | undefined
  readonly limit: number
}

/** In the order of the statement; then what it does not show. */
export async function findItems(db: Knex, run: Uuid, page: ItemPage): Promise<Item[]> {
  const query = itemsOf(db).orderBy('id').limit(page.limit)
  if (page.kind === undefined || page.kind === 'matched') {
    // Ids count up from the reconciliation's: they are one range.
    query.whereBetween('id', [`${run.slice(0, 28)}00000000`, `${run.slice(0, 28)}ffffffff`])
  }
  query.where({ reconciliation_id: run })
  if (page.kind !== undefined) query.where({ kind: page.kind })
  if (page.kind !== undefined && page.kind !== 'matched') query.whereNot({ kind: 'matched' })
  if (page.state !== undefined) query.where({ state: page.state })
  if (page.after !== undefined) query.where('id', '>', page.after)
  return query
}

export async function findItem(
  db: Knex,
  id: Uuid,
  lock: 'lock' | 'read' = 'read',
): Promise<Item | undefined> {
  const query = itemsOf(db).where({ id })
  const [item] = await (lock === 'lock' ? query.forUpdate('reconciliation_items') : query)
  return item
}

const optional = (kind: 'ins' | 'trf', id: Uuid | null) => (id === null ? null : publicId(kind, id))
const amountOut = (amount: bigint | null) => amount?.toString() ?? null
const timeOut = (moment: Date | null) => moment?.toISOString() ?? null

export const itemOut = (item: Item) => ({
  id: publicId('rci', item.id),
  reconciliation: publicId('rcn', item.reconciliation_id),
  kind: item.kind,
  state: item.state,
  line: item.line === null ? null : Number(item.line),
  reference: item.reference,
  bank_reference: item.bank_reference,
  currency: item.currency,
  statement_amount: amountOut(item.statement_amount),
  books_amount: amountOut(item.books_amount),
  booked_at: timeOut(item.booked_at),
  effective_at: timeOut(item.effective_at),
  description: item.description,
  instruction: optional('ins', item.instruction_id),
  transfer: optional('trf', item.transfer_id),
  proposed_transfer: optional('trf', item.proposed_transfer_id),
  correction: optional('trf', item.correction_id),
  resolved_by: item.resolved_by,
  approved_by: item.approved_by,
  reason: item.reason,
  resolved_at: timeOut(item.resolved_at),
})

const CSV_BATCH = 1_000
const COLUMNS = [
  ...(['id', 'kind', 'state', 'line', 'reference', 'bank_reference', 'currency'] as const),
  ...(['statement_amount', 'books_amount', 'booked_at', 'effective_at', 'description'] as const),
  ...(['instruction', 'transfer', 'proposed_transfer', 'correction'] as const),
  ...(['resolved_by', 'approved_by', 'reason', 'resolved_at'] as const),
] as const

/** As many as there are, a thousand at a time. */
export async function* itemsCsv(
  db: Knex,
  { id }: Run,
  where: Pick<ItemPage, 'kind' | 'state'>,
): AsyncGenerator<string> {
  yield `${COLUMNS.join(',')}\r\n`
  let after: Uuid | undefined
  for (;;) {
    const items = await findItems(db, id, { ...where, after, limit: CSV_BATCH })
    if (items.length === 0) return
    yield items.map(csvLine).join('')
    after = items.at(-1)?.id
  }
}

function csvLine(item: Item): string {
  const out = itemOut(item)
  return `${COLUMNS.map((column) => csvCell(String(out[column] ?? ''))).join(',')}\r\n`
}
