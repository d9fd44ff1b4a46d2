/** What moved accounts, by ranges of their numbered entries: many accounts in one question. */
import type { Knex } from 'knex'
import type { AccountType, Side } from './chart.ts'
import {
  type AccountId,
  transferIdAt,
  TRANSFERS_PER_UNIT_MAX,
  type UnitId,
  type Uuid,
} from './ids.ts'
import type { Currency } from './money.ts'

export interface Range {
  readonly account: AccountId
  /** The entry before the first. */
  readonly beyond: bigint
  /** Up to what was recorded before; left out, up to the newest entry. */
  readonly until?: Date | undefined
}

/** What entries of one code on one side come to, in minor units. */
export interface CodeSum {
  readonly code: string
  readonly side: Side
  readonly count: number
  readonly amount: bigint
}

export interface RangeSums {
  readonly account: AccountId
  readonly currency: Currency
  /** The last entry of the range; that before the first, where it is empty. */
  readonly last: bigint
  /** Posted balances after the entry before the first, and after the last. */
  readonly opening: bigint
  readonly closing: bigint
  /** What may leave the account now. */
  readonly available: bigint
  /** Of what moved the posted balance; a code may come more than once. */
  readonly sums: readonly CodeSum[]
}

interface Row extends Omit<RangeSums, 'sums'> {
  readonly sums: readonly (readonly [code: string, side: Side, count: number, amount: string])[]
}

/** So many entries are added up by one statement: millions would outlast its time limit. */
const ENTRIES_MAX = 100_000n

const BY_CODE = `
  SELECT json_agg(json_build_array(code, side, count, amount::text)) AS sums
    FROM (SELECT code, side, count(*) AS count, sum(amount) AS amount
            FROM entries
           WHERE account_id = r.account AND entry > r.beyond AND entry <= l.upto
             AND kind IN ('single', 'post', 'reversal')
           GROUP BY code, side) AS by_code`

const SUMS = `
  SELECT a.id AS account, a.currency, l.last, balance_after(a.id, r.beyond) AS opening,
         balance_after(a.id, l.last) AS closing,
         CASE a.normal_side
           WHEN 'credit' THEN a.credits_posted - a.debits_posted - a.debits_pending
           ELSE a.debits_posted - a.credits_posted - a.credits_pending END AS available,
         coalesce(s.sums, '[]') AS sums
    FROM unnest(?::uuid[], ?::bigint[], ?::timestamptz[]) AS r (account, beyond, until)
    JOIN accounts a ON a.id = r.account
   CROSS JOIN LATERAL (
         SELECT last, least(last, r.beyond + ${ENTRIES_MAX}) AS upto FROM (
           SELECT greatest(r.beyond, CASE WHEN r.until IS NULL THEN a.last_entry
                   ELSE entry_at(a.id, r.until - interval '1 microsecond') END) AS last) ends) l
   CROSS JOIN LATERAL (${BY_CODE}) s`

/** In no particular order; what is not an account is left out. */
export async function sumRanges(db: Knex, ranges: readonly Range[]): Promise<RangeSums[]> {
  const { rows } = await db.raw<{ rows: Row[] }>(SUMS, [
    ranges.map(({ account }) => account),
    ranges.map(({ beyond }) => beyond.toString()),
    ranges.map(({ until }) => until?.toISOString() ?? null) as string[],
  ])
  const beyonds = new Map(ranges.map(({ account, beyond }) => [account, beyond]))
  const all: RangeSums[] = []
  for (const { sums, ...range } of rows) {
    const first = beyonds.get(range.account) ?? 0n
    const more = await sumRest(db, range.account, first + ENTRIES_MAX, range.last)
    all.push({ ...range, sums: [...sums, ...more].map(sumOf) })
  }
  return all
}

type SumRow = Row['sums'][number]

const sumOf = ([code, side, count, amount]: SumRow): CodeSum => ({
  ...{ code, side, count, amount: BigInt(amount) },
})

/** What the first statement left of a very long range; entries never change. */
async function sumRest(
  db: Knex,
  account: AccountId,
  beyond: bigint,
  last: bigint,
): Promise<SumRow[]> {
  const all: SumRow[] = []
  for (let from = beyond; from < last; from += ENTRIES_MAX) {
    const upto = from + ENTRIES_MAX < last ? from + ENTRIES_MAX : last
    const { rows } = await db.raw<{ rows: { sums: SumRow[] | null }[] }>(
      `SELECT s.sums FROM (SELECT ?::uuid AS account, ?::bigint AS beyond) r
        CROSS JOIN (SELECT ?::bigint AS upto) l CROSS JOIN LATERAL (${BY_CODE}) s`,
      [account, from.toString(), upto.toString()],
    )
    all.push(...(rows[0]?.sums ?? []))
  }
  return all
}

