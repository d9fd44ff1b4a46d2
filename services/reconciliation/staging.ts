/**
 * Both sides on the table: the lines of the statement that nobody has seen yet, and what moved our
 * account since it was last read, each with what earlier reconciliations left open. Temporary, in
 * slices by reference, so that a million lines cost this process no memory and no statement long.
 */
import { createHash } from 'node:crypto'
import { findAccounts } from '../../ledger/index.ts'
import { bankOwner } from '../books/chart.ts'
import { type StatementBalance, StatementError, type Told } from './lines.ts'
import type { Session } from './session.ts'

const TABLES = `
  CREATE TEMPORARY TABLE staged_raw (
    number bigint, reference text, bank_reference text, currency text, amount bigint,
    booked_at timestamptz, description text, content uuid,
    slice int GENERATED ALWAYS AS (slice_of(reference)) STORED);
  CREATE TEMPORARY TABLE staged_lines (
    number bigint, item_id uuid, reference text, bank_reference text, currency text, amount bigint,
    booked_at timestamptz, description text, identity uuid,
    slice int GENERATED ALWAYS AS (slice_of(reference)) STORED);
  CREATE TEMPORARY TABLE staged_rest (
    number bigint, item_id uuid, reference text, currency text, amount bigint,
    booked_at timestamptz, line_slice int,
    slice int GENERATED ALWAYS AS (slice_of(reference)) STORED);
  CREATE TEMPORARY TABLE staged_movements (
    transfer_id uuid, item_id uuid, key text, instruction_id uuid, currency text, amount bigint,
    effective_at timestamptz, entry bigint,
    slice int GENERATED ALWAYS AS (slice_of(coalesce(key, transfer_id::text))) STORED);
  CREATE TEMPORARY TABLE staged_pairs (
    number bigint, line_slice int, kind text, transfer_id uuid, item_id uuid, instruction_id uuid,
    amount bigint, effective_at timestamptz, slice int);
  CREATE INDEX ON staged_pairs (line_slice);
  CREATE INDEX ON staged_pairs (slice)`

/** So many rows, about, are worked on by one statement. */
const ROWS_AT_ONCE = 15_000
/** Of one COPY. */
const LINES_AT_ONCE = 5_000
const SLICES = 256

/** The first and the last slice of each statement over `count` rows. */
export function slicesOf(count: number): { readonly lo: number; readonly hi: number }[] {
  const steps = Math.max(1, Math.min(SLICES, Math.ceil(count / ROWS_AT_ONCE)))
  return Array.from({ length: steps }, (_, step) => ({
    lo: Math.floor((step * SLICES) / steps),
    hi: Math.floor(((step + 1) * SLICES) / steps) - 1,
  }))
}

export async function openTables(session: Session): Promise<void> {
  await session.run(TABLES)
}

export interface Statement {
  readonly lines: number
  /** By currency; a statement need not tell any. */
  readonly balances: ReadonlyMap<string, StatementBalance>
}

/**
 * Takes the whole statement in before anything of it is believed.
 * @throws {StatementError} when it is too long, or a day is missing in it.
 */
export async function stageStatement(
  session: Session,
  told: AsyncIterable<Told>,
  { linesMax, onLines }: { readonly linesMax: number; readonly onLines: (lines: number) => void },
): Promise<Statement> {
  const balances = new Map<string, StatementBalance>()
  let [lines, rows]: [number, Row[]] = [0, []]
  const flush = async () => {
    if (rows.length > 0) await session.copy('staged_raw', COLUMNS, rows)
    rows = []
    onLines(lines)
  }
  for await (const one of told) {
    if ('balance' in one) {
      keepBalance(balances, one.balance)
      continue
    }
    lines += 1
    if (lines > linesMax) throw new StatementError(`more than ${linesMax} lines`)
    rows.push(rowOf(one.line, lines))
    if (rows.length === LINES_AT_ONCE) await flush()
  }
  await flush()
  await session.run('CREATE INDEX ON staged_raw (slice); ANALYZE staged_raw')
  return { lines, balances }
}

