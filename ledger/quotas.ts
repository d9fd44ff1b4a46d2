/**
 * What somebody may use up in a day, a week and a month: one row each, locked with the accounts of
 * the group and moved in its transaction, so that a crowd of payments can use no more than one.
 */
import type { Knex } from 'knex'
import type { Connection } from './database.ts'
import type { Uuid } from './ids.ts'
import { bigintsOf, placesOf, uuidsOf } from './wire/binary.ts'

const PERIODS = ['day', 'week', 'month'] as const
export type Period = (typeof PERIODS)[number]

/** Numbers of the periods in which something happens; each later than the one before it. */
export type Calendar = Readonly<Record<Period, bigint>>

/** The most that is allowed; left out, any. */
export interface Ceiling {
  /** Minor units. */
  readonly amount?: bigint | undefined
  readonly count?: bigint | undefined
}

/** What a unit uses up. It is refused as a whole, with `code`, where that is too much. */
export interface Use {
  /** Begins with its first use. */
  readonly quota: Uuid
  /** Minor units. */
  readonly amount: bigint
  readonly at: Calendar
  /** `once` is for this use alone. */
  readonly ceilings: Readonly<Partial<Record<Period | 'once', Ceiling>>>
  readonly code: 'limit_exceeded' | 'allowance_exceeded'
}

interface Used {
  readonly period: bigint
  readonly amount: bigint
  readonly count: bigint
}

export type Quota = { readonly id: Uuid } & Readonly<Record<Period, Used>>

/** How the quota stands after `use`, or undefined where a ceiling is in the way. Pure. */
export function afterUse(quota: Quota, use: Use): Quota | undefined {
  const { amount, ceilings, at } = use
  if (isAbove({ amount, count: 1n }, ceilings.once)) return undefined
  const day = moved(quota.day, at.day, amount)
  const week = moved(quota.week, at.week, amount)
  const month = moved(quota.month, at.month, amount)
  if (isAbove(day, ceilings.day) || isAbove(week, ceilings.week)) return undefined
  return isAbove(month, ceilings.month) ? undefined : { id: quota.id, day, week, month }
}

const isAbove = ({ amount, count }: Omit<Used, 'period'>, ceiling: Ceiling | undefined) =>
  (ceiling?.amount !== undefined && amount > ceiling.amount) ||
  (ceiling?.count !== undefined && count > ceiling.count)

/** A new period begins with nothing. Whose clock is behind uses up what is newer. */
const moved = (used: Used, now: bigint, amount: bigint): Used =>
  now > used.period
    ? { period: now, amount, count: 1n }
    : { period: used.period, amount: used.amount + amount, count: used.count + 1n }

/**
 * How the quota stands once what was used at `at` is given back; what is over stays over. Pure.
 * Where the numbers of the periods mean something else by now (another time zone), no more goes
 * back than was used: that a payment came to nothing must be written down in any case.
 */
function afterReturn(quota: Quota, { amount, count, at }: Return): Quota {
  const period = (name: Period): Used => {
    const used = quota[name]
    if (used.period !== at[name]) return used
    return { ...used, amount: less(used.amount, amount), count: less(used.count, count) }
  }
  return { id: quota.id, day: period('day'), week: period('week'), month: period('month') }
}

const less = (used: bigint, returned: bigint) => (returned > used ? 0n : used - returned)

/** What was used and came to nothing. */
export interface Return {
  readonly quota: Uuid
  readonly amount: bigint
  readonly count: 0n | 1n
  /** When it was used. */
  readonly at: Calendar
}

/** Those of the quotas that were ever used, by id, as they stand. */
export async function findQuotas(
  db: Knex,
  ids: readonly Uuid[],
): Promise<ReadonlyMap<Uuid, Quota>> {
  const rows: Row[] = await db('quotas').whereIn('id', ids)
  return new Map(rows.map((row) => [row.id, fromRow(row)]))
}

export interface LockedQuotas {
  readonly quotas: ReadonlyMap<Uuid, Quota>
  /** Where they lie, for as long as they are locked. */
  readonly quotaPlaces: ReadonlyMap<Uuid, string>
}

/** Which quotas have rows, as far as a process knows. */
export interface KnownQuotas {
  readonly has: (id: Uuid) => boolean
  /** To be told after the commit. */
  readonly add: (ids: readonly Uuid[]) => void
}

const KNOWN_MAX = 200_000

