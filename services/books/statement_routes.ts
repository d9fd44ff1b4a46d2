/** Statements for who owns the account: page by page, or all of it as a file. */
import { z } from 'zod'
import { findEntries } from '../../ledger/index.ts'
import { endpoint } from '../http/endpoint.ts'
import { CurrencyCode, listOf, MoneyOut, PAGE_MAX, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { ACCOUNT_SCOPES, dateOf, Moment, visibleAccount } from './accounts_routes.ts'
import { entryOut, statementText } from './statement.ts'

const EntryOut = z
  .strictObject({
    entry: z.string().describe('1, 2, 3, ... without gaps'),
    side: z.enum(['debit', 'credit']),
    kind: z.enum(['single', 'pending', 'post', 'void', 'reversal']),
    code: z.string(),
    amount: z.string(),
    currency: CurrencyCode,
    balance: z.string().describe('Posted balance after the entry'),
    transfer: idOut('trf'),
    effective_at: Timestamp.describe('When it happened'),
    booked_at: Timestamp.describe('The accounting period it counts in'),
    recorded_at: Timestamp.describe('When it was written down'),
  })
  .meta({ id: 'Entry' })

const By = z.enum(['recorded', 'effective', 'booked']).describe('Which of an entry’s times counts')

const StatementOut = z
  .strictObject({
    account: idOut('acc'),
    by: By,
    from: Timestamp,
    to: Timestamp,
    opening_balance: MoneyOut,
    entries: z.array(EntryOut).describe('As they were recorded, with the balance by that time'),
    count: z.string(),
    closing_balance: MoneyOut,
  })
  .meta({ id: 'Statement' })

const span = {
  by: By.optional(),
  from: Moment.optional().describe('The first moment'),
  to: Moment.optional().describe('The moment after the last'),
}

const spanOf = ({ by, from, to }: z.infer<z.ZodObject<typeof span>>) => ({
  ...{ by, from: dateOf(from), to: dateOf(to) },
})

const hasSpan = ({ by, from, to }: z.infer<z.ZodObject<typeof span>>) =>
  by === undefined || from !== undefined || to !== undefined

export const statementEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/accounts/:id/entries', tag: 'Books', scopes: ACCOUNT_SCOPES },
    summary: 'The statement, newest entry first, with the running balance',
    params: z.strictObject({ id: idIn('acc') }),
    query: z
      .strictObject({
        limit: z
          .string()
          .regex(/^[1-9][0-9]{0,2}$/)
          .default('20')
          .transform(Number),
        cursor: z
          .string()
          .regex(/^[1-9][0-9]{0,17}$/)
          .transform(BigInt)
          .optional(),
        ...span,
      })
      .refine(hasSpan, { path: ['by'], message: 'says how `from` and `to` are meant' }),
    answers: { 200: listOf(EntryOut) },
    refusals: ['moment_not_answerable', 'not_found'],
    handle: async (context, { caller, params, query }) => {
      const account = await visibleAccount(context, caller, params.id)
      const limit = Math.min(query.limit, PAGE_MAX)
      const asked = { ...spanOf(query), beyond: query.cursor, limit }
      const found = await findEntries(context.db, account.id, asked)
      const last = found.at(-1)
      const next_cursor = found.length < limit ? null : (last?.entry.toString() ?? null)
      return { status: 200, body: { data: found.map(entryOut), next_cursor } }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/accounts/:id/statement', tag: 'Books', scopes: ACCOUNT_SCOPES },
    summary: 'All entries between two moments and the balances around them, of any length',
    params: z.strictObject({ id: idIn('acc') }),
    query: z.strictObject({ ...span, format: z.enum(['csv', 'json']).default('json') }),
    answers: { 200: StatementOut },
    otherTypes: ['text/csv'],
    refusals: ['moment_not_answerable', 'not_found'],
    handle: async (context, { caller, params, query: { format, ...query } }) => {
      const account = await visibleAccount(context, caller, params.id)
      const { text, ...file } = await statementText(context.db, account, {
        ...{ format, ...spanOf(query) },
      })
      return { status: 200, ...file, stream: text }
    },
  }),
]
