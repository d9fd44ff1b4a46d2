/** Accounts and their statements for who owns them, and the proof that the books balance. */
import { z } from 'zod'
import {
  type AccountBalances,
  audit,
  balanceAt,
  type Entry,
  findAccounts,
  findEntries,
} from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import {
  CurrencyCode,
  listOf,
  MoneyOut,
  moneyOut,
  page,
  PAGE_MAX,
  pageQuery,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut, publicId } from '../ids.ts'
import { merchantOwner, personOwner } from './chart.ts'

const AccountOut = z
  .strictObject({
    id: idOut('acc'),
    type: z.string(),
    currency: CurrencyCode,
    posted: MoneyOut.describe('Settled money'),
    available: MoneyOut.describe('What may still leave: posted, less what is reserved'),
    opened_at: Timestamp,
  })
  .meta({ id: 'Account' })

const AccountAtOut = AccountOut.extend({
  at: Timestamp.optional().describe('The moment asked for'),
  posted_at: MoneyOut.optional().describe('The posted balance at that moment'),
})

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
    effective_at: Timestamp,
    recorded_at: Timestamp,
  })
  .meta({ id: 'Entry' })

const ProofOut = z
  .strictObject({
    proven: z.boolean(),
    accounts: z.string(),
    transfers: z.string(),
    trial_balance: z.array(
      z.strictObject({ currency: CurrencyCode, debits: z.string(), credits: z.string() }),
    ),
    violations: z.array(z.strictObject({ invariant: z.string(), subject: z.string() })),
    checked_at: Timestamp,
  })
  .meta({ id: 'Proof' })

const accountOut = (account: AccountBalances) => ({
  id: publicId('acc', account.id),
  type: account.type,
  currency: account.currency,
  posted: moneyOut({ amount: account.posted, currency: account.currency }),
  available: moneyOut({ amount: account.available, currency: account.currency }),
  opened_at: account.openedAt.toISOString(),
})

const entryOut = (entry: Entry) => ({
  entry: entry.entry.toString(),
  side: entry.side,
  kind: entry.kind,
  code: entry.code,
  amount: entry.amount.toString(),
  currency: entry.currency,
  balance: entry.balance.toString(),
  transfer: publicId('trf', entry.transferId),
  effective_at: entry.effectiveAt.toISOString(),
  recorded_at: entry.recordedAt.toISOString(),
})

type Owner = Extract<Caller, { scope: 'person' | 'merchant' | 'operator' }>

/** Whose accounts the caller may see: their own, or with undefined everybody's. */
function ownerOf(caller: Owner): string | undefined {
  if (caller.scope === 'operator') return undefined
  return caller.scope === 'person' ? personOwner(caller.person.id) : merchantOwner(caller.merchant)
}

async function visibleAccount({ db }: Context, caller: Owner, id: string) {
  const owner = ownerOf(caller)
  const [account] = await findAccounts(db, { id, ...(owner !== undefined && { owner }) })
  if (account === undefined) throw new ServiceError('not_found')
  return account
}

const YEARS = /^\d{4}-/

/** The offset may carry a moment out of the years that can be written down. */
const Moment = z.iso
  .datetime({ offset: true })
  .refine((at) => YEARS.test(new Date(Date.parse(at) || 0).toISOString()), 'is out of range')
  .refine((at) => !Number.isNaN(Date.parse(at)), 'is no moment')

const SCOPES = ['person', 'merchant', 'operator'] as const

export const bookEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/accounts', summary: 'Accounts and their balances' },
    ...{ tag: 'Books', scopes: SCOPES },
    query: pageQuery('acc'),
    answers: { 200: listOf(AccountOut) },
    refusals: [],
    handle: async ({ db }, { caller, query: { limit, cursor } }) => {
      const owner = ownerOf(caller)
      const where = owner === undefined ? {} : { owner }
      const accounts = await findAccounts(db, where, { after: cursor, limit })
      return { status: 200, body: page(accounts.map(accountOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/accounts/:id', tag: 'Books', scopes: SCOPES },
    summary: 'An account; with ?at= also its balance at that moment',
    params: z.strictObject({ id: idIn('acc') }),
    query: z.strictObject({ at: Moment.optional() }),
    answers: { 200: AccountAtOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params, query: { at } }) => {
      const account = await visibleAccount(context, caller, params.id)
      if (at === undefined) return { status: 200, body: accountOut(account) }
      const amount = await balanceAt(context.db, account.id, new Date(at))
      const posted_at = moneyOut({ amount, currency: account.currency })
      const moment = new Date(at).toISOString()
      return { status: 200, body: { ...accountOut(account), at: moment, posted_at } }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/accounts/:id/entries', tag: 'Books', scopes: SCOPES },
    summary: 'The statement, newest entry first, with the running balance',
    params: z.strictObject({ id: idIn('acc') }),
    query: z.strictObject({
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
    }),
    answers: { 200: listOf(EntryOut) },
    refusals: ['not_found'],
    handle: async (context, { caller, params, query }) => {
      const account = await visibleAccount(context, caller, params.id)
      const limit = Math.min(query.limit, PAGE_MAX)
      const found = await findEntries(context.db, account.id, { before: query.cursor, limit })
      const last = found.at(-1)
      const next_cursor = found.length < limit ? null : (last?.entry.toString() ?? null)
      return { status: 200, body: { data: found.map(entryOut), next_cursor } }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/ledger/proof', tag: 'Operators', scopes: ['operator'] },
    summary: 'Recomputes every balance from the transfers and says whether the books balance',
    answers: { 200: ProofOut },
    refusals: [],
    handle: async (context) => {
      const { accounts, transfers, trialBalance, violations } = await audit(context.db)
      const body = {
        proven: violations.length === 0,
        accounts: accounts.toString(),
        transfers: transfers.toString(),
        trial_balance: trialBalance.map(({ currency, debits, credits }) => ({
          ...{ currency, debits: debits.toString(), credits: credits.toString() },
        })),
        violations,
        checked_at: context.now().toISOString(),
      }
      return { status: 200, body }
    },
  }),
]
