/** Linked bank accounts, and the banks' callbacks. */
import { z } from 'zod'
import { merchantOwner, personOwner } from '../books/chart.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint, type PublicEndpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { text, Timestamp } from '../http/schemas.ts'
import { APPROVAL_REFUSALS, ApprovalBody } from '../approvals/approvals.ts'
import { idIn, idOut } from '../ids.ts'
import {
  ACCOUNT_NUMBER,
  bankAccountOut,
  findBankAccounts,
  linkBankAccount,
  shownBankAccount,
  unlinkBankAccount,
} from './bank_accounts.ts'
import { receiveCallback } from './callbacks.ts'
import { confirmBankAccount } from './confirm.ts'

export const BankName = z.string().regex(/^[a-z][a-z0-9_]{1,31}$/)

export const BankAccountOut = z
  .strictObject({
    id: idOut('bac'),
    bank: BankName,
    number: z.string().describe('Only the end of it'),
    holder: z.string().nullable().describe('Null once the owner is erased'),
    name_check: z.enum(['match', 'close_match', 'no_match', 'not_possible']),
    checked_at: Timestamp.describe('When the bank said so'),
    name_at_bank: z.string().nullable().describe('Of a close match, where the bank tells it'),
    confirmed_at: Timestamp.nullable().describe('When the owner said that a close match is them'),
    created_at: Timestamp,
  })
  .meta({ id: 'BankAccount' })

export const NewBankAccount = z.strictObject({
  bank: BankName,
  number: z.string().regex(ACCOUNT_NUMBER),
  holder: text(70),
})

const ownerOf = (caller: Extract<Caller, { scope: 'person' | 'merchant' }>) =>
  caller.scope === 'person' ? personOwner(caller.person.id) : merchantOwner(caller.merchant)

export const bankingEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/bank_accounts', summary: 'Link a bank account' },
    ...{ tag: 'Banking', scopes: ['person', 'merchant'], idempotency: 'optional' },
    // The bank says whose an account is: whoever may ask as often as they like learns names.
    rate: 'lookup',
    body: NewBankAccount,
    answers: { 201: BankAccountOut },
    refusals: [
      ...(['bank_account_exists', 'bank_not_found', 'name_mismatch'] as const),
      ...(['bank_unreachable', 'bank_outcome_unknown'] as const),
    ],
    shown: shownBankAccount,
    handle: (context, { caller, body, claim }) =>
      linkBankAccount(context, ownerOf(caller), body, claim),
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/bank_accounts', summary: 'Linked bank accounts, newest first' },
    ...{ tag: 'Banking', scopes: ['person', 'merchant'] },
    answers: { 200: z.strictObject({ data: z.array(BankAccountOut) }) },
    refusals: [],
    handle: async (context, { caller }) => {
      const accounts = await findBankAccounts(context.db, ownerOf(caller))
      const data = accounts.map((account) => bankAccountOut(context, account))
      return { status: 200, body: { data } }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/bank_accounts/:id/confirm', tag: 'Banking' },
    summary: 'Say that a close match is you, so that money is paid out to the account',
    ...{ scopes: ['person', 'merchant'], tokensOnly: true, idempotency: 'required' },
    rate: 'security',
    params: z.strictObject({ id: idIn('bac') }),
    body: z.strictObject({
      name_at_bank: text(140).nullable().describe('As it was shown to you'),
      approval: ApprovalBody.optional().describe('Of a person'),
    }),
    answers: { 200: BankAccountOut },
    refusals: [...APPROVAL_REFUSALS, 'bank_account_not_found', 'name_mismatch'],
    shown: shownBankAccount,
    handle: (context, { caller, params, body, claim, idempotencyKey: key }) => {
      const person = caller.scope === 'person' ? caller.person.id : undefined
      const { name_at_bank: name, approval } = body
      const confirmation = { owner: ownerOf(caller), person, name, approval }
      return confirmBankAccount(context, params.id, confirmation, { claim: claimed(claim), key })
    },
  }),
  endpoint({
    ...{ method: 'DELETE', path: '/v1/bank_accounts/:id', summary: 'Unlink a bank account' },
    ...{ tag: 'Banking', scopes: ['person', 'merchant'] },
    params: z.strictObject({ id: idIn('bac') }),
    answers: { 204: null },
    refusals: ['not_found'],
    handle: async (context, { caller, params }) => {
      const unlinked = await unlinkBankAccount(context, ownerOf(caller), params.id)
      if (!unlinked) throw new ServiceError('not_found')
      return { status: 204 }
    },
  }),
]

/** Where a bank's callback enters. */
export const callbackEndpoint: PublicEndpoint = {
  ...{ method: 'POST', path: '/v1/banks/:bank/callbacks', tag: 'Banking' },
  summary: 'What became of an instruction, told by the bank',
  why: 'banks sign the bytes they send; that is checked before anything is read',
  bytesMax: (config) => config.CALLBACK_BYTES_MAX,
  rate: 'callback',
  isThere: ({ banks }, { bank = '' }) => banks.has(bank),
  answers: { 200: z.strictObject({ received: z.literal(true) }) },
  refusals: [
    'bad_signature',
    'callback_expired',
    'bad_callback',
    'cross_bank_callback',
    'not_found',
    'too_many_requests',
  ],
  handle: async (context, { params, headers, bytes }) => {
    await receiveCallback(context, params['bank'] ?? '', headers, bytes)
    return { status: 200, body: { received: true } }
  },
}
