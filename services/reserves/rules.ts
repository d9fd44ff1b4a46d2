/** How much of what a merchant is paid is kept back, and for how long: dated data, and its sums. */
import { type Currency, percentOf, type Uuid } from '../../ledger/index.ts'

/** `fixed` keeps until so much is there; `rolling` keeps a share of each day for so long. */
export type ReserveTerms =
  | { readonly kind: 'fixed'; readonly amount: bigint }
  /** Decimal text: '5' is 5 %. */
  | { readonly kind: 'rolling'; readonly percent: string; readonly days: number }

export interface ReserveRule {
  readonly id: Uuid
  readonly merchant: Uuid
  readonly currency: Currency
  readonly terms: ReserveTerms
  readonly validFrom: Date
  readonly createdBy: string
  readonly approvedBy: string | null
}

/** What a merchant was paid on a day, in UTC, that is not looked at yet. Minor units. */
export interface Takings {
  /** As ISO 8601 has it. */
  readonly day: string
  readonly paid: bigint
}

/** What is to be kept of a day's takings by a rule, and until when; null: until the rule ends. */
export interface Kept {
  readonly rule: Uuid
  readonly kind: ReserveTerms['kind']
  readonly day: string
  readonly amount: bigint
  readonly releaseAt: Date | null
}

const DAY_MS = 86_400_000

/** In UTC, as ISO 8601 has it. */
export const dayOf = (at: Date) => at.toISOString().slice(0, 10)

/** The first moment that is not of the day of `at` any more, in UTC. */
export const dayEndOf = (at: Date) => new Date(Date.parse(dayOf(at)) + DAY_MS)

/** The newest rule of a kind that was valid when the day ended; what begins in it counts for it. */
function ruleOf<K extends ReserveTerms['kind']>(
  rules: readonly ReserveRule[],
  kind: K,
  day: string,
) {
  const end = dayEndOf(new Date(day))
  const [newest] = rules
    .filter(({ terms, validFrom }) => terms.kind === kind && validFrom < end)
    .toSorted((one, other) => +other.validFrom - +one.validFrom)
  if (newest?.terms.kind !== kind) return undefined
  return { id: newest.id, terms: newest.terms as Extract<ReserveTerms, { kind: K }> }
}

/** How much a fixed reserve is to hold on a day, in minor units. Pure. */
export const targetOf = (rules: readonly ReserveRule[], day: string): bigint =>
  ruleOf(rules, 'fixed', day)?.terms.amount ?? 0n

/**
 * What is kept of each day's takings, in the days' order: the rolling share first, then what the
 * fixed reserve is short of. Never more than is available, and a day's share is rounded half to
 * even. What was not available is not made up for: a reserve is of what comes in. Pure.
 * @param fixed how much the fixed reserve holds already.
 */
export function keptOf(
  rules: readonly ReserveRule[],
  takings: readonly Takings[],
  { available, fixed }: { readonly available: bigint; readonly fixed: bigint },
): Kept[] {
  let [left, held] = [available, fixed]
  const kept: Kept[] = []
  const keep = (rule: Uuid, of: Omit<Kept, 'rule' | 'amount'>, wanted: bigint): bigint => {
    const amount = wanted < left ? wanted : left
    if (amount <= 0n) return 0n
    kept.push({ rule, ...of, amount })
    left -= amount
    return amount
  }
  for (const { day, paid } of takings) {
    const rolling = ruleOf(rules, 'rolling', day)
    if (rolling !== undefined) {
      const { percent, days } = rolling.terms
      const releaseAt = new Date(Date.parse(day) + (days + 1) * DAY_MS)
      const share = percentOf(paid, percent, 'half_even')
      keep(rolling.id, { kind: 'rolling', day, releaseAt }, share)
    }
    const target = ruleOf(rules, 'fixed', day)
    if (target === undefined) continue
    const missing = target.terms.amount - held
    const most = missing < paid ? missing : paid
    held += keep(target.id, { kind: 'fixed', day, releaseAt: null }, most)
  }
  return kept
}
