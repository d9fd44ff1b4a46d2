/**
 * A month's fees on paper: each with what it was for, at which rate it was taxed, and what it came
 * to, in two heaps, what was taken and what was given back. Shares nothing with the product.
 */
type Fee = readonly [what: string, percent: string, net: string, tax: string]

const HEAPS = { invoice: ['payments', 'disputes', 'other'], credit_note: ['refunds', 'reversals'] }

const total = (fees: readonly Fee[], part: 2 | 3) =>
  fees.reduce((sum, fee) => sum + BigInt(fee[part]), 0n)

/** Of at most 100, the lowest first. */
const rates = (fees: readonly Fee[]) => {
  const inOrder = (percent: string) => (percent.split('.')[0] ?? '').padStart(3, '0') + percent
  const all = new Set(fees.map(([, percent]) => percent))
  return [...all].sort((one, other) => (inOrder(one) < inOrder(other) ? -1 : 1))
}

/** @returns what each document says, by its kind. */
export function modelInvoices(all: readonly Fee[]): Record<string, object> {
  const documents = Object.entries(HEAPS).map(([kind, whats]) => {
    const own = all.filter(([what]) => whats.includes(what))
    const of = (what: string) => own.filter((fee) => fee[0] === what)
    const at = (fees: readonly Fee[], percent: string) => fees.filter((fee) => fee[1] === percent)
    const sums = (fees: readonly Fee[]) => ({ net: `${total(fees, 2)}`, tax: `${total(fees, 3)}` })
    const lines = whats.flatMap((what) =>
      rates(of(what)).map((percent) => {
        const fees = at(of(what), percent)
        return { what, tax_percent: percent, count: fees.length, ...sums(fees) }
      }),
    )
    const taxes = rates(own).map((percent) => ({ tax_percent: percent, ...sums(at(own, percent)) }))
    const all_together = `${total(own, 2) + total(own, 3)}`
    return [kind, { kind, lines, taxes, ...sums(own), total: all_together }] as const
  })
  return Object.fromEntries(documents)
}
