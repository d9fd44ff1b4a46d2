/** What a payment uses up: one quota for each group of rules that count the same payments. */
import { hash } from 'node:crypto'
import {
  type Calendar,
  type Ceiling,
  type Period,
  type Return,
  type Use,
  type Uuid,
  uuidOfHex,
} from '../../ledger/index.ts'
import type { Facts } from '../clearance/facts.ts'
import type { Context } from '../context.ts'
import { binds, type LimitRule } from './rules.ts'

/** What the payment uses up under the rules in force; nothing where none binds it. */
export async function usesOf(context: Context, facts: Facts): Promise<Use[]> {
  const { limits, config } = context
  const inForce = await limits.at(facts.at)
  const binding = inForce.map((rule) => binds(rule, facts, config.REDUCED_LIMITS_S))
  const at = context.calendar(facts.at)
  const { payer, payee, money } = facts
  return countedIn(inForce, binding).map(({ counting, ceilings }) => ({
    quota: quotaId(countedBy(counting, payer.id, payee?.id)),
    amount: money.amount,
    at,
    ceilings,
    code: 'limit_exceeded',
  }))
}

/** What some rules count together, and the most that they allow of it. */
interface Counted {
  readonly counting: Pick<LimitRule, 'scope' | 'counts'>
  readonly ceilings: Ceilings
}

/** By rules in force and which of them bind: the same for almost all payments. */
const plans = new WeakMap<readonly LimitRule[], Map<string, readonly Counted[]>>()

function countedIn(rules: readonly LimitRule[], binding: readonly boolean[]): readonly Counted[] {
  const ofRules = plans.get(rules) ?? new Map<string, readonly Counted[]>()
  if (ofRules.size === 0) plans.set(rules, ofRules)
  const which = binding.join()
  const known = ofRules.get(which)
  if (known !== undefined) return known
  const counted = ceilingsOf(rules.filter((_, index) => binding[index]))
  if (ofRules.size < PLANS_MAX) ofRules.set(which, counted)
  return counted
}

const PLANS_MAX = 1_000

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
function ceilingsOf(rules: readonly LimitRule[]): readonly Counted[] {
  const all = new Map<string, Counted>()
  for (const { scope, counts, period, amountMax, countMax } of rules) {
    const what = `${scope} ${counts}`
    const counted = all.get(what) ?? { counting: { scope, counts }, ceilings: {} }
    const { ceilings } = counted
    const name = period === 'payment' ? 'once' : period
    const { amount, count } = ceilings[name] ?? {}
    ceilings[name] = { amount: stricter(amount, amountMax), count: stricter(count, countMax) }
    all.set(what, counted)
  }
  return [...all.values()]
}

/** Names what the rule counts. Rules that count the same share a quota. Pure. */
export function countedBy(
  { scope, counts }: Pick<LimitRule, 'scope' | 'counts'>,
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
  return uuidOfHex(hash('sha256', counted))
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
