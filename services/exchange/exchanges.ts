/**
 * A person agrees to a quote, and money of two currencies moves in one unit: what they sell into
 * our position, what they buy out of it, with the spread and what rounding left. All or nothing,
 * and once for each quote.
 */
import type { Knex } from 'knex'
import {
  type CompanionRow,
  type Money,
  newId,
  newUnitId,
  type NewTransfer,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import { exchangeAccounts, findWallet, walletOf } from '../books/chart.ts'
import { exchanged } from '../books/postings.ts'
import { type Asking, clear } from '../clearance/clear.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { eventRow } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { idFact, moneyFacts } from '../approvals/acts.ts'
import { type Approval, approvalColumns, type ApprovalBody } from '../approvals/approvals.ts'
import { findQuote, type Quote } from './quotes.ts'
import { type Terms, termsFrom, termsOut, type TermsRow, termsRow } from './terms.ts'

export interface Exchange {
  readonly id: Uuid
  readonly quote: Uuid
  readonly person: Uuid
  /** The first transfer of the unit that made it. */
  readonly transfer: Uuid
  readonly terms: Terms
  readonly createdAt: Date
}

/**
 * @throws {ServiceError} `not_found` for a quote that is not the person's, `quote_already_used`,
 *   `quote_expired` when they come too late, and what `clear` throws. None of these is stored, so
 *   the same key may be tried again.
 */
export async function exchange(
  context: Context,
  person: Uuid,
  request: { readonly quote: Uuid; readonly approval: ApprovalBody | undefined },
  { claim, key, standing }: Asking,
): Promise<Outcome> {
  // Whoever came in time is in time, however long the PIN has to wait for its turn.
  const at = context.now()
  const quote = await usableQuote(context.db, request.quote, person, at)
  const { sell, buy } = quote.terms
  const { approval, uses } = await clear(context, {
    ...{
      rail: 'exchange',
      payer: person,
      payee: null,
      money: sell,
      given: request.approval,
      standing,
    },
    act: { action: 'exchange', person, key, facts: factsOf(quote.id, sell, buy) },
  })
  const made: Exchange = {
    ...{ id: newId(), quote: quote.id, person, transfer: newUnitId() },
    ...{ terms: quote.terms, createdAt: at },
  }
  const unit = { id: made.transfer, at, claim, evidence: approval.evidence }
  const transfers = await transfersOf(context, made)
  if (transfers === undefined) {
    const conclude = () => refused({ accepted: false, code: 'insufficient_funds' })
    return context.group.submit({ ...unit, transfers: [], conclude })
  }
  return context.group.submit({
    ...{ ...unit, transfers, uses },
    conclude: (verdict) => (verdict.accepted ? concluded(made, approval) : refused(verdict)),
  })
}

const factsOf = (quote: Uuid, sell: Money, buy: Money) => ({
  ...{ quote: idFact('fxq', quote), ...moneyFacts(sell) },
  ...{ buy_amount: buy.amount.toString(), buy_currency: buy.currency },
})

async function usableQuote(db: Knex, id: Uuid, person: Uuid, at: Date): Promise<Quote> {
  const quote = await findQuote(db, id, person)
  if (quote === undefined) throw new ServiceError('not_found')
  if (quote.exchange !== null) throw new ServiceError('quote_already_used')
  if (quote.expiresAt <= at) throw new ServiceError('quote_expired')
  return quote
}

/** Undefined for who has no wallet to sell from: no account is opened for what cannot be. */
async function transfersOf(
  context: Context,
  { id, person, terms }: Exchange,
): Promise<NewTransfer[] | undefined> {
  const { sell, buy } = terms
  const paidFrom = await findWallet(context, person, sell.currency)
  if (paidFrom === undefined) return undefined
  const paidTo = await walletOf(context, person, buy.currency)
  const ours = await exchangeAccounts(context, sell.currency, buy.currency)
  return exchanged({ reference: id }, { paidFrom, paidTo, ...ours }, terms)
}

/** What commits with the money, and what the person is answered. */
function concluded(made: Exchange, approval: Approval) {
  const body = exchangeOut(made)
  const event = { type: 'exchange.completed', object: body.id, data: body } as const
  const rows = {
    exchanges: [toRow(made, approval)],
    events: [eventRow({ ...event, at: made.createdAt })],
  }
  return { rows, answer: JSON.stringify(body) }
}

/** The person's own exchange; anybody's where no person is given. */
export async function findExchange(
  db: Knex,
  id: Uuid,
  person?: Uuid,
): Promise<Exchange | undefined> {
  const query = db('exchanges').where({ id })
  if (person !== undefined) query.where({ person_id: person })
  const row: Row | undefined = await query.first()
  return row && fromRow(row)
}

/** The person's, newest first. */
export async function findExchanges(
  db: Knex,
  person: Uuid,
  { before, limit }: { readonly before: Uuid | undefined; readonly limit: number },
): Promise<Exchange[]> {
  const query = db('exchanges').where({ person_id: person }).orderBy('id', 'desc').limit(limit)
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

const toRow = (made: Exchange, approval: Approval): CompanionRow => ({
  ...{ id: made.id, quote_id: made.quote, person_id: made.person, transfer_id: made.transfer },
  ...termsRow(made.terms),
  ...{ ...approvalColumns(approval), created_at: made.createdAt },
})

interface Row extends TermsRow {
  readonly id: Uuid
  readonly quote_id: Uuid
  readonly person_id: Uuid
  readonly transfer_id: Uuid
  readonly created_at: Date
}

const fromRow = (row: Row): Exchange => ({
  ...{ id: row.id, quote: row.quote_id, person: row.person_id, transfer: row.transfer_id },
  ...{ terms: termsFrom(row), createdAt: row.created_at },
})

export const exchangeOut = ({ id, quote, person, transfer, terms, createdAt }: Exchange) => ({
  id: publicId('exc', id),
  quote: publicId('fxq', quote),
  person: publicId('per', person),
  state: 'completed' as const,
  ...termsOut(terms),
  transfer: publicId('trf', transfer),
  created_at: createdAt.toISOString(),
})
