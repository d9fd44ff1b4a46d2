/** What a month's fees come to, by what they were for and by the rate of their tax. Pure. */
import { Decimal } from 'decimal.js'
import type { AccountId, SumAgainst } from '../../ledger/index.ts'

export interface InvoiceLine {
  readonly what: What
  /** "20" is 20 %. */
  readonly taxPercent: string
  /** Fees taken, or given back. */
  readonly count: number
  /** Minor units: what the merchant paid us, below zero where it got back. */
  readonly net: bigint
  readonly tax: bigint
}

const ORDER = ['payments', 'disputes', 'other', 'refunds', 'reversals'] as const
export type What = (typeof ORDER)[number]

export const WHATS = ORDER

const WHAT_OF: Readonly<Record<string, What>> = {
  ...{ fee: 'payments', tax: 'payments', fee_returned: 'refunds', tax_returned: 'refunds' },
  ...{ dispute_fee: 'disputes', reversal: 'reversals' },
}

const whatOf = (code: string): What => WHAT_OF[code] ?? 'other'

export type Kind = 'invoice' | 'credit_note'

/** What was given back is credited, and takes nothing off what is invoiced. */
export const kindOf = ({ what }: Pick<InvoiceLine, 'what'>): Kind =>
  what === 'refunds' || what === 'reversals' ? 'credit_note' : 'invoice'

/** Whether it is credited, by a credit note. */
export const isGivenBack = ({ code }: { readonly code: string }): boolean =>
  kindOf({ what: whatOf(code) }) === 'credit_note'

/** Sums of a part of the month, with the rate at which each was taxed. */
export type RatedSum = SumAgainst & { readonly taxPercent: string }

/** The lowest first. */
const byRate = (one: string, other: string): number => new Decimal(one || 0).cmp(other || 0)

/** @param accounts ours, of fees and of tax. */
export function openTally(accounts: Readonly<Record<'fees' | 'tax', AccountId>>) {
  const tally = new Map<string, InvoiceLine>()
  return {
    add(sums: readonly RatedSum[]): void {
      for (const { code, side, other, amount, count, taxPercent } of sums) {
        const what = whatOf(code)
        const key = `${what} ${taxPercent}`
        const before = tally.get(key) ?? { what, taxPercent, count: 0, net: 0n, tax: 0n }
        const paid = side === 'debit' ? amount : -amount
        const more =
          other === accounts.fees
            ? { count: before.count + count, net: before.net + paid }
            : { tax: before.tax + paid }
        tally.set(key, { ...before, ...more })
      }
    },
    /** Those of one kind together, each rate by itself. */
    lines: (): InvoiceLine[] =>
      [...tally.values()].sort(
        (one, other) =>
          ORDER.indexOf(one.what) - ORDER.indexOf(other.what) ||
          byRate(one.taxPercent, other.taxPercent),
      ),
  }
}

export interface TaxSum {
  readonly taxPercent: string
  readonly net: bigint
  readonly tax: bigint
}

/** What is taxed at each rate, and the tax on it. */
export function taxesOf(lines: readonly InvoiceLine[]): TaxSum[] {
  const rates = [...new Set(lines.map(({ taxPercent }) => taxPercent))].sort(byRate)
  return rates.map((taxPercent) => {
    const own = lines.filter((line) => line.taxPercent === taxPercent)
    const sum = (part: 'net' | 'tax') => own.reduce((total, line) => total + line[part], 0n)
    return { taxPercent, net: sum('net'), tax: sum('tax') }
  })
}