/** Of several statements in a row, each opens with what the one before closed with. */
function keepBalance(balances: Map<string, StatementBalance>, next: StatementBalance): void {
  const { currency, opening } = next
  const before = balances.get(currency)
  if (before !== undefined && before.closing !== opening) {
    throw new StatementError(`a statement in ${currency} does not go on from the one before it`)
  }
  balances.set(currency, { ...next, opening: before?.opening ?? opening })
}

const COLUMNS = [
  ...(['number', 'reference', 'bank_reference', 'currency', 'amount'] as const),
  ...(['booked_at', 'description', 'content'] as const),
]
type Row = Readonly<Record<(typeof COLUMNS)[number], string | null>>
type Line = Extract<Told, { line: unknown }>['line']

/** What Postgres cannot store, and nobody can read. */
// oxlint-disable-next-line no-control-regex -- control characters are what is replaced
const CONTROL = /[\u0000-\u001f\u007f]/g
const clean = (text: string) => text.replace(CONTROL, ' ').toWellFormed()

function rowOf({ bankReference, ...line }: Line, number: number): Row {
  const { currency, bookedAt, description } = line
  const [amount, reference] = [line.amount.toString(), clean(line.reference)]
  const bank = bankReference === undefined ? '' : clean(bankReference)
  const booked = bookedAt.toISOString()
  // A bank tells of a booking in the same words, but may be vague about the hour.
  const content = [reference, bank, currency, amount, booked.slice(0, 10)].join('\n')
  return {
    ...{ number: number.toString(), reference, currency, amount, booked_at: booked },
    bank_reference: bank === '' ? null : bank,
    description: description === undefined ? null : clean(description),
    content: createHash('sha256').update(content).digest('hex').slice(0, 32),
  }
}

/**
 * Which lines are new. Two that read the same are told apart by their order within the statement,
 * so a statement must tell whole days.
 */
export async function stageFresh(session: Session, bank: string, lines: number): Promise<number> {
  let fresh = 0
  for (const slice of slicesOf(lines)) {
    const [added] = await session.run<{ count: bigint }>(FRESH, { bank, ...slice })
    fresh += Number(added?.count ?? 0)
  }
  await session.run('DROP TABLE staged_raw')
  return fresh
}

const FRESH = `
  WITH added AS (
    INSERT INTO staged_lines (number, reference, bank_reference, currency, amount, booked_at,
                              description, identity)
    SELECT number, reference, bank_reference, currency, amount, booked_at, description, identity
      FROM (SELECT raw.*, md5(content || ' ' || row_number() OVER (
                                PARTITION BY content ORDER BY number))::uuid AS identity
              FROM staged_raw raw WHERE slice BETWEEN :lo AND :hi) raw
     WHERE (SELECT true FROM reconciliation_items known
             WHERE known.bank = :bank AND known.line_identity = raw.identity LIMIT 1) IS NULL
    RETURNING 1)
  SELECT count(*) FROM added`

/** @returns whether earlier ones left anything open. */
export async function stageOpen(session: Session, bank: string): Promise<boolean> {
  let [after, seen] = [NOTHING, 0]
  for (;;) {
    const [page] = await session.run<{ last: string | null; count: bigint }>(OPEN_PAGE, {
      ...{ bank, after, limit: ROWS_AT_ONCE },
    })
    if (page?.last === null || page?.last === undefined) return seen > 0
    await session.run(OPEN_LINES, { bank, after, last: page.last, base: BEFORE_ALL + seen })
    await session.run(OPEN_MOVEMENTS, { bank, after, last: page.last })
    ;[after, seen] = [page.last, seen + Number(page.count)]
  }
}

const NOTHING = '00000000-0000-0000-0000-000000000000'

const OPEN_PAGE = `
  SELECT max(id::text) AS last, count(*) FROM (
    SELECT id FROM reconciliation_items
     WHERE bank = :bank AND state IN ('open', 'proposed') AND id > :after
     ORDER BY id LIMIT :limit) page`

const OPEN = `bank = :bank AND state IN ('open', 'proposed') AND id > :after AND id <= :last`

