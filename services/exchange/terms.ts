/** What a quote promises and an exchange keeps: both amounts, and the evidence for them. */
import type { Currency, Money, Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'
import type { ExchangePrice } from './pricing.ts'

export interface Terms extends ExchangePrice {
  /** The rate that priced it, as it was observed, and who observed it. */
  readonly fxRate: Uuid
  readonly midRate: string
  readonly spreadBps: number
  readonly source: string
}

export const termsRow = (terms: Terms) => ({
  ...{ rate_id: terms.fxRate, mid_rate: terms.midRate, rate: terms.rate, source: terms.source },
  ...{ sell_amount: terms.sell.amount.toString(), sell_currency: terms.sell.currency },
  ...{ buy_amount: terms.buy.amount.toString(), buy_currency: terms.buy.currency },
  ...{ mid_value: terms.midValue.toString(), spread: terms.spread.toString() },
  ...{ residue: terms.residue.toString(), spread_bps: terms.spreadBps },
})

/** The columns that quotes and exchanges share. */
export interface TermsRow {
  readonly rate_id: Uuid
  readonly sell_amount: bigint
  readonly sell_currency: Currency
  readonly buy_amount: bigint
  readonly buy_currency: Currency
  readonly mid_value: bigint
  readonly spread: bigint
  readonly residue: bigint
  readonly mid_rate: string
  readonly rate: string
  readonly spread_bps: number
  readonly source: string
}

export const termsFrom = (row: TermsRow): Terms => ({
  ...{ fxRate: row.rate_id, midRate: row.mid_rate, rate: row.rate, source: row.source },
  sell: { amount: row.sell_amount, currency: row.sell_currency },
  buy: { amount: row.buy_amount, currency: row.buy_currency },
  ...{ midValue: row.mid_value, spread: row.spread, residue: row.residue },
  spreadBps: row.spread_bps,
})

const moneyOut = ({ amount, currency }: Money) => ({ amount: amount.toString(), currency })

export function termsOut(terms: Terms) {
  const { sell, buy, midValue, spread, spreadBps, residue } = terms
  const { currency } = buy
  return {
    sell: moneyOut(sell),
    buy: moneyOut(buy),
    rate: terms.rate,
    mid_rate: terms.midRate,
    mid_value: moneyOut({ amount: midValue, currency }),
    spread: { ...moneyOut({ amount: spread, currency }), bps: spreadBps },
    residue: moneyOut({ amount: residue, currency }),
    source: terms.source,
    fx_rate: publicId('fxr', terms.fxRate),
  }
}
