/** What a payment uses up: one quota for each group of rules that count the same payments. */
import { hash } from 'node:crypto'
import {
  type Calendar,
  type Ceiling,
  type Period,
  type Return,
  type Use,
  type Uuid,
  uuidOfDigest,
} from '../../ledger/index.ts'
import type { Facts } from '../clearance/facts.ts'
import type { Context } from '../context.ts'
import { binds, type LimitRule } from './rules.ts'

/** What the payment uses up under the rules in force; nothing where none binds it. */
export async function usesOf(context: Context, facts: Facts): Promise<Use[]> {
  const { limits, config } = context
  const inForce = await limits.at(facts.at)
  const binding = inForce.filter((rule) => binds(rule, facts, config.REDUCED_LIMITS_S))
  if (binding.length === 0) return []
  const at = context.calendar(facts.at)
  const uses: Use[] = []
  for (const [counted, ceilings] of ceilingsOf(binding, facts)) {
    const { amount } = facts.money
    uses.push({ quota: quotaId(counted), amount, at, ceilings, code: 'limit_exceeded' })
  }
  return uses
}

/** What a payment without an approval uses up of what may go without one in a day. */
export function allowanceOf(context: Context, { payer, money, at }: Facts): Use {
  const amount = BigInt(context.config.NO_PIN_DAY_LIMIT)
  return {
    quota: quotaId(`unapproved ${payer.id} ${money.currency}`),
    ...{ amount: money.amount, at: context.calendar(at), ceilings: { day: { amount } } },
    code: 'allowance_exceeded',
  }
}

type Ceilings = Partial<Record<Period | 'once', Ceiling>>

/** By what they count: the strictest ceiling of each period. Pure. */
function ceilingsOf(
  rules: readonly LimitRule[],
  { payer, payee }: Facts,
): ReadonlyMap<string, Ceilings> {
  const all = new Map<string, Ceilings>()
  for (const rule of rules) {
    const { period, amountMax, countMax } = rule
    const counted = countedBy(rule, payer.id, payee?.id)
    const ceilings = all.get(counted) ?? {}
    const name = period === 'payment' ? 'once' : period
    const { amount, count } = ceilings[name] ?? {}
    ceilings[name] = { amount: stricter(amount, amountMax), count: stricter(count, countMax) }
    all.set(counted, ceilings)
  }
  return all
}

/** Names what the rule counts. Rules that count the same share a quota. Pure. */
export function countedBy(
  { scope, counts }: LimitRule,
  payer: Uuid,
  payee: Uuid | undefined,
): string {
  return scope === 'payee' ? `${payer} to ${payee} ${counts}` : `${payer} ${counts}`
}

function stricter(one: bigint | undefined, other: bigint | null): bigint | undefined {
  if (other === null) return one
  return one === undefined || other < one ? other : one
}

/** Two that count the same are the same, in whatever process. */
export function quotaId(counted: string): Uuid {
  return uuidOfDigest(hash('sha256', counted))
}

/**
 * The same, used when the payment is made: that is after it was cleared, which may be on another
 * day, and what comes to nothing goes back to the day on which the payment says it was made.
 */
export const usedAt = ({ calendar }: Context, uses: readonly Use[], made: Date): Use[] =>
  uses.map((use) => (use.at === calendar(made) ? use : { ...use, at: calendar(made) }))

/**
 * What goes back when a payment has come to less than it was to be. Pure.
 * @param quotas what it used up, when it was made.
 * @param rest what it did not come to, in minor units.
 */
export const returnsOf = (
  quotas: readonly Uuid[],
  rest: { readonly amount: bigint; readonly isAll: boolean },
  at: Calendar,
): Return[] =>
  quotas.map((quota) => ({ quota, amount: rest.amount, count: rest.isAll ? 1n : 0n, at }))