/** Lines of earlier statements have numbers before those of this one. */
const BEFORE_ALL = -1_000_000_000_000

/** One that differs in amount has found its transfer. */
const OPEN_LINES = `
  INSERT INTO staged_lines (number, item_id, reference, bank_reference, currency, amount, booked_at)
  SELECT cast(:base AS bigint) + row_number() OVER (ORDER BY id),
         id, reference, bank_reference, currency, statement_amount, booked_at
    FROM reconciliation_items
   WHERE ${OPEN} AND line_identity IS NOT NULL AND transfer_id IS NULL`

const OPEN_MOVEMENTS = `
  INSERT INTO staged_movements
    (transfer_id, item_id, key, instruction_id, currency, amount, effective_at, entry)
  SELECT transfer_id, id, nullif(reference, ''), instruction_id, currency, books_amount,
         effective_at, 0
    FROM reconciliation_items WHERE ${OPEN} AND line_identity IS NULL`

/** How an account of ours stood when it was read. */
export interface Stand {
  readonly currency: string
  readonly entry: bigint
  readonly books: bigint
}

export async function stageMovements(
  session: Session,
  bank: string,
  onMovements: (count: number) => void,
): Promise<Stand[]> {
  const accounts = await session.transaction((trx) =>
    findAccounts(trx, { owner: bankOwner(bank), type: 'bank' }),
  )
  let staged = 0
  for (const { id, currency, lastEntry } of accounts) {
    const [known] = await session.run<{ entry: bigint }>(
      'SELECT entry FROM reconciliation_totals WHERE bank = :bank AND currency = :currency',
      { bank, currency },
    )
    let beyond = known?.entry ?? 0n
    while (beyond < lastEntry) {
      const end = beyond + BigInt(ROWS_AT_ONCE)
      const last = end < lastEntry ? end : lastEntry
      const window = { bank, account: id, beyond: beyond.toString(), last: last.toString() }
      await session.run(MOVEMENTS, window)
      staged += Number(last - beyond)
      onMovements(staged)
      beyond = last
    }
  }
  await session.run(
    `CREATE INDEX ON staged_lines (slice); CREATE INDEX ON staged_movements (slice);
     CREATE INDEX ON staged_movements (transfer_id); ANALYZE staged_lines, staged_movements`,
  )
  return accounts.map(({ currency, lastEntry: entry, posted: books }) => ({
    ...{ currency, entry, books },
  }))
}

/**
 * What a transfer was made for says by which reference the bank knows it: of an instruction ours,
 * of money that came unasked the bank's, and so of a net payment where it arrived. A correction is
 * no riddle: its item knows it.
 */
const MOVEMENTS = `
  INSERT INTO staged_movements
    (transfer_id, key, instruction_id, currency, amount, effective_at, entry)
  SELECT m.transfer_id, coalesce(a.reference, i.reference, c.reference), i.id, m.currency, m.amount,
         m.effective_at, m.entry
    FROM movements(:account, :beyond, :last) m
    LEFT JOIN LATERAL (
           SELECT id, reference, purpose, subject_id
             FROM instructions WHERE id = m.reference LIMIT 1) i ON true
    LEFT JOIN LATERAL (
           SELECT heard.reference
             FROM netting_obligations o JOIN callbacks heard ON heard.id = o.arrival_id
            WHERE i.purpose = 'netting' AND o.id = i.subject_id AND o.to_bank = :bank
            LIMIT 1) a ON true
    LEFT JOIN LATERAL (
           SELECT reference FROM callbacks WHERE id = m.reference LIMIT 1) c ON i.id IS NULL
   WHERE (SELECT true FROM reconciliation_items x
           WHERE x.transfer_id = m.transfer_id AND x.state <> 'merged' LIMIT 1) IS NULL
     AND (SELECT true FROM reconciliation_items x
           WHERE x.transfer_id = m.transfer_id AND x.state = 'merged' LIMIT 1) IS NULL
     AND (SELECT true FROM reconciliation_items x
           WHERE x.correction_id = m.transfer_id LIMIT 1) IS NULL`