/** The accounts of one type that these owners have, in whichever currencies. */
export async function accountsOfOwners(
  db: Knex,
  type: AccountType,
  owners: readonly string[],
): Promise<{ readonly id: AccountId; readonly owner: string; readonly currency: Currency }[]> {
  return db('accounts')
    .where({ type })
    .whereIn('owner', [...owners])
    .select('id', 'owner', 'currency')
}

/**
 * The numbers of the last entries that were recorded before these moments, and the posted balances
 * after them.
 */
export async function endsBefore(
  db: Knex,
  account: AccountId,
  moments: readonly Date[],
): Promise<{ readonly entry: bigint; readonly balance: bigint }[]> {
  const { rows } = await db.raw<{ rows: { entry: bigint; balance: bigint }[] }>(
    `SELECT e.entry, balance_after(:account, e.entry) AS balance
       FROM unnest(:moments::timestamptz[]) WITH ORDINALITY AS m (at, n)
      CROSS JOIN LATERAL (SELECT entry_at(:account, m.at - interval '1 microsecond') AS entry) e
      ORDER BY m.n`,
    { account, moments: moments.map((moment) => moment.toISOString()) },
  )
  return rows
}

/** What moved between an account and another by entries of one code on one side, for one thing. */
export interface SumAgainst extends CodeSum {
  readonly other: AccountId
  readonly reference: Uuid
}

/** So many entries are added up at a time. */
const SLICE = 5_000n

/** Between the account and these others, by entries beyond one and up to another, bit by bit. */
export async function* sumsAgainst(
  db: Knex,
  account: AccountId,
  others: readonly AccountId[],
  { beyond, last }: { readonly beyond: bigint; readonly last: bigint },
): AsyncGenerator<SumAgainst[]> {
  for (let from = beyond; from < last; from += SLICE) {
    const upto = from + SLICE < last ? from + SLICE : last
    const { rows } = await db.raw<{ rows: (Omit<SumAgainst, 'amount'> & { amount: string })[] }>(
      `SELECT other_account_id AS other, code, side, reference, count(*)::int AS count,
              sum(amount)::text AS amount
         FROM entries
        WHERE account_id = ? AND entry > ? AND entry <= ? AND other_account_id = ANY (?::uuid[])
          AND kind IN ('single', 'post', 'reversal')
        GROUP BY other_account_id, code, side, reference`,
      [account, from.toString(), upto.toString(), [...others]],
    )
    yield rows.map((row) => ({ ...row, amount: BigInt(row.amount) }))
  }
}

/** An entry of an account, by the transfer that made it. */
export interface Place {
  readonly account: AccountId
  readonly entry: bigint
}

/** The first entry that the units made in each account that they credited. */
export async function creditedBy(db: Knex, units: readonly UnitId[]): Promise<Place[]> {
  const { rows } = await db.raw<{ rows: Place[] }>(
    `SELECT t.credit_account_id AS account, min(t.credit_entry) AS entry
       FROM unnest(:first::uuid[], :last::uuid[]) AS unit (first, last)
       JOIN transfers t ON t.id BETWEEN unit.first AND unit.last GROUP BY 1`,
    idsOf(units),
  )
  return rows
}

/**
 * When the units brought the account anything, or what they held was posted, which brings it then:
 * to a quarter of an hour, by which all clocks are apart, and each once.
 */
export async function momentsCredited(
  db: Knex,
  account: AccountId,
  units: readonly UnitId[],
): Promise<Date[]> {
  const { rows } = await db.raw<{ rows: { at: Date }[] }>(
    `WITH made AS (
       SELECT t.* FROM unnest(:first::uuid[], :last::uuid[]) AS unit (first, last)
         JOIN transfers t ON t.id BETWEEN unit.first AND unit.last
     ), moments AS (
       SELECT recorded_at FROM made
        WHERE credit_account_id = :account AND kind IN ('single', 'post')
        UNION ALL
       SELECT p.recorded_at FROM made h JOIN transfers p ON p.pending_id = h.id
        WHERE h.kind = 'pending' AND p.kind = 'post'
     )
     SELECT DISTINCT date_bin('15 minutes', recorded_at, timestamptz '2000-01-01Z') AS at
       FROM moments`,
    { account, ...idsOf(units) },
  )
  return rows.map(({ at }) => at)
}

/** Between which ids the transfers of each unit are. */
const idsOf = (units: readonly UnitId[]) => ({
  first: [...units],
  last: units.map((unit) => transferIdAt(unit, TRANSFERS_PER_UNIT_MAX - 1)),
})
