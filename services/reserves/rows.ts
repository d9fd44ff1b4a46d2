/** Reserves and their rules as they are kept, and as the API shows them. */
import type { Knex } from 'knex'
import type { Currency, UnitId, Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'
import type { Kept, ReserveRule } from './rules.ts'

/** More rules than so many of one merchant in one currency is a mistake. */
const RULES_MAX = 1_000

interface RuleRow {
  readonly id: Uuid
  readonly merchant_id: Uuid
  readonly currency: Currency
  readonly kind: 'fixed' | 'rolling'
  readonly amount: bigint | null
  readonly percent: string | null
  readonly days: number | null
  readonly valid_from: Date
  readonly created_by: string
  readonly approved_by: string | null
}

const ruleFrom = (row: RuleRow): ReserveRule => ({
  ...{ id: row.id, merchant: row.merchant_id, currency: row.currency, validFrom: row.valid_from },
  ...{ createdBy: row.created_by, approvedBy: row.approved_by },
  terms:
    row.kind === 'fixed'
      ? { kind: 'fixed', amount: row.amount ?? 0n }
      : { kind: 'rolling', percent: row.percent ?? '0', days: row.days ?? 1 },
})

/** All that there ever were, newest first: a day may be looked at long after it. */
export async function rulesOf(
  db: Knex,
  merchant: Uuid,
  currency?: Currency,
): Promise<ReserveRule[]> {
  const query = db('reserve_rules').where({ merchant_id: merchant })
  if (currency !== undefined) query.where({ currency })
  const rows: RuleRow[] = await query.orderBy('id', 'desc').limit(RULES_MAX)
  return rows.map(ruleFrom)
}

export const ruleRow = ({ terms, ...rule }: ReserveRule, createdAt: Date) => ({
  ...{ id: rule.id, merchant_id: rule.merchant, currency: rule.currency, kind: terms.kind },
  amount: terms.kind === 'fixed' ? terms.amount.toString() : null,
  percent: terms.kind === 'rolling' ? terms.percent : null,
  days: terms.kind === 'rolling' ? terms.days : null,
  ...{ valid_from: rule.validFrom, created_by: rule.createdBy, approved_by: rule.approvedBy },
  created_at: createdAt,
})

export const ruleOut = ({ terms, ...rule }: ReserveRule) => ({
  id: publicId('rsr', rule.id),
  merchant: publicId('mer', rule.merchant),
  currency: rule.currency,
  kind: terms.kind,
  amount: terms.kind === 'fixed' ? terms.amount.toString() : null,
  percent: terms.kind === 'rolling' ? terms.percent : null,
  days: terms.kind === 'rolling' ? terms.days : null,
  valid_from: rule.validFrom.toISOString(),
  created_by: rule.createdBy,
  approved_by: rule.approvedBy,
})

export interface Reserve extends Kept {
  readonly id: Uuid
  readonly merchant: Uuid
  readonly currency: Currency
  /** The unit that took it. */
  readonly unit: UnitId
  /** What is neither released nor used up. */
  readonly remaining: bigint
  /** The entries of the merchant's account that it is of: beyond one, up to another. */
  readonly beyond: bigint
  readonly last: bigint
  readonly createdAt: Date
}

interface Row {
  readonly id: Uuid
  readonly merchant_id: Uuid
  readonly currency: Currency
  readonly rule_id: Uuid
  readonly kind: 'fixed' | 'rolling'
  readonly day: string
  readonly transfer_id: UnitId
  readonly amount: bigint
  readonly remaining: bigint
  readonly from_entry: bigint
  readonly to_entry: bigint
  readonly release_at: Date | null
  readonly created_at: Date
}

const fromRow = (row: Row): Reserve => ({
  ...{ id: row.id, merchant: row.merchant_id, currency: row.currency, rule: row.rule_id },
  ...{ kind: row.kind, day: row.day, unit: row.transfer_id, amount: row.amount },
  ...{ remaining: row.remaining, beyond: row.from_entry, last: row.to_entry },
  ...{ releaseAt: row.release_at, createdAt: row.created_at },
})

export const reserveRow = (reserve: Reserve) => ({
  ...{ id: reserve.id, merchant_id: reserve.merchant, currency: reserve.currency },
  ...{ rule_id: reserve.rule, kind: reserve.kind, day: reserve.day, transfer_id: reserve.unit },
  ...{ amount: `${reserve.amount}`, remaining: `${reserve.remaining}` },
  ...{ from_entry: `${reserve.beyond}`, to_entry: `${reserve.last}` },
  ...{ release_at: reserve.releaseAt, created_at: reserve.createdAt },
  changed_at: reserve.createdAt,
})

/** Newest first; of one merchant, or of all. */
export async function findReserves(
  db: Knex,
  {
    merchant,
    before,
    limit,
  }: { merchant: Uuid | undefined; before: Uuid | undefined; limit: number },
): Promise<Reserve[]> {
  const query = db('reserves').orderBy('id', 'desc').limit(limit)
  if (merchant !== undefined) query.where({ merchant_id: merchant })
  if (before !== undefined) query.where('id', '<', before)
  return readReserves(db, query)
}

interface Whose {
  readonly merchant: Uuid
  readonly currency: Currency
}

const openOf = (trx: Knex, { merchant, currency }: Whose): Knex.QueryBuilder =>
  trx('reserves').where({ merchant_id: merchant, currency }).where('remaining', '>', 0)

/**
 * Of a merchant in a currency those of which something is left: the fixed ones, which fill up
 * again, then those that would be released first.
 */
export const openReserves = (trx: Knex, whose: Whose, limit: number): Promise<Reserve[]> =>
  readReserves(trx, openOf(trx, whose).orderByRaw('release_at NULLS FIRST, id').limit(limit))

/** Those of which something is left and whose time has come, the earliest first. */
export const ripeReserves = (trx: Knex, whose: Whose, at: Date, limit: number) =>
  readReserves(
    trx,
    openOf(trx, whose).where('release_at', '<=', at).orderBy(['release_at', 'id']).limit(limit),
  )

/** What fixed reserves hold, in minor units: of all of them, however many there are. */
export async function fixedHeld(trx: Knex, where: object): Promise<bigint> {
  const [row] = await trx('reserves')
    .where({ ...where, kind: 'fixed' })
    .sum({ held: 'remaining' })
  return BigInt(row?.['held'] ?? 0)
}

/** A rule and a day. */
export const dayKeyOf = ({ rule, day }: Pick<Reserve, 'rule' | 'day'>) => `${rule} ${day}`

/** The reserves that there are of these rules and days, by `dayKeyOf`. */
export async function reservesOfDays(
  trx: Knex,
  some: readonly Reserve[],
): Promise<ReadonlyMap<string, Reserve>> {
  const days = some.map(({ rule, day }) => [rule, day])
  const query = trx('reserves').whereIn(['rule_id', 'day'], days).orderBy('id')
  const found = await readReserves(trx, query)
  return new Map(found.map((one) => [dayKeyOf(one), one]))
}

/** The day as text: a date has no time zone, and so is no moment. */
async function readReserves(db: Knex, query: Knex.QueryBuilder): Promise<Reserve[]> {
  const rows: Row[] = await query.select('*', db.raw('day::text AS day'))
  return rows.map(fromRow)
}

export const reserveOut = (reserve: Reserve) => ({
  id: publicId('rsv', reserve.id),
  merchant: publicId('mer', reserve.merchant),
  currency: reserve.currency,
  kind: reserve.kind,
  rule: publicId('rsr', reserve.rule),
  day: reserve.day,
  amount: reserve.amount.toString(),
  remaining: reserve.remaining.toString(),
  release_at: reserve.releaseAt?.toISOString() ?? null,
  created_at: reserve.createdAt.toISOString(),
})
