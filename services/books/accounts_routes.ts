/** Accounts for who owns them: balances, now and at any moment, and what is on hold. */
import { z } from 'zod'
import {
  balanceAt,
  findAccounts,
  findAccountWithHolds,
  HOLDS_MAX,
  type OpenHold,
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
  pageQuery,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut, publicId } from '../ids.ts'
import { accountOut } from './accounts.ts'
import { merchantOwner, personOwner } from './chart.ts'

export const ACCOUNT_SCOPES = ['person', 'merchant', 'operator'] as const

/** Without a name, so that what is more than this can say all of itself. */
export const AccountShape = z.strictObject({
  id: idOut('acc'),
  type: z.string(),
  currency: CurrencyCode,
  state: z.enum(['open', 'frozen', 'closed']),
  posted: MoneyOut.describe('Settled money'),
  available: MoneyOut.describe('What may still leave: posted, less what is reserved'),
  version: z.string().describe('The number of the newest entry: as long as it stays, so does all'),
  opened_at: Timestamp,
})

const AccountOut = AccountShape.meta({ id: 'Account' })

const HoldOut = z.strictObject({
  hold: idOut('trf').describe('What it is posted or voided by'),
  side: z.enum(['debit', 'credit']),
  amount: z.string(),
  remaining: z.string().describe('What is neither posted nor voided'),
})

const AccountAtOut = AccountOut.extend({
  holds: z.array(HoldOut).describe(`The newest ${HOLDS_MAX}, as of the same moment`),
  at: Timestamp.optional().describe('The moment asked for'),
  effective_at: Timestamp.optional(),
  booked_at: Timestamp.optional(),
  posted_at: MoneyOut.optional().describe('The posted balance at that moment'),
})

const holdOut = ({ hold, side, amount, remaining }: OpenHold) => ({
  ...{ hold: publicId('trf', hold), side },
  ...{ amount: amount.toString(), remaining: remaining.toString() },
})

type Owner = Extract<Caller, { scope: 'person' | 'merchant' | 'operator' }>

/** Whose accounts the caller may see: their own, or with undefined everybody's. */
function ownerOf(caller: Owner): string | undefined {
  if (caller.scope === 'operator') return undefined
  return caller.scope === 'person' ? personOwner(caller.person.id) : merchantOwner(caller.merchant)
}

export async function visibleAccount({ db }: Context, caller: Owner, id: string) {
  const [account] = await findAccounts(db, { id, owner: ownerOf(caller) })
  if (account === undefined) throw new ServiceError('not_found')
  return account
}

const YEARS = /^\d{4}-/

/** The offset may carry a moment out of the years that can be written down. */
export const Moment = z.iso
  .datetime({ offset: true })
  .refine((at) => YEARS.test(new Date(Date.parse(at) || 0).toISOString()), 'is out of range')
  .refine((at) => !Number.isNaN(Date.parse(at)), 'is no moment')

export const dateOf = (at: string | undefined) => (at === undefined ? undefined : new Date(at))

export const accountEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/accounts', summary: 'Accounts and their balances' },
    ...{ tag: 'Books', scopes: ACCOUNT_SCOPES },
    query: pageQuery('acc'),
    answers: { 200: listOf(AccountOut) },
    refusals: [],
    handle: async ({ db }, { caller, query: { limit, cursor } }) => {
      const accounts = await findAccounts(db, { owner: ownerOf(caller) }, { after: cursor, limit })
      return { status: 200, body: page(accounts.map(accountOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/accounts/:id', tag: 'Books', scopes: ACCOUNT_SCOPES },
    summary: 'An account and its holds; with a moment also its balance then',
    params: z.strictObject({ id: idIn('acc') }),
    query: z.strictObject({
      at: Moment.optional().describe('As it was known then'),
      effective_at: Moment.optional().describe('What had happened by then, recorded whenever'),
      booked_at: Moment.optional().describe('What belongs to accounting periods up to then'),
    }),
    answers: { 200: AccountAtOut },
    refusals: ['moment_not_answerable', 'not_found'],
    handle: async ({ db }, { caller, params, query }) => {
      const found = await findAccountWithHolds(db, { id: params.id, owner: ownerOf(caller) })
      if (found === undefined) throw new ServiceError('not_found')
      const { id, currency } = found.account
      const body = { ...accountOut(found.account), holds: found.holds.map(holdOut) }
      const [at, effectiveAt, bookedAt] = [query.at, query.effective_at, query.booked_at]
      const asked = { at, effective_at: effectiveAt, booked_at: bookedAt }
      if (Object.values(asked).every((one) => one === undefined)) return { status: 200, body }
      const moment = {
        ...{ recordedAt: dateOf(at), effectiveAt: dateOf(effectiveAt), bookedAt: dateOf(bookedAt) },
      }
      const amount = await balanceAt(db, id, moment)
      const moments = Object.entries(asked).map(([name, one]) => [name, dateOf(one)?.toISOString()])
      const posted_at = moneyOut({ amount, currency })
      return { status: 200, body: { ...body, ...Object.fromEntries(moments), posted_at } }
    },
  }),
]
