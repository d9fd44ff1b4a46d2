/** What somebody may still spend, as they are shown it. */
import { findQuotas, type Period, type Quota } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import type { Standing } from '../credentials/standing.ts'
import { nextPeriod } from './calendar.ts'
import { appliesTo, type LimitRule } from './rules.ts'
import { countedBy, quotaId } from './uses.ts'

export interface Left {
  readonly rule: LimitRule
  /** Used so far; null where it is counted for each payee or payment by itself. */
  readonly used: { readonly amount: bigint; readonly count: bigint } | null
  /** The day on which it begins anew. */
  readonly resetsOn: string | null
}

/** The limits that bind the person now. */
export async function limitsOf(
  context: Context,
  person: string,
  standing: Standing,
): Promise<Left[]> {
  const { db, limits, calendar, config, now } = context
  const at = now()
  const inForce = await limits.at(at)
  const rules = inForce.filter((rule) =>
    appliesTo(rule, standing, { at, reduced_s: config.REDUCED_LIMITS_S }),
  )
  const idOf = (rule: LimitRule) => quotaId(countedBy(rule, person, undefined))
  const quotas = await findQuotas(db, rules.map(idOf))
  const today = calendar(at)
  return rules.map((rule): Left => {
    const { period, scope } = rule
    if (period === 'payment' || scope === 'payee') return { rule, used: null, resetsOn: null }
    const used = usedIn(quotas.get(idOf(rule)), period, today[period])
    return { rule, used, resetsOn: nextPeriod(today, period) }
  })
}

/** What an earlier period used up is history. */
function usedIn(quota: Quota | undefined, period: Period, current: bigint) {
  const used = quota?.[period]
  if (used === undefined || used.period !== current) return { amount: 0n, count: 0n }
  return { amount: used.amount, count: used.count }
}
