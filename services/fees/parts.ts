/** What of a fee comes from which part of the terms. Pure. */
import { percentOf } from '../../ledger/index.ts'
import type { Component, FeeTerms, Priced, Tiers, When } from './terms.ts'

/** What of the fee, and by which part of the terms. */
export interface Part {
  readonly kind: Component['kind'] | 'floor' | 'cap'
  readonly amount: bigint
  readonly component?: Component
  /** Of tiers: which step, and how much of the payment it prices. */
  readonly step?: number
  readonly base?: bigint
}

export const sumOf = (parts: readonly Part[]) => {
  let sum = 0n
  for (const { amount } of parts) sum += amount
  return sum
}

/** In the order of the terms; those of nothing are left out. */
export function partsOf(terms: FeeTerms, priced: Priced): Part[] {
  const { floor, cap } = terms
  let parts: Part[] = []
  for (const component of terms.components) {
    if (component.when !== undefined && !holds(component.when, priced)) continue
    if (component.instead === true) parts = []
    for (const part of partsBy(component, terms, priced)) if (part.amount > 0n) parts.push(part)
  }
  const sum = sumOf(parts)
  if (floor !== null && sum < floor) parts.push({ kind: 'floor', amount: floor - sum })
  if (cap !== null && sum > cap) parts.push({ kind: 'cap', amount: cap - sum })
  return parts
}

function holds(when: When, { amount, at, rail, country, category }: Priced): boolean {
  const { rails, categories, countries, amountFrom, amountTo, from, until } = when
  return (
    (rails === undefined || rails.includes(rail)) &&
    (categories === undefined || (category !== null && categories.includes(category))) &&
    (countries === undefined || (country !== null && countries.includes(country))) &&
    (amountFrom === undefined || amount >= amountFrom) &&
    (amountTo === undefined || amount <= amountTo) &&
    (from === undefined || at >= from) &&
    (until === undefined || at < until)
  )
}

function partsBy(component: Component, { rounding }: FeeTerms, priced: Priced): Part[] {
  const { kind } = component
  if (kind === 'fixed') return [{ kind, amount: component.amount, component }]
  if (kind === 'percent') {
    return [{ kind, amount: percentOf(priced.amount, component.percent, rounding), component }]
  }
  return stepsOf(component, priced).flatMap(({ step, base }) => {
    const { percent, fixed } = component.steps[step]!
    const of = { component, step, base }
    // What each payment costs is a part of its own here too: a refund may leave it where it is.
    return [
      { kind, amount: percentOf(base, percent, rounding), ...of },
      { kind: 'fixed' as const, amount: fixed, ...of },
    ]
  })
}

/** Which steps price how much of the payment: one at least, for no payment is empty. */
function stepsOf({ of, mode, steps }: Tiers, { amount, volume }: Priced) {
  const start = of === 'month' ? volume : 0n
  const end = start + amount
  const found: { readonly step: number; readonly base: bigint }[] = []
  let below = 0n
  for (let step = 0; step < steps.length; step += 1) {
    const { upTo } = steps[step]!
    const isLast = upTo === null || upTo >= end
    if (mode === 'volume') {
      if (isLast) return [{ step, base: amount }]
      continue
    }
    const from = below > start ? below : start
    const to = isLast ? end : upTo
    if (to > from) found.push({ step, base: to - from })
    if (isLast) break
    below = upTo
  }
  return found
}
