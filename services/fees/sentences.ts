/** The sentence for each line of a fee: what it is of, and why it is there. Pure. */
import { type Currency, formatMoney } from '../../ledger/index.ts'
import type { Part } from './parts.ts'
import type { Component, FeeRail, FeeTerms, Priced, Tiers, When } from './terms.ts'

const money = (amount: bigint, { currency }: Pick<Priced, 'currency'>) =>
  formatMoney({ amount, currency })

export const taxSentence = (terms: FeeTerms, fee: bigint, currency: Currency): string =>
  `${terms.taxPercent} % tax on ${formatMoney({ amount: fee, currency })}`

export function sentenceOf(part: Part, terms: FeeTerms, priced: Priced): string {
  const { kind, component } = part
  if (component === undefined) {
    const bound = kind === 'floor' ? terms.floor : terms.cap
    return kind === 'floor'
      ? `Raised to the least, ${money(bound ?? 0n, priced)} per payment`
      : `Lowered to the most, ${money(bound ?? 0n, priced)} per payment`
  }
  const reasons = [...tierReasons(part, priced), ...reasonsOf(component.when, priced)]
  const said = measureOf(part, component, priced)
  return reasons.length === 0 ? said : `${said} (${reasons.join('; ')})`
}

function measureOf(part: Part, component: Component, priced: Priced): string {
  const { kind, amount, step = 0, base = 0n } = part
  if (kind === 'fixed' || component.kind === 'fixed') return `${money(amount, priced)} per payment`
  const [percent, of] =
    component.kind === 'percent'
      ? [component.percent, priced.amount]
      : [component.steps[step]!.percent, base]
  return `${percent} % of ${money(of, priced)}`
}

function tierReasons({ component, step = 0 }: Part, priced: Priced): string[] {
  if (component?.kind !== 'tiers') return []
  const [lower, upper] = [component.steps[step - 1]?.upTo ?? null, component.steps[step]!.upTo]
  const before = component.of === 'month' ? [`${money(priced.volume, priced)} before today`] : []
  return [`${NAMES[component.of][component.mode]} ${bandOf(lower, upper, priced)}`, ...before]
}

const NAMES = {
  payment: { graduated: 'the part', volume: 'a payment' },
  month: { graduated: 'the part of the month’s turnover', volume: 'a month’s turnover' },
} as const satisfies Record<Tiers['of'], Record<Tiers['mode'], string>>

function bandOf(lower: bigint | null, upper: bigint | null, priced: Priced): string {
  if (lower === null && upper === null) return 'of any size'
  if (lower === null) return `up to ${money(upper ?? 0n, priced)}`
  if (upper === null) return `beyond ${money(lower, priced)}`
  return `beyond ${money(lower, priced)} up to ${money(upper, priced)}`
}

const RAILS = {
  wallet: 'paid from a wallet',
  bank: 'paid from a bank account',
} as const satisfies Record<FeeRail, string>

function reasonsOf(when: When | undefined, priced: Priced): string[] {
  if (when === undefined) return []
  const { amountFrom, amountTo, from, until } = when
  const reasons: string[] = []
  if (when.rails !== undefined) reasons.push(RAILS[priced.rail])
  if (when.categories !== undefined) reasons.push(`category ${priced.category}`)
  if (when.countries !== undefined) reasons.push(`payer from ${priced.country}`)
  if (amountFrom !== undefined) reasons.push(`from ${money(amountFrom, priced)}`)
  if (amountTo !== undefined) reasons.push(`up to ${money(amountTo, priced)}`)
  if (from !== undefined) reasons.push(`since ${momentText(from)}`)
  if (until !== undefined) reasons.push(`before ${momentText(until)}`)
  return reasons
}

/** '2026-10-01' where the day begins, in UTC. */
function momentText(at: Date): string {
  const text = at.toISOString()
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text
}
