/**
 * What one currency is worth in another, as somebody observed it. A rate is evidence: it is added
 * and never changed, and nothing is worked out where there is none, not even its inverse.
 */
import type { Knex } from 'knex'
import {
  type Claim,
  type Currency,
  LedgerError,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { Context } from '../context.ts'
import { publicId } from '../ids.ts'
import { securityCompanion } from '../security/log.ts'

export interface NewFxRate {
  readonly base: Currency
  readonly quote: Currency
  /** Decimal text: whole units of `quote` for one of `base`. */
  readonly rate: string
  /** Hundredths of a per cent that we keep when the pair is sold. */
  readonly spreadBps: number
  /** Who says so. */
  readonly source: string
  readonly observedAt: Date
  /** How long it may be used, from when it was observed. */
  readonly validFor_s: number
}

export interface FxRate extends NewFxRate {
  readonly id: Uuid
  /** The subject of the operator who posted it. */
  readonly postedBy: string
  readonly createdAt: Date
}

/** @throws {LedgerError} `effective_in_future` for what cannot have been observed yet. */
export async function postRate(
  context: Context,
  rate: NewFxRate,
  postedBy: string,
  claim: Claim | undefined,
): Promise<Outcome> {
  const at = context.now()
  if (rate.observedAt > at) throw new LedgerError('effective_in_future')
  const posted: FxRate = { ...rate, id: newId(), postedBy, createdAt: at }
  const action = {
    ...{ kind: 'manual_action' as const, subject: publicId('fxr', posted.id) },
    detail: { action: 'fx_rate.posted' },
  }
  return context.group.submit({
    ...{ id: newUnitId(), at, transfers: [], ...(claim && { claim }) },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const rows = { fx_rates: [toRow(posted)], security_log: [securityCompanion(context, action)] }
      return { rows, answer: JSON.stringify(rateOut(posted)) }
    },
  })
}

interface Pair {
  readonly base: Currency
  readonly quote: Currency
}

/**
 * The rate at which the pair is sold at `at`: the newest, and none when that is outdated. An older
 * one is not gone back to, however long it was meant to last: it is known to be wrong.
 */
export async function rateAt(db: Knex, pair: Pair, at: Date): Promise<FxRate | undefined> {
  const { base, quote } = pair
  const row: Row | undefined = await db('fx_rates')
    .where({ base, quote })
    .where('observed_at', '<=', at)
    .orderBy('observed_at', 'desc')
    .first()
  const rate = row && fromRow(row)
  return rate !== undefined && outdatedAt(rate) > at ? rate : undefined
}

/** Newest first, of one pair or of one side of it where that is given. */
export async function findRates(
  db: Knex,
  pair: Partial<Pair>,
  { before, limit }: { readonly before: Uuid | undefined; readonly limit: number },
): Promise<FxRate[]> {
  const query = db('fx_rates').where(pair).orderBy('id', 'desc').limit(limit)
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

const outdatedAt = ({ observedAt, validFor_s }: FxRate) =>
  new Date(observedAt.getTime() + validFor_s * 1000)

export const rateOut = (rate: FxRate) => ({
  id: publicId('fxr', rate.id),
  base: rate.base,
  quote: rate.quote,
  rate: rate.rate,
  spread_bps: rate.spreadBps,
  source: rate.source,
  observed_at: rate.observedAt.toISOString(),
  outdated_at: outdatedAt(rate).toISOString(),
  posted_by: rate.postedBy,
  created_at: rate.createdAt.toISOString(),
})

const toRow = (rate: FxRate) => ({
  ...{ id: rate.id, base: rate.base, quote: rate.quote, rate: rate.rate },
  ...{ spread_bps: rate.spreadBps, source: rate.source, observed_at: rate.observedAt },
  ...{ valid_for_s: rate.validFor_s, posted_by: rate.postedBy, created_at: rate.createdAt },
})

interface Row {
  readonly id: Uuid
  readonly base: Currency
  readonly quote: Currency
  readonly rate: string
  readonly spread_bps: number
  readonly source: string
  readonly observed_at: Date
  readonly valid_for_s: number
  readonly posted_by: string
  readonly created_at: Date
}

const fromRow = (row: Row): FxRate => ({
  ...{ id: row.id, base: row.base, quote: row.quote, rate: row.rate },
  ...{ spreadBps: row.spread_bps, source: row.source, observedAt: row.observed_at },
  ...{ validFor_s: row.valid_for_s, postedBy: row.posted_by, createdAt: row.created_at },
})
