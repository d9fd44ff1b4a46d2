/** Net settlement between banks, over HTTP: for operators. */
import { z } from 'zod'
import { type Currency, isCurrency, type Uuid } from '../../ledger/index.ts'
import { bankAccountOut, findBankAccounts, linkBankAccount } from '../banking/bank_accounts.ts'
import { BankAccountOut, BankName, NewBankAccount } from '../banking/routes.ts'
import { PLATFORM } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { CurrencyCode, listOf, page, pageQuery, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { beginClosing } from './close.ts'
import { approveSettlement, checkSettlement } from './settle.ts'
import { contentsOf, statementOf } from './statement.ts'
import { findWindow, findWindows, windowOut } from './windows.ts'

const Count = z.string().regex(/^[0-9]+$/)
const SignedAmount = z.string().regex(/^-?[0-9]+$/)
const States = z.enum(['open', 'closing', 'closed', 'settled'])

const WindowOut = z
  .strictObject({
    id: idOut('nwi'),
    currency: CurrencyCode,
    number: z.int().describe('1, 2, 3, ... in each currency'),
    state: States,
    method: z.enum(['multilateral', 'bilateral']),
    from_seal: Count.describe('The last seal of the window before'),
    to_seal: Count.nullable().describe('Its own last seal; what is sealed later is in the next'),
    transfers: Count.nullable().describe('How many moved money into or out of a bank'),
    retained: SignedAmount.nullable().describe('What came in and did not go out, minor units'),
    opened_at: Timestamp,
    closing_at: Timestamp.nullable(),
    closed_at: Timestamp.nullable(),
    approved_at: Timestamp.nullable().describe('When two operators agreed to its payments'),
    settled_at: Timestamp.nullable(),
  })
  .meta({ id: 'NettingWindow' })

const WindowWithContents = WindowOut.extend({
  positions: z
    .array(
      z.strictObject({
        bank: BankName,
        received: Count,
        paid: Count,
        carried: SignedAmount.describe('What it owes from windows before'),
        kept: SignedAmount.describe('Its part of what was retained, which stays there'),
        net: SignedAmount.describe('received - paid + carried - kept; all of them sum to zero'),
      }),
    )
    .describe('Minor units; empty until the window is closed'),
  payments: z.array(
    z.strictObject({
      from: BankName,
      to: BankName,
      amount: Count,
      state: z.enum(['due', 'instructed', 'settled', 'carried']),
      reason: z.string().nullable().describe('Why it is carried into a later window'),
      arrived: z.boolean().describe('Whether the other bank has reported it'),
      instruction: idOut('ins').nullable(),
      carried_into: idOut('nwi').nullable(),
    }),
  ),
}).meta({ id: 'NettingWindowWithContents' })

const byId = { params: z.strictObject({ id: idIn('nwi') }), tag: 'Netting' } as const
const ofOperators = ['operator'] as const

const currencyIn = (code: string | undefined): Currency | undefined => {
  if (code !== undefined && !isCurrency(code)) throw new ServiceError('currency_unknown')
  return code
}

async function known({ db }: Context, id: Uuid) {
  const window = await findWindow(db, id)
  if (window === undefined) throw new ServiceError('not_found')
  return window
}

const reading = [
  endpoint({
    ...{ method: 'GET', path: '/v1/netting_windows', tag: 'Netting', scopes: ofOperators },
    summary: 'Windows of net settlement between banks, newest first',
    query: pageQuery('nwi').extend({ currency: CurrencyCode.optional(), state: States.optional() }),
    answers: { 200: listOf(WindowOut) },
    refusals: ['currency_unknown'],
    handle: async ({ db }, { query: { limit, cursor, currency, state } }) => {
      const where = { before: cursor, currency: currencyIn(currency), state, limit }
      const found = await findWindows(db, where)
      return { status: 200, body: page(found.map(windowOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/netting_windows/:id', ...byId, scopes: ofOperators },
    summary: 'A window, each bank’s position, and the payments between banks',
    answers: { 200: WindowWithContents },
    refusals: ['not_found'],
    handle: async (context, { params: { id } }) => {
      const window = await known(context, id)
      return { status: 200, body: { ...windowOut(window), ...(await contentsOf(context.db, id)) } }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/netting_windows/:id/statement', ...byId, scopes: ofOperators },
    summary: 'Every transfer that the window counts, as CSV of any length',
    answers: { 200: null },
    otherTypes: ['text/csv'],
    refusals: ['not_found', 'saturated'],
    handle: async (context, { params: { id } }) => {
      const window = await known(context, id)
      const fileName = `netting-${window.currency}-${window.number}.csv`
      return {
        status: 200,
        contentType: 'text/csv',
        fileName,
        stream: statementOf(context, window),
      }
    },
  }),
]

const acting = [
  endpoint({
    ...{ method: 'POST', path: '/v1/netting_windows/:id/close', ...byId, scopes: ofOperators },
    summary: 'End the window with the newest seal, and open the next; once, however often asked',
    answers: { 202: WindowOut },
    refusals: ['not_found'],
    handle: async (context, { params: { id }, caller }) => {
      const by = caller.subject
      const window = await context.db.transaction((trx) => beginClosing(context, trx, id, by))
      return { status: 202, body: windowOut(window) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/netting_windows/:id/settle', ...byId, scopes: ofOperators },
    summary: 'Have the window’s payments between banks made; once, however often asked',
    ...{ idempotency: 'required', secondPerson: true },
    answers: { 200: WindowOut },
    refusals: [
      ...(['not_found', 'netting_window_not_closed', 'bank_not_found'] as const),
      ...(['bank_account_not_found', 'no_route'] as const),
    ],
    check: (context, { params: { id } }) => checkSettlement(context, id),
    handle: (context, { params: { id }, caller, claim }) => {
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      const { subject: operator, approvedBy } = caller
      return approveSettlement(context, id, { operator, approvedBy }, claim)
    },
  }),
]

const ofBank = { params: z.strictObject({ bank: BankName }), tag: 'Netting' } as const

/** Our own accounts at banks, to which the other banks pay. */
const ownAccounts = [
  endpoint({
    ...{ method: 'POST', path: '/v1/banks/:bank/own_accounts', ...ofBank, scopes: ofOperators },
    summary: 'Say which account at the bank is ours; other banks pay to the newest one',
    ...{ idempotency: 'required', secondPerson: true },
    body: NewBankAccount.omit({ bank: true }),
    answers: { 201: z.strictObject({ id: idOut('bac') }) },
    refusals: [
      ...(['bank_account_exists', 'bank_not_found', 'name_mismatch'] as const),
      ...(['bank_unreachable', 'bank_outcome_unknown', 'bank_not_capable'] as const),
    ],
    async check({ banks }, { params: { bank } }) {
      if (!banks.has(bank)) throw new ServiceError('bank_not_found')
    },
    handle: (context, { params, body, claim }) =>
      linkBankAccount(context, PLATFORM, { ...params, ...body }, claim),
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/banks/:bank/own_accounts', ...ofBank, scopes: ofOperators },
    summary: 'Our own accounts at the bank, newest first',
    answers: { 200: z.strictObject({ data: z.array(BankAccountOut) }) },
    refusals: [],
    handle: async (context, { params: { bank } }) => {
      const found = await findBankAccounts(context.db, PLATFORM)
      const there = found.filter((account) => account.bank === bank)
      return { status: 200, body: { data: there.map((one) => bankAccountOut(context, one)) } }
    },
  }),
]

export const nettingEndpoints = [...reading, ...acting, ...ownAccounts]
