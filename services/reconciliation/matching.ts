/**
 * Which line shows which transfer, and what becomes of the rest. Set-wise: each statement works on
 * a slice of references, and no reference is in two.
 */
import type { Session } from './session.ts'
import { slicesOf } from './staging.ts'

/**
 * Of a slice, the pairs of the slice say who is free. As a list that is hashed once: there is no
 * other way to plan it, whatever the planner believes of a table that it has never seen.
 */
const FREE_MOVEMENT = `m.transfer_id NOT IN (
  SELECT p.transfer_id FROM staged_pairs p WHERE p.slice BETWEEN :lo AND :hi)`
const FREE_LINE = `l.number NOT IN (
  SELECT p.number FROM staged_pairs p WHERE p.line_slice BETWEEN :lo AND :hi)`
/** What is left lies in slices by the bank's reference, as its transfers do. */
const FREE_REST = `l.number NOT IN (
  SELECT p.number FROM staged_pairs p WHERE p.slice BETWEEN :lo AND :hi)`

/**
 * Lines and transfers of one reference and currency that have the same `measure` too, the first
 * with the first. What was open before comes before what is new.
 */
const pairing = (
  [lines, lineSlice, isFree]: readonly [table: string, slice: string, isFree: string],
  [measure, kind]: readonly [measure: string, kind: 'same' | 'differs'],
) => `
  INSERT INTO staged_pairs (number, line_slice, kind, transfer_id, item_id, instruction_id, amount,
                            effective_at, slice)
  SELECT l.number, l.line_slice, '${kind}', m.transfer_id, m.item_id, m.instruction_id, m.amount,
         m.effective_at, m.slice
    FROM (SELECT number, ${lineSlice} AS line_slice, reference AS key, currency,
                 ${measure} AS measure, row_number() OVER (
                   PARTITION BY reference, currency, ${measure}
                   ORDER BY item_id IS NULL, booked_at, number) AS nth
            FROM ${lines} l
           WHERE slice BETWEEN :lo AND :hi AND ${isFree}) l
    JOIN (SELECT transfer_id, item_id, instruction_id, amount, effective_at, slice, key, currency,
                 ${measure} AS measure, row_number() OVER (
                   PARTITION BY key, currency, ${measure}
                   ORDER BY item_id IS NULL, entry, transfer_id) AS nth
            FROM staged_movements m
           WHERE slice BETWEEN :lo AND :hi AND key IS NOT NULL AND ${FREE_MOVEMENT}) m
   USING (key, currency, measure, nth)`

const SAME_AMOUNT = ['amount', 'same'] as const
const SAME_SIGN = ['sign(amount)', 'differs'] as const
const ALL = ['staged_lines', 'slice', FREE_LINE] as const
const LEFT = ['staged_rest', 'line_slice', FREE_REST] as const

/** What our reference has not found may still be known by the bank's. */
const REST = `
  INSERT INTO staged_rest (number, item_id, reference, currency, amount, booked_at, line_slice)
  SELECT number, item_id, bank_reference, currency, amount, booked_at, slice
    FROM staged_lines l
   WHERE slice BETWEEN :lo AND :hi AND bank_reference <> reference AND ${FREE_LINE}`

/** By reference, then by the bank's; of each first those with the same amount. */
export async function pairUp(session: Session): Promise<void> {
  const [lines, movements] = [
    await sizeOf(session, 'staged_lines'),
    await sizeOf(session, 'staged_movements'),
  ]
  // Few lines may stand beside very many transfers, and the other way round.
  const slices = slicesOf(Math.max(lines, movements))
  for (const slice of slices) {
    await session.run(pairing(ALL, SAME_AMOUNT), slice)
    await session.run(pairing(ALL, SAME_SIGN), slice)
    await session.run(REST, slice)
  }
  await session.run('ANALYZE staged_rest, staged_pairs')
  if ((await sizeOf(session, 'staged_rest')) === 0) return
  for (const slice of slices) {
    await session.run(pairing(LEFT, SAME_AMOUNT), slice)
    await session.run(pairing(LEFT, SAME_SIGN), slice)
  }
}

type Staged = 'staged_lines' | 'staged_movements' | 'staged_rest'

async function sizeOf(session: Session, table: Staged): Promise<number> {
  const [row] = await session.run<{ count: bigint }>(`SELECT count(*) FROM ${table}`)
  return Number(row?.count ?? 0)
}

const dayOf = (moment: string) => `(${moment} AT TIME ZONE 'UTC')::date`

const IS_LATE = `abs(${dayOf('booked_at')} - ${dayOf('effective_at')}) > cast(:days AS int)
  OR (${dayOf('booked_at')} <= cast(:to AS date) AND ${dayOf('effective_at')} > cast(:to AS date))`

/**
 * The lines of a slice with what they are. What an index knows is asked so that the planner cannot
 * read a whole table for it instead. A line without a transfer, in this order: the bank has shown
 * the instruction before; what was booked and taken back before we heard of either came to nothing;
 * an instruction is still open, so our books are late, unless for too long; or nobody knows it.
 */
