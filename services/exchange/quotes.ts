/** What an exchange would cost a person now. A promise: it is kept until it expires, once. */
import type { Knex } from 'knex'
import { type Claim, newId, newUnitId, type Outcome, type Uuid } from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { priceExchange, type Wanted } from './pricing.ts'
import { rateAt } from './rates.ts'
import { type Terms, termsFrom, termsOut, type TermsRow, termsRow } from './terms.ts'

export interface Quote {
  readonly id: Uuid
  readonly person: Uuid
  readonly side: Wanted['side']
  readonly terms: Terms
  readonly createdAt: Date
  readonly expiresAt: Date
  /** The exchange that used it. */
  readonly exchange: Uuid | null
}

/**
 * @throws {ServiceError} `rate_not_available` when the pair has no rate of its own that is new
 *   enough, and what `priceExchange` throws.
 */
export async function quoteExchange(
  context: Context,
  person: Uuid,
  wanted: Wanted,
  claim: Claim | undefined,
): Promise<Outcome> {
  const at = context.now()
  const rate = await rateAt(context.db, { base: wanted.sell, quote: wanted.buy }, at)
  if (rate === undefined) throw new ServiceError('rate_not_available')
  const { id: fxRate, rate: midRate, spreadBps, source } = rate
  const price = priceExchange(wanted, { mid: midRate, spreadBps })
  const quote: Quote = {
    ...{ id: newId(), person, side: wanted.side, exchange: null, createdAt: at },
    terms: { ...price, fxRate, midRate, spreadBps, source },
    expiresAt: new Date(at.getTime() + context.config.FX_QUOTE_S * 1000),
  }
  return context.group.submit({
    ...{ id: newUnitId(), at, transfers: [], ...(claim && { claim }) },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      return { rows: { fx_quotes: [toRow(quote)] }, answer: JSON.stringify(quoteOut(quote)) }
    },
  })
}

/** The person's own quote; anybody's where no person is given. */
export async function findQuote(db: Knex, id: Uuid, person?: Uuid): Promise<Quote | undefined> {
  const query = db('fx_quotes')
    .leftJoin('exchanges', 'exchanges.quote_id', 'fx_quotes.id')
    .where('fx_quotes.id', id)
  if (person !== undefined) query.where('fx_quotes.person_id', person)
  const row: Row | undefined = await query.first('fx_quotes.*', 'exchanges.id as exchange')
  return row && fromRow(row)
}

const toRow = ({ id, person, side, terms, createdAt, expiresAt }: Quote) => ({
  ...{ id, person_id: person, side, ...termsRow(terms) },
  ...{ created_at: createdAt, expires_at: expiresAt },
})

interface Row extends TermsRow {
  readonly id: Uuid
  readonly person_id: Uuid
  readonly side: Wanted['side']
  readonly created_at: Date
  readonly expires_at: Date
  readonly exchange: Uuid | null
}

const fromRow = (row: Row): Quote => ({
  ...{ id: row.id, person: row.person_id, side: row.side, terms: termsFrom(row) },
  ...{ createdAt: row.created_at, expiresAt: row.expires_at, exchange: row.exchange },
})

export const quoteOut = ({ id, side, terms, createdAt, expiresAt, exchange }: Quote) => ({
  id: publicId('fxq', id),
  side,
  ...termsOut(terms),
  exchange: exchange === null ? null : publicId('exc', exchange),
  created_at: createdAt.toISOString(),
  expires_at: expiresAt.toISOString(),
})
