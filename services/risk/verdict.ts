/** What all rules together say about a payment. Pure. */
import type { Facts, Rail } from '../clearance/facts.ts'
import type { Currency, Uuid } from '../../ledger/index.ts'
import type { Dated } from '../rules/book.ts'
import { HITS, type Known, type Parameters, type RuleKind } from './kinds.ts'

/** From the mildest to the strictest. */
export const VERDICTS = ['allow', 'step_up', 'hold', 'refuse'] as const
export type Verdict = (typeof VERDICTS)[number]

interface RuleOf<K extends RuleKind> extends Dated {
  readonly id: Uuid
  readonly kind: K
  readonly parameters: Parameters[K]
  readonly rails: readonly Rail[]
  /** Of the payer; null for all. */
  readonly tier: string | null
  readonly currency: Currency | null
  readonly verdict: Exclude<Verdict, 'allow'>
  /** What it says when what it needs to know cannot be known. */
  readonly whenUnavailable: Verdict
  /** A word for operators; payers never see it. */
  readonly reason: string
  readonly createdBy: string
  readonly endedBy: string | null
  readonly createdAt: Date
}

export type Rule = { readonly [K in RuleKind]: RuleOf<K> }[RuleKind]

export interface Judgement {
  readonly verdict: Verdict
  /** Those that did not say "allow", in the order of the rules. */
  readonly rules: readonly Uuid[]
  readonly reasons: readonly string[]
}

/** Whether the rule is about such a payment at all, as far as that is known without a look. */
export function concerns(
  { rails, tier, currency, parameters }: Rule,
  { rail, payer, money }: Facts,
): boolean {
  return (
    rails.includes(rail) &&
    (tier === null || tier === payer.standing.tier) &&
    (currency === null || currency === money.currency) &&
    (parameters.above === undefined || money.amount > BigInt(parameters.above))
  )
}

/** @param rules those in force that concern the payment. The strictest answer wins. */
export function verdictOf(rules: readonly Rule[], known: Known): Judgement {
  const answers = rules.map((rule) => ({ rule, answer: answerOf(rule, known) }))
  const against = answers.filter(({ answer }) => answer !== 'allow')
  return {
    verdict: strictest(against.map(({ answer }) => answer)),
    rules: against.map(({ rule }) => rule.id),
    reasons: [...new Set(against.map(({ rule }) => rule.reason))],
  }
}

function answerOf(rule: Rule, known: Known): Verdict {
  const hit = hitOf(rule, known)
  if (hit === 'unavailable') return rule.whenUnavailable
  return hit === 'hit' ? rule.verdict : 'allow'
}

const hitOf = <K extends RuleKind>({ kind, parameters }: RuleOf<K>, known: Known) =>
  HITS[kind](parameters, known)

const strictest = (verdicts: readonly Verdict[]): Verdict =>
  VERDICTS.findLast((one) => verdicts.includes(one)) ?? 'allow'