export function openKnownQuotas(): KnownQuotas {
  const known = new Set<Uuid>()
  return {
    has: (id) => known.has(id),
    add(ids) {
      if (known.size + ids.length > KNOWN_MAX) known.clear()
      for (const id of ids) known.add(id)
    },
  }
}

const OPEN_QUOTAS = `
  INSERT INTO quotas (id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING`

const LOCK_QUOTAS = `
  SELECT ctid, id, day, day_amount, day_count, week, week_amount, week_count,
         month, month_amount, month_count
    FROM quotas WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`

/** The columns of LOCK_QUOTAS. */
type LockedRow = readonly [
  place: string,
  id: Uuid,
  ...day: readonly [period: bigint, amount: bigint, count: bigint],
  ...week: readonly [period: bigint, amount: bigint, count: bigint],
  ...month: readonly [period: bigint, amount: bigint, count: bigint],
]

/**
 * Makes rows for those that may have none, and then locks all of them; both in id order and always
 * after the accounts, so that nobody can deadlock.
 */
export async function lockQuotas(
  connection: Connection,
  ids: readonly Uuid[],
  known?: KnownQuotas,
): Promise<LockedQuotas> {
  if (ids.length === 0) return { quotas: new Map(), quotaPlaces: new Map() }
  const fresh = ids.filter((id) => known?.has(id) !== true).toSorted()
  const [, found] = await Promise.all([
    fresh.length > 0 &&
      connection.query({ name: 'open_quotas', text: OPEN_QUOTAS, values: [uuidsOf(fresh)] }),
    connection.query({
      ...{ name: 'lock_quotas', text: LOCK_QUOTAS, values: [uuidsOf(ids)], rowMode: 'array' },
    }),
  ])
  const [quotas, quotaPlaces] = [new Map<Uuid, Quota>(), new Map<Uuid, string>()]
  for (const row of found.rows as LockedRow[]) {
    quotas.set(row[1], {
      id: row[1],
      day: { period: row[2], amount: row[3], count: row[4] },
      week: { period: row[5], amount: row[6], count: row[7] },
      month: { period: row[8], amount: row[9], count: row[10] },
    })
    quotaPlaces.set(row[1], row[0])
  }
  return { quotas, quotaPlaces }
}

const UPDATE_QUOTAS = `
  UPDATE quotas q
     SET day = n.day, day_amount = n.day_amount, day_count = n.day_count,
         week = n.week, week_amount = n.week_amount, week_count = n.week_count,
         month = n.month, month_amount = n.month_amount, month_count = n.month_count
    FROM unnest($1::tid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
      AS n (place, day, day_amount, day_count, week, week_amount, week_count,
            month, month_amount, month_count)
   WHERE q.ctid = n.place`

/** Writes them where they are locked. */
export const updateQuotas =
  (quotas: readonly Quota[], places: LockedQuotas['quotaPlaces']) => (connection: Connection) =>
    connection.query({
      name: 'update_quotas',
      text: UPDATE_QUOTAS,
      values: [
        placesOf(quotas.map(({ id }) => places.get(id) ?? '')),
        ...PERIODS.flatMap((period) => [
          bigintsOf(quotas.map((quota) => quota[period].period)),
          bigintsOf(quotas.map((quota) => quota[period].amount)),
          bigintsOf(quotas.map((quota) => quota[period].count)),
        ]),
      ],
    })

/**
 * Gives back what was used and came to nothing, in the transaction in which it does, behind its
 * transfers: accounts are locked before quotas.
 */
export async function returnUses(
  trx: Knex.Transaction,
  returned: readonly Return[],
): Promise<void> {
  if (returned.length === 0) return
  const connection = (await trx.client.acquireConnection()) as Connection
  const ids = returned.map(({ quota }) => quota)
  const { quotas, quotaPlaces } = await lockQuotas(connection, ids)
  const after = new Map(quotas)
  for (const one of returned) {
    const quota = after.get(one.quota)
    if (quota !== undefined) after.set(one.quota, afterReturn(quota, one))
  }
  await updateQuotas([...after.values()], quotaPlaces)(connection)
}

type Row = { readonly id: Uuid } & Readonly<
  Record<Period | `${Period}_amount` | `${Period}_count`, bigint>
>

const usedIn = (row: Row, period: Period): Used => ({
  period: row[period],
  amount: row[`${period}_amount`],
  count: row[`${period}_count`],
})

const fromRow = (row: Row): Quota => ({
  id: row.id,
  day: usedIn(row, 'day'),
  week: usedIn(row, 'week'),
  month: usedIn(row, 'month'),
})