const CLASSIFIED = `
  WITH l AS MATERIALIZED (
    SELECT s.*, p.kind AS pair, p.transfer_id, p.amount AS books_amount, p.effective_at,
           p.instruction_id AS paired_with, row_number() OVER (
             PARTITION BY s.reference, s.currency, s.amount, p.number IS NULL
             ORDER BY s.item_id IS NULL, s.booked_at, s.number) AS nth
      FROM staged_lines s
      LEFT JOIN staged_pairs p
        ON p.line_slice BETWEEN :lo AND :hi AND p.number = s.number
     WHERE s.slice BETWEEN :lo AND :hi),
  rest AS MATERIALIZED (
    SELECT x.*, i.id AS instruction, i.state AS instruction_state,
           CASE i.direction WHEN 'debit' THEN i.amount ELSE -i.amount END AS expected,
           (x.reference, x.currency, sign(x.amount)) IN (
             SELECT o.reference, o.currency, sign(o.amount) FROM l o WHERE o.pair IS NOT NULL)
           OR (SELECT true FROM reconciliation_items o
                WHERE o.bank = :bank AND o.reference = x.reference AND o.currency = x.currency
                  AND o.transfer_id IS NOT NULL AND sign(o.statement_amount) = sign(x.amount)
                LIMIT 1) IS NOT NULL AS is_repeated
      FROM l x
     CROSS JOIN LATERAL (SELECT * FROM instructions i
                          WHERE i.reference = x.reference AND i.bank = :bank LIMIT 1) i
     WHERE x.pair IS NULL),
  said AS MATERIALIZED (
    SELECT x.number, x.instruction, CASE
             WHEN is_repeated THEN 'duplicate'
             WHEN instruction_state IN ('returned', 'rejected')
              AND (x.reference, x.currency, -x.amount, x.nth) IN (
                    SELECT o.reference, o.currency, o.amount, o.nth
                      FROM rest o WHERE NOT o.is_repeated) THEN 'matched'
             WHEN instruction_state IN ('created', 'sent', 'unknown', 'manual') THEN CASE
                    WHEN amount <> expected THEN 'amount_differs'
                    WHEN ${dayOf('booked_at')} > cast(:to AS date) - cast(:days AS int) THEN 'late'
                    ELSE 'unmatched_in_statement' END
             ELSE 'unmatched_in_statement' END AS kind
      FROM rest x),
  classified AS (
    SELECT l.*, coalesce(l.paired_with, said.instruction) AS instruction_id, CASE
             WHEN pair = 'differs' THEN 'amount_differs'
             WHEN pair = 'same' AND (${IS_LATE}) THEN 'late'
             WHEN pair = 'same' THEN 'matched'
             ELSE coalesce(said.kind, 'unmatched_in_statement') END AS kind
      FROM l LEFT JOIN said ON said.number = l.number)`

/** Matched is what needs nobody: also what came late, once both sides are there. */
const STATE = `
  CASE WHEN c.kind = 'matched' OR (c.kind = 'late' AND c.transfer_id IS NOT NULL)
       THEN 'matched' ELSE 'open' END`

/** A transfer that was missed by an earlier one is from now on its line's. */
const MERGE = `
  UPDATE reconciliation_items x SET state = 'merged'
    FROM staged_pairs p WHERE x.id = p.item_id AND p.line_slice BETWEEN :lo AND :hi`

const RENEW = `${CLASSIFIED}
  UPDATE reconciliation_items x
     SET kind = c.kind, state = ${STATE},
         instruction_id = c.instruction_id, transfer_id = c.transfer_id,
         books_amount = c.books_amount, effective_at = c.effective_at, proposed_transfer_id = NULL
    FROM classified c
   WHERE x.id = c.item_id
     AND (x.kind <> c.kind OR c.transfer_id IS NOT NULL
          OR x.instruction_id IS DISTINCT FROM c.instruction_id)`

/** Ids of items count up from their reconciliation's. */
const itemId = (number: string) => `(left(:run, 28) || lpad(to_hex(${number}), 8, '0'))::uuid`

const ADD = `${CLASSIFIED},
  added AS (
    INSERT INTO reconciliation_items (
      id, reconciliation_id, bank, kind, state, currency, line, line_identity, reference,
      bank_reference, statement_amount, booked_at, description, instruction_id, transfer_id,
      books_amount, effective_at)
    SELECT ${itemId('number')}, cast(:run AS uuid), :bank, kind, ${STATE},
           currency, number, identity, reference, bank_reference, amount, booked_at,
           CASE ${STATE} WHEN 'open' THEN description END,
           instruction_id, transfer_id, books_amount, effective_at
      FROM classified c WHERE item_id IS NULL
    RETURNING currency, statement_amount),
  counted AS (
    UPDATE reconciliation_totals t SET statement = t.statement + a.sum
      FROM (SELECT currency, sum(statement_amount)::bigint AS sum FROM added GROUP BY 1) a
     WHERE t.bank = :bank AND t.currency = a.currency)
  UPDATE reconciliations SET done = done + (SELECT count(*) FROM added)
   WHERE id = cast(:run AS uuid) RETURNING done`

