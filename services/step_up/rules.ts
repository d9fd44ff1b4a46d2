/** When a payment needs a second factor: dated rules, and what they say. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Facts, Rail } from '../clearance/facts.ts'
import type { Dated } from '../rules/book.ts'
import { loadOpenRules } from '../rules/bound.ts'

export const STEP_UP_KINDS = ['amount', 'new_payee', 'new_device', 'security_changed'] as const
export type StepUpKind = (typeof STEP_UP_KINDS)[number]

export interface StepUpRule extends Dated {
  readonly id: Uuid
  readonly kind: StepUpKind
  /** Null: payments in any currency. */
  readonly currency: string | null
  /** Minor units; less is not asked for. */
  readonly amountFrom: bigint
  /** For how long something is new; null where nothing has to be. */
  readonly window_s: number | null
  /** Null: every way of moving money. */
  readonly rails: readonly Rail[] | null
  readonly tier: string | null
  readonly createdBy: string
}

/** What some kinds must know beside the facts. What no rule asks for may be null. */
export interface Known {
  /** When the payer first paid the payee; null if never. */
  readonly firstPaidAt: Date | null
  /** When the device that approves was bound; null where none does. */
  readonly deviceBoundAt: Date | null
}

/** Whether the rule is about such a payment at all, as far as the facts tell. Pure. */
export const concerns = (
  { rails, tier, currency, amountFrom }: StepUpRule,
  { rail, payer, money }: Facts,
): boolean =>
  (rails === null || rails.includes(rail)) &&
  (tier === null || tier === payer.standing.tier) &&
  (currency === null || currency === money.currency) &&
  money.amount >= amountFrom

/**
 * Why the payment needs a second factor; nothing where it does not. Pure.
 * @param rules those in force that concern the payment.
 */
export function reasonsOf(
  rules: readonly StepUpRule[],
  facts: Facts,
  known: Known,
): readonly StepUpKind[] {
  const hits = rules.filter((rule) => HITS[rule.kind](rule, facts, known))
  return [...new Set(hits.map(({ kind }) => kind))]
}

type Hit = (rule: StepUpRule, facts: Facts, known: Known) => boolean

const HITS: Readonly<Record<StepUpKind, Hit>> = {
  amount: () => true,
  new_payee: ({ window_s }, { payee, at }, { firstPaidAt }) =>
    payee !== null && (firstPaidAt === null || isNew(firstPaidAt, at, window_s)),
  new_device: ({ window_s }, { at }, { deviceBoundAt }) => isNew(deviceBoundAt, at, window_s),
  security_changed: ({ window_s }, { payer, at }) =>
    isNew(payer.standing.securityChangedAt, at, window_s),
}

const isNew = (since: Date | null, at: Date, window_s: number | null): boolean =>
  since !== null && at.getTime() - since.getTime() < (window_s ?? 0) * 1000

/** Those in force and those to come. */
export async function loadStepUpRules(db: Knex, now: Date): Promise<StepUpRule[]> {
  return (await loadOpenRules<Row>(db, 'step_up_rules', now)).map(fromRow)
}

/** All that there ever were, newest first. */
export async function findStepUpRules(
  db: Knex,
  { before, limit }: { readonly before: Uuid | undefined; readonly limit: number },
): Promise<StepUpRule[]> {
  const query = db('step_up_rules').orderBy('id', 'desc').limit(limit)
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

export interface Row {
  readonly id: Uuid
  readonly kind: StepUpKind
  readonly currency: string | null
  readonly amount_from: bigint
  readonly window_s: number | null
  readonly rails: readonly Rail[] | null
  readonly tier: string | null
  readonly valid_from: Date
  readonly valid_to: Date | null
  readonly created_by: string
}

export const fromRow = (row: Row): StepUpRule => ({
  ...{ id: row.id, kind: row.kind, currency: row.currency, amountFrom: row.amount_from },
  ...{ window_s: row.window_s, rails: row.rails, tier: row.tier },
  ...{ validFrom: row.valid_from, validTo: row.valid_to, createdBy: row.created_by },
})
