/** Currencies, rates, quotes and exchanges over HTTP. */
import { z } from 'zod'
import { CURRENCIES, isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import {
  Amount,
  CurrencyCode,
  listOf,
  MoneyOut,
  moneyOut,
  page,
  pageQuery,
  text,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { APPROVAL_REFUSALS, ApprovalBody } from '../approvals/approvals.ts'
import { exchange, exchangeOut, findExchange, findExchanges } from './exchanges.ts'
import { type Position, positionsAt, totalOf } from './positions.ts'
import { findQuote, quoteExchange, quoteOut } from './quotes.ts'
import { findRates, postRate, rateOut } from './rates.ts'

const TAG = 'Exchange'
const WEEK_S = 604_800
const SPREAD_BPS_MAX = 5_000

const RateText = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,9})(\.[0-9]{1,12})?$/)
  .refine((rate) => /[1-9]/.test(rate), 'is nothing')
  .describe('Decimal text: whole units of the quote currency for one of the base currency')

const ObservedAt = z.iso
  .datetime({ offset: true })
  .regex(/^2\d{3}-/, 'is long before anything here was observed')
  .refine((at) => !Number.isNaN(Date.parse(at)), 'is no moment')
  .describe('RFC 3339, not in the future')

const NewRate = z
  .strictObject({
    base: CurrencyCode,
    quote: CurrencyCode,
    rate: RateText,
    source: text(100).describe('Who says so'),
    observed_at: ObservedAt,
    spread_bps: z.int().min(0).max(SPREAD_BPS_MAX).default(0).describe('What we keep'),
    valid_for_s: z.int().min(1).max(WEEK_S).describe('From when it was observed'),
  })
  .refine(({ base, quote }) => base !== quote, { path: ['quote'], message: 'is the base' })

const RateOut = z
  .strictObject({
    id: idOut('fxr'),
    base: CurrencyCode,
    quote: CurrencyCode,
    rate: z.string(),
    spread_bps: z.int(),
    source: z.string(),
    observed_at: Timestamp,
    outdated_at: Timestamp,
    posted_by: z.string(),
    created_at: Timestamp,
  })
  .meta({ id: 'FxRate' })

const NewQuote = z
  .strictObject({
    sell: CurrencyCode,
    buy: CurrencyCode,
    amount: Amount.describe('Minor units of the currency that `side` names'),
    side: z.enum(['sell', 'buy']),
  })
  .refine(({ sell, buy }) => sell !== buy, { path: ['buy'], message: 'is what is sold' })

const TERMS = {
  sell: MoneyOut,
  buy: MoneyOut,
  rate: z.string().describe('The mid rate less the spread, exactly'),
  mid_rate: z.string(),
  mid_value: MoneyOut.describe('Of what is sold, at the mid rate: buy, spread and residue'),
  spread: z.strictObject({ amount: z.string(), currency: CurrencyCode, bps: z.int() }),
  residue: MoneyOut.describe('What rounding to whole minor units left over'),
  source: z.string().describe('Who observed the mid rate'),
  fx_rate: idOut('fxr'),
}

const QuoteOut = z
  .strictObject({
    id: idOut('fxq'),
    side: z.enum(['sell', 'buy']),
    ...TERMS,
    exchange: idOut('exc').nullable().describe('What used it'),
    created_at: Timestamp,
    expires_at: Timestamp,
  })
  .meta({ id: 'FxQuote' })

const ExchangeOut = z
  .strictObject({
    id: idOut('exc'),
    quote: idOut('fxq'),
    person: idOut('per'),
    state: z.literal('completed'),
    ...TERMS,
    transfer: idOut('trf').describe('The first of its transfers'),
    created_at: Timestamp,
  })
  .meta({ id: 'Exchange' })

const PositionsOut = z
  .strictObject({
    at: Timestamp,
    data: z.array(
      z.strictObject({
        position: MoneyOut.describe('What exchanges took in less what they gave out'),
        value: MoneyOut.nullable().describe('Null without a rate that is new enough'),
        rate: RateOut.nullable(),
      }),
    ),
    total: MoneyOut.nullable().describe('Null when any of them has no value'),
  })
  .meta({ id: 'FxPositions' })

const positionOut = ({ position, value, rate }: Position) => ({
  position: moneyOut(position),
  value: value && moneyOut(value),
  rate: rate && rateOut(rate),
})

/** @throws {ServiceError} `currency_unknown` unless ISO 4217 knows them all. */
function refuseUnknown(...codes: readonly (string | undefined)[]): void {
  const unknown = codes.filter((code) => code !== undefined && !isCurrency(code))
  if (unknown.length > 0) throw new ServiceError('currency_unknown')
}

const rateEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/fx_rates', summary: 'Say what a currency is worth' },
    ...{ tag: TAG, scopes: ['operator'], idempotency: 'optional' },
    body: NewRate,
    answers: { 201: RateOut },
    refusals: ['currency_unknown', 'effective_in_future', 'fx_rate_exists'],
    handle: async (context, { caller, body, claim }) => {
      const { base, quote, rate, source, spread_bps: spreadBps, valid_for_s: validFor_s } = body
      refuseUnknown(base, quote)
      const observedAt = new Date(body.observed_at)
      const posted = { base, quote, rate, source, spreadBps, observedAt, validFor_s }
      return postRate(context, posted, caller.subject, claim)
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/fx_rates', summary: 'Rates as they were posted, newest first' },
    ...{ tag: TAG, scopes: ['operator', 'chat'] },
    query: pageQuery('fxr').extend({
      base: CurrencyCode.optional(),
      quote: CurrencyCode.optional(),
    }),
    answers: { 200: listOf(RateOut) },
    refusals: ['currency_unknown'],
    handle: async ({ db }, { query: { base, quote, limit, cursor } }) => {
      refuseUnknown(base, quote)
      const pair = { ...(base !== undefined && { base }), ...(quote !== undefined && { quote }) }
      const found = await findRates(db, pair, { before: cursor, limit })
      return { status: 200, body: page(found.map(rateOut), limit) }
    },
  }),
]

const quoteEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/fx_quotes', summary: 'What an exchange would cost now' },
    ...{ tag: TAG, scopes: ['person'], idempotency: 'optional' },
    body: NewQuote,
    answers: { 201: QuoteOut },
    refusals: [
      ...(['currency_unknown', 'exchange_too_large', 'exchange_too_small'] as const),
      'rate_not_available',
    ],
    handle: async (context, { caller, body, claim }) => {
      const { side, sell, buy } = body
      refuseUnknown(sell, buy)
      const wanted = { side, sell, buy, amount: BigInt(body.amount) }
      return quoteExchange(context, caller.person.id, wanted, claim)
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/fx_quotes/:id', summary: 'A quote, and whether it was used' },
    ...{ tag: TAG, scopes: ['person', 'operator'] },
    params: z.strictObject({ id: idIn('fxq') }),
    answers: { 200: QuoteOut },
    refusals: ['not_found'],
    handle: async ({ db }, { caller, params }) => {
      const person = caller.scope === 'person' ? caller.person.id : undefined
      const quote = await findQuote(db, params.id, person)
      if (quote === undefined) throw new ServiceError('not_found')
      return { status: 200, body: quoteOut(quote) }
    },
  }),
]

const tradeEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/exchanges', summary: 'Agree to a quote' },
    ...{ tag: TAG, scopes: ['person'], idempotency: 'required', rate: 'money' },
    body: z.strictObject({ quote: idIn('fxq'), approval: ApprovalBody.optional() }),
    answers: { 201: ExchangeOut },
    refusals: [
      ...APPROVAL_REFUSALS,
      ...(['not_found', 'payment_refused', 'quote_already_used', 'quote_expired'] as const),
      ...(['insufficient_funds', 'total_too_large', 'account_closed', 'account_frozen'] as const),
    ],
    handle: async (context, { caller, body: { quote, approval }, claim, idempotencyKey: key }) => {
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      return exchange(
        context,
        caller.person.id,
        { quote, approval },
        { claim, key, standing: caller.standing },
      )
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/exchanges', summary: 'What was exchanged, newest first' },
    ...{ tag: TAG, scopes: ['person'] },
    query: pageQuery('exc'),
    answers: { 200: listOf(ExchangeOut) },
    refusals: [],
    handle: async ({ db }, { caller, query: { limit, cursor } }) => {
      const found = await findExchanges(db, caller.person.id, { before: cursor, limit })
      return { status: 200, body: page(found.map(exchangeOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/exchanges/:id', summary: 'An exchange, and its evidence' },
    ...{ tag: TAG, scopes: ['person', 'chat', 'operator'] },
    params: z.strictObject({ id: idIn('exc') }),
    answers: { 200: ExchangeOut },
    refusals: ['not_found'],
    handle: async ({ db }, { caller, params }) => {
      const person = caller.scope === 'person' ? caller.person.id : undefined
      const found = await findExchange(db, params.id, person)
      if (found === undefined) throw new ServiceError('not_found')
      return { status: 200, body: exchangeOut(found) }
    },
  }),
]

const positionEndpoint = endpoint({
  ...{ method: 'GET', path: '/v1/ledger/fx_positions', tag: 'Operators', scopes: ['operator'] },
  summary: 'What we hold of each currency because of exchanges; ?in= values it in that one',
  query: z.strictObject({ in: CurrencyCode.optional() }),
  answers: { 200: PositionsOut },
  refusals: ['currency_unknown'],
  handle: async (context, { query: { in: reporting } }) => {
    refuseUnknown(reporting)
    const at = context.now()
    const positions = await positionsAt(context, reporting, at)
    const total = reporting === undefined ? null : totalOf(positions, reporting)
    const data = positions.map(positionOut)
    return { status: 200, body: { at: at.toISOString(), data, total: total && moneyOut(total) } }
  },
})

const currencyEndpoint = endpoint({
  ...{ method: 'GET', path: '/v1/currencies', summary: 'The currencies of ISO 4217' },
  ...{ tag: TAG, scopes: ['person', 'merchant', 'chat', 'operator'] },
  answers: {
    200: listOf(
      z
        .strictObject({
          code: CurrencyCode,
          scale: z.int().describe('Digits of the minor unit: 1250 is 12.50 where it is 2'),
        })
        .meta({ id: 'Currency' }),
    ),
  },
  refusals: [],
  handle: async () => ({ status: 200, body: { data: CURRENCIES, next_cursor: null } }),
})

export const exchangeEndpoints = [
  currencyEndpoint,
  ...rateEndpoints,
  ...quoteEndpoints,
  ...tradeEndpoints,
  positionEndpoint,
]
