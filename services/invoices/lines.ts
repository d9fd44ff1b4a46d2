/** What a month's fees come to, by what they were for. Pure. */
import type { AccountId, SumAgainst } from '../../ledger/index.ts'

export interface InvoiceLine {
  readonly what: What
  /** Fees taken, or given back. */
  readonly count: number
  /** Minor units: what the merchant paid us, below zero where it got back. */
  readonly net: bigint
  readonly tax: bigint
}

const ORDER = ['payments', 'disputes', 'refunds', 'reversals', 'other'] as const
export type What = (typeof ORDER)[number]

const WHAT_OF: Readonly<Record<string, What>> = {
  ...{ fee: 'payments', tax: 'payments', fee_returned: 'refunds', tax_returned: 'refunds' },
  ...{ dispute_fee: 'disputes', reversal: 'reversals' },
}

/** @param sums between the merchant's account and our accounts of fees and of tax. */
export function invoiceLines(
  sums: readonly SumAgainst[],
  accounts: Readonly<Record<'fees' | 'tax', AccountId>>,
): InvoiceLine[] {
  const lines = ORDER.map((what) => {
    const ours = sums.filter(({ code }) => (WHAT_OF[code] ?? 'other') === what)
    const paid = (account: AccountId) =>
      ours
        .filter(({ other }) => other === account)
        .reduce((sum, { side, amount }) => sum + (side === 'debit' ? amount : -amount), 0n)
    const count = ours
      .filter(({ other }) => other === accounts.fees)
      .reduce((sum, one) => sum + one.count, 0)
    return { what, count, net: paid(accounts.fees), tax: paid(accounts.tax) }
  })
  return lines.filter(({ count, net, tax }) => count > 0 || net !== 0n || tax !== 0n)
}
