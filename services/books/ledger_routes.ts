/** What operators look for and do in the books: find, freeze, close, describe. */
import { z } from 'zod'
import { ACCOUNT_TYPES, findAccounts } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import {
  CurrencyCode,
  listOf,
  MoneyOut,
  page,
  pageQuery,
  text,
  TEXT_LENGTH_MAX,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { close, closeBooksThrough, describe, freeze, ledgerAccountOut } from './accounts.ts'
import { AccountShape, Moment } from './accounts_routes.ts'

const KEYS_MAX = 20

const Metadata = z
  .record(z.string().regex(/^[a-z][a-z0-9_]{0,39}$/), text(TEXT_LENGTH_MAX))
  .refine((all) => Object.keys(all).length <= KEYS_MAX, `has more than ${KEYS_MAX} keys`)

export const LedgerAccountOut = AccountShape.extend({
  owner: z.string(),
  frozen: z.strictObject({ debits: z.boolean(), credits: z.boolean() }),
  closed_at: Timestamp.nullable(),
  closed_through: Timestamp.nullable().describe('The end of the last closed period'),
  metadata: z.record(z.string(), z.string()),
}).meta({ id: 'LedgerAccount' })

export const PeriodOut = z
  .strictObject({
    account: idOut('acc'),
    through: Timestamp,
    balance: MoneyOut,
    closed_at: Timestamp,
  })
  .meta({ id: 'Period' })

/** A query's text that is JSON; what is not is as wrong as a wrong shape. */
const MetadataQuery = z
  .string()
  .max(2_000)
  .transform((given, ctx): unknown => {
    try {
      return JSON.parse(given)
    } catch {
      ctx.addIssue({ code: 'custom', message: 'is not JSON' })
      return z.NEVER
    }
  })
  .pipe(Metadata)
  .describe('JSON: at least these, with these values')

const Bound = z
  .string()
  .regex(/^-?(0|[1-9][0-9]{0,17})$/)
  .transform(BigInt)
  .optional()
  .describe('Minor units')

const Reason = text(TEXT_LENGTH_MAX).describe('Why; kept in the event')

const byId = {
  tag: 'Operators',
  scopes: ['operator'],
  params: z.strictObject({ id: idIn('acc') }),
} as const

const finding = [
  endpoint({
    ...{ method: 'GET', path: '/v1/ledger/accounts', summary: 'Accounts of everybody, filtered' },
    ...{ tag: 'Operators', scopes: ['operator'] },
    query: pageQuery('acc').extend({
      type: z.enum(ACCOUNT_TYPES).optional(),
      owner: text(200).optional(),
      currency: CurrencyCode.optional(),
      state: z.enum(['open', 'frozen', 'closed']).optional(),
      metadata: MetadataQuery.optional(),
      ...{ posted_below: Bound, posted_above: Bound },
      ...{ available_below: Bound, available_above: Bound },
    }),
    answers: { 200: listOf(LedgerAccountOut) },
    refusals: [],
    handle: async ({ db }, { query: { limit, cursor, ...query } }) => {
      const { type, owner, currency, state, metadata } = query
      const filter = {
        ...{ type, owner, currency, state, metadata },
        ...{ postedBelow: query.posted_below, postedAbove: query.posted_above },
        ...{ availableBelow: query.available_below, availableAbove: query.available_above },
      }
      const found = await findAccounts(db, filter, { after: cursor, limit })
      return { status: 200, body: page(found.map(ledgerAccountOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/ledger/accounts/:id', summary: 'An account, all of it' },
    ...byId,
    answers: { 200: LedgerAccountOut },
    refusals: ['not_found'],
    handle: async ({ db }, { params: { id } }) => {
      const [account] = await findAccounts(db, { id })
      if (account === undefined) throw new ServiceError('not_found')
      return { status: 200, body: ledgerAccountOut(account) }
    },
  }),
]

const changing = [
  endpoint({
    ...{ method: 'POST', path: '/v1/ledger/accounts/:id/freeze', ...byId },
    summary: 'Stop new debits or credits, or with neither let them go on',
    body: z.strictObject({ debits: z.boolean(), credits: z.boolean(), reason: Reason }),
    answers: { 200: LedgerAccountOut },
    refusals: ['account_closed', 'account_not_found', 'not_found'],
    handle: async (context, { caller, params, body }) => {
      const how = { ...body, operator: caller.subject }
      return { status: 200, body: await freeze(context, params.id, how) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/ledger/accounts/:id/close', ...byId },
    summary: 'Close it for ever, empty',
    body: z.strictObject({ reason: Reason }),
    answers: { 200: LedgerAccountOut },
    refusals: ['account_closed', 'account_not_empty', 'account_not_found', 'not_found'],
    handle: async (context, { caller, params, body }) => {
      const occasion = { ...body, operator: caller.subject }
      return { status: 200, body: await close(context, params.id, occasion) }
    },
  }),
  endpoint({
    ...{ method: 'PUT', path: '/v1/ledger/accounts/:id/metadata', ...byId },
    summary: 'Replace what is remembered beside it',
    body: z.strictObject({ metadata: Metadata, reason: Reason }),
    answers: { 200: LedgerAccountOut },
    refusals: ['account_not_found', 'not_found'],
    handle: async (context, { caller, params, body: { metadata, reason } }) => {
      const occasion = { reason, operator: caller.subject }
      return { status: 200, body: await describe(context, params.id, occasion, metadata) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/ledger/accounts/:id/periods', ...byId },
    summary: 'Close its books through a moment; what is late is booked afterwards',
    body: z.strictObject({ through: Moment, reason: Reason }),
    answers: { 201: PeriodOut },
    refusals: ['moment_not_answerable', 'not_found', 'period_closed'],
    handle: async (context, { caller, params, body: { through, reason } }) => {
      const [account] = await findAccounts(context.db, { id: params.id })
      if (account === undefined) throw new ServiceError('not_found')
      const occasion = { reason, operator: caller.subject }
      const period = await closeBooksThrough(context, account, new Date(through), occasion)
      return { status: 201, body: period }
    },
  }),
]

export const ledgerEndpoints = [...finding, ...changing]
