/** Limits as dated data: what is in force, and which of it binds a payment. */
import type { Knex } from 'knex'
import type { Period, Uuid } from '../../ledger/index.ts'
import type { Facts, Rail } from '../clearance/facts.ts'
import type { Standing } from '../credentials/standing.ts'
import type { Dated } from '../rules/book.ts'
import { loadOpenRules } from '../rules/bound.ts'

export interface LimitRule extends Dated {
  readonly id: Uuid
  /** `payer`: what somebody spends, all told; `payee`: what they spend on each payee. */
  readonly scope: 'payer' | 'payee'
  readonly period: Period | 'payment'
  /** Null: payments of all currencies are counted together. */
  readonly currency: string | null
  /** Minor units of the currency. */
  readonly amountMax: bigint | null
  readonly countMax: bigint | null
  readonly tier: string | null
  readonly rails: readonly Rail[] | null
  /** Binds only for a while after a factor of the person was changed. */
  readonly afterChange: boolean
  readonly createdBy: string
  /** Which payments it counts together, as text: those of a currency, by some rails. */
  readonly counts: string
}

/** A rule that names no rails is about money that leaves the payer for somebody else or a bank. */
const LEAVING: readonly Rail[] = ['wallet', 'order', 'bank', 'withdrawal']

/** Whether the rule binds the payment. Pure. */
export function binds(rule: LimitRule, facts: Facts, reduced_s: number): boolean {
  const { rail, payer, payee, money, at } = facts
  return (
    (rule.rails ?? LEAVING).includes(rail) &&
    (rule.currency === null || rule.currency === money.currency) &&
    (rule.scope === 'payer' || payee !== null) &&
    appliesTo(rule, payer.standing, { at, reduced_s })
  )
}

/** Whether it may bind some payment of who stands so. Pure. */
export const appliesTo = (
  { tier, afterChange }: LimitRule,
  standing: Standing,
  { at, reduced_s }: { readonly at: Date; readonly reduced_s: number },
): boolean =>
  (tier === null || tier === standing.tier) &&
  (!afterChange || isRecent(standing.securityChangedAt, at, reduced_s))

const isRecent = (changed: Date | null, at: Date, within_s: number): boolean =>
  changed !== null && at.getTime() - changed.getTime() < within_s * 1000

/** Those in force and those to come. */
export async function loadRules(db: Knex, now: Date): Promise<LimitRule[]> {
  return (await loadOpenRules<Row>(db, 'limit_rules', now)).map(fromRow)
}

/** All that there ever were, newest first. */
export async function findRules(
  db: Knex,
  { before, limit }: { readonly before: Uuid | undefined; readonly limit: number },
): Promise<LimitRule[]> {
  const query = db('limit_rules').orderBy('id', 'desc').limit(limit)
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

export const countsOf = ({ currency, rails }: Pick<LimitRule, 'currency' | 'rails'>): string =>
  `${currency ?? '*'} ${rails?.toSorted().join() ?? '*'}`

export interface Row {
  readonly id: Uuid
  readonly scope: LimitRule['scope']
  readonly period: LimitRule['period']
  readonly currency: string | null
  readonly amount_max: bigint | null
  readonly count_max: bigint | null
  readonly tier: string | null
  readonly rails: readonly Rail[] | null
  readonly after_change: boolean
  readonly valid_from: Date
  readonly valid_to: Date | null
  readonly created_by: string
}

export const fromRow = (row: Row): LimitRule => ({
  ...{ id: row.id, scope: row.scope, period: row.period, currency: row.currency },
  ...{ amountMax: row.amount_max, countMax: row.count_max, tier: row.tier, rails: row.rails },
  ...{ afterChange: row.after_change, validFrom: row.valid_from, validTo: row.valid_to },
  createdBy: row.created_by,
  counts: countsOf(row),
})