/** By what lines are judged: the last day of the statement, and how many days may lie between. */
export interface Judged {
  readonly run: string
  readonly bank: string
  readonly to: string
  readonly days: number
}

/** Each slice is committed with its items; what is committed is never looked at again. */
export async function writeLines(
  session: Session,
  judged: Judged,
  { isAnyOpen, onDone }: { readonly isAnyOpen: boolean; readonly onDone: (lines: number) => void },
): Promise<void> {
  const { run, ...rest } = judged
  for (const slice of slicesOf(await sizeOf(session, 'staged_lines'))) {
    const done = await session.transaction(async (trx) => {
      if (isAnyOpen) await trx.raw(MERGE, slice)
      if (isAnyOpen) await trx.raw(RENEW, { ...rest, ...slice })
      const { rows } = await trx.raw(ADD, { run, ...rest, ...slice })
      return rows[0]?.done
    })
    onDone(Number(done))
  }
}

/** A transfer of the last days may still be shown by the next statement. */
const MISSED = `
  INSERT INTO reconciliation_items (
    id, reconciliation_id, bank, kind, state, currency, reference, instruction_id, transfer_id,
    books_amount, effective_at)
  SELECT ${itemId('cast(:base AS bigint) + row_number() OVER (ORDER BY entry, transfer_id)')},
         cast(:run AS uuid), :bank,
         CASE WHEN ${dayOf('effective_at')} > cast(:to AS date) - cast(:days AS int) THEN 'late'
              ELSE 'unmatched_in_books' END,
         'open', currency, coalesce(key, ''), instruction_id, transfer_id, amount, effective_at
    FROM staged_movements m
   WHERE slice BETWEEN :lo AND :hi AND item_id IS NULL AND ${FREE_MOVEMENT}
  RETURNING 1`

const OVERDUE = `
  UPDATE reconciliation_items SET kind = 'unmatched_in_books'
   WHERE bank = :bank AND state = 'open' AND kind = 'late' AND line_identity IS NULL
     AND ${dayOf('effective_at')} <= cast(:to AS date) - cast(:days AS int)`

export async function writeMissed(session: Session, judged: Judged, base: number): Promise<void> {
  let written = base
  for (const slice of slicesOf(await sizeOf(session, 'staged_movements'))) {
    const added = await session.run(MISSED, { ...judged, ...slice, base: written })
    written += added.length
  }
  const { bank, to, days } = judged
  await session.run(OVERDUE, { bank, to, days })
}

/**
 * Same amount, currency and day, and only one of each: that may be it, but nobody matches it
 * without having looked.
 */
const PROPOSE = `
  WITH open AS (
    SELECT id, line_identity, transfer_id, currency, kind, instruction_id,
           coalesce(statement_amount, books_amount) AS amount,
           ${dayOf('coalesce(booked_at, effective_at)')} AS day
      FROM reconciliation_items
     WHERE bank = :bank AND state IN ('open', 'proposed')
       AND mod(abs(coalesce(statement_amount, books_amount)), cast(:steps AS bigint))
           = cast(:step AS bigint)),
  line AS (
    SELECT currency, amount, day, min(id::text)::uuid AS id FROM open
     WHERE kind = 'unmatched_in_statement' AND instruction_id IS NULL
     GROUP BY 1, 2, 3 HAVING count(*) = 1),
  movement AS (
    SELECT currency, amount, day, min(transfer_id::text)::uuid AS transfer_id FROM open
     WHERE line_identity IS NULL GROUP BY 1, 2, 3 HAVING count(*) = 1)
  UPDATE reconciliation_items x
     SET proposed_transfer_id = f.transfer_id,
         state = CASE WHEN f.transfer_id IS NULL THEN 'open' ELSE 'proposed' END
    FROM (SELECT open.id, movement.transfer_id FROM open
            LEFT JOIN line ON line.id = open.id
            LEFT JOIN movement ON line.id IS NOT NULL
             AND (movement.currency, movement.amount, movement.day)
                 = (open.currency, open.amount, open.day)
           WHERE open.kind = 'unmatched_in_statement') f
   WHERE x.id = f.id AND x.proposed_transfer_id IS DISTINCT FROM f.transfer_id`

export async function propose(session: Session, bank: string): Promise<void> {
  const [open] = await session.run<{ count: bigint }>(
    `SELECT count(*) FROM reconciliation_items
      WHERE bank = :bank AND state IN ('open', 'proposed')`,
    { bank },
  )
  const steps = slicesOf(Number(open?.count ?? 0)).length
  for (let step = 0; step < steps; step += 1) await session.run(PROPOSE, { bank, steps, step })
}
