/** Whether terms take more than a payment comes to, as far as that can be seen in them. Pure. */
import { percentOf } from '../../ledger/index.ts'
import type { Component, FeeTerms } from './terms.ts'

/** So large that nothing fixed counts beside it, and a ten-thousandth of a per cent is whole. */
const MUCH = 10n ** 24n

/**
 * Whether there are payments of any size that the fee and its tax exceed, however large they are:
 * where all that holds of every payment comes to more than 100 %, or a component or a step alone.
 * A cap bounds all of that. What exceeds small payments only is refused when they are made.
 */
export function isExcessive(terms: FeeTerms): boolean {
  if (terms.cap !== null) return false
  const { components } = terms
  // What stands above a component that always takes its place never holds.
  const first = components.findLastIndex(({ when, instead }) => !when && instead === true)
  const living = components.slice(Math.max(first, 0))
  const always = living.filter(({ when }) => when === undefined)
  const rates = [
    always.reduce((sum, component) => sum + lastRate(component), 0n),
    ...living.flatMap(allRates),
  ]
  return rates.some((rate) => rate + percentOf(rate, terms.taxPercent, 'down') > MUCH)
}

const rateOf = (percent: string) => percentOf(MUCH, percent, 'down')

/** What the last minor unit of a very large payment costs, of so many. */
const lastRate = (component: Component) => allRates(component).at(-1) ?? 0n

function allRates(component: Component): bigint[] {
  if (component.kind === 'percent') return [rateOf(component.percent)]
  if (component.kind === 'fixed') return []
  return component.steps.map(({ percent }) => rateOf(percent))
}
