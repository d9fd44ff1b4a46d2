/** For operators: what banks told us that needs a person, their files, incoming money, recalls. */
import { z } from 'zod'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import {
  Amount,
  CurrencyCode,
  listOf,
  page,
  pageQuery,
  text,
  TEXT_LENGTH_MAX,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { fileOut, findFiles } from './files.ts'
import { DISPOSITIONS, findHeard, heardOut } from './inbox.ts'
import {
  findIncoming,
  INCOMING_STATES,
  incomingOut,
  matchIncoming,
  refuseUnmatchable,
  wordsOf,
} from './incoming.ts'
import { decideRecall, refuseUndecidableRecall } from './recall_decisions.ts'
import { FAULTS, REASONS } from './reasons.ts'
import {
  findRecalls,
  RECALL_REASONS,
  RECALL_STATES,
  recallOut,
  refuseRecall,
  requestRecall,
} from './recalls.ts'
import { sendBack, wayBack } from './send_back.ts'

const TAG = 'Banking'
const Party = z.string().regex(/^(?:per|mer)_[0-9a-z]{26}$/)

export const BankEventOut = z
  .strictObject({
    id: idOut('bev'),
    bank: z.string(),
    event_id: z.string().describe('The bank’s own'),
    source: z.enum(['callback', 'file', 'enquiry', 'operator']),
    reference: z.string(),
    outcome: z.enum(['settled', 'rejected', 'returned', 'received', 'recall_refused']),
    amount: Amount,
    currency: CurrencyCode,
    reason: z.string().nullable(),
    disposition: z.enum(DISPOSITIONS),
    occurred_at: Timestamp,
    received_at: Timestamp,
  })
  .meta({ id: 'BankEvent' })

const BankFileOut = z
  .strictObject({
    id: idOut('bfl'),
    bank: z.string(),
    message_id: z.string(),
    name: z.string(),
    events: z.int(),
    received_at: Timestamp,
    fault: z.string().nullable().describe('Why it could not be used, if it could not'),
  })
  .meta({ id: 'BankFile' })

const IncomingOut = z
  .strictObject({
    id: idOut('inc'),
    bank: z.string(),
    reference: z.string().describe('The bank’s own, as its statement shows it'),
    amount: Amount,
    currency: CurrencyCode,
    state: z.enum(INCOMING_STATES),
    received_at: Timestamp,
    owner: Party.nullable(),
    matched_by: z.string().nullable().describe('`rule:...`, or the operator'),
    approved_by: z.string().nullable(),
    matched_at: Timestamp.nullable(),
  })
  .meta({ id: 'IncomingMoney' })

const IncomingWithWords = IncomingOut.extend({
  remittance: z.string().nullable().describe('What the sender wrote'),
  sender: z.string().nullable(),
}).meta({ id: 'IncomingMoneyInFull' })

const RecallOut = z
  .strictObject({
    id: idOut('rcl'),
    reference: z.string(),
    instruction: idOut('ins'),
    reason: z.enum(RECALL_REASONS),
    note: z.string(),
    operator: z.string(),
    approved_by: z.string().nullable(),
    state: z.enum(RECALL_STATES),
    outcome_reason: z.string().nullable(),
    created_at: Timestamp,
    changed_at: Timestamp,
  })
  .meta({ id: 'Recall' })

const ReasonOut = z
  .strictObject({
    code: z.string(),
    name: z.string(),
    fault: z.enum(FAULTS).describe('On whose side the reason lies'),
    may_be_tried_again: z.boolean(),
    told: z.string().describe('What the customer is told'),
  })
  .meta({ id: 'BankReason' })

const NewMatch = z
  .strictObject({ person: idIn('per').optional(), merchant: idIn('mer').optional() })
  .refine(({ person, merchant }) => (person === undefined) !== (merchant === undefined), {
    path: ['person'],
    message: 'either a person or a merchant is needed',
  })

const payeeIn = ({ person, merchant }: z.output<typeof NewMatch>) =>
  person === undefined
    ? { kind: 'merchant' as const, id: merchant ?? '' }
    : { kind: 'person' as const, id: person }

export const inboxEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/bank_events', tag: TAG, scopes: ['operator'] },
    summary: 'What banks told us, newest first; by default what nobody could apply',
    query: pageQuery('bev').extend({ disposition: z.enum(DISPOSITIONS).default('parked') }),
    answers: { 200: listOf(BankEventOut) },
    refusals: [],
    handle: async ({ db }, { query: { disposition, limit, cursor } }) => {
      const found = await findHeard(db, { disposition, before: cursor, limit })
      return { status: 200, body: page(found.map(heardOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/bank_files', tag: TAG, scopes: ['operator'] },
    summary: 'Files that were fetched from banks, newest first',
    query: pageQuery('bfl'),
    answers: { 200: listOf(BankFileOut) },
    refusals: [],
    handle: async ({ db }, { query: { limit, cursor } }) => {
      const found = await findFiles(db, { before: cursor, limit })
      return { status: 200, body: page(found.map(fileOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/bank_reasons', tag: TAG },
    ...{ summary: 'What the reason codes of banks mean', scopes: ['chat', 'merchant', 'operator'] },
    answers: { 200: z.strictObject({ data: z.array(ReasonOut) }) },
    refusals: [],
    handle: async () => ({ status: 200, body: { data: REASONS } }),
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/incoming_money', tag: TAG, scopes: ['operator'] },
    summary: 'Money that came without our asking, oldest first; by default what is nobody’s yet',
    query: pageQuery('inc').extend({ state: z.enum(INCOMING_STATES).default('unmatched') }),
    answers: { 200: listOf(IncomingWithWords) },
    refusals: [],
    handle: async (context, { query: { state, limit, cursor } }) => {
      const found = await findIncoming(context.db, { state, after: cursor, limit })
      const data = found.map((one) => ({ ...incomingOut(one), ...wordsOf(context, one) }))
      return { status: 200, body: page(data, limit) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/incoming_money/:id/match', tag: TAG, scopes: ['operator'] },
    ...{ summary: 'Say whose the money is', idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('inc') }),
    body: NewMatch,
    answers: { 200: IncomingOut },
    refusals: [
      ...(['not_found', 'payee_not_found', 'incoming_money_matched'] as const),
      ...(['incoming_money_returned'] as const),
      ...(['account_closed', 'account_frozen', 'total_too_large'] as const),
    ],
    check: async (context, { params, body }) => {
      await refuseUnmatchable(context, params.id, payeeIn(body))
    },
    handle: (context, { caller, params, body, claim }) => {
      const { subject: operator, approvedBy } = caller
      const asked = { payee: payeeIn(body), operator, approvedBy }
      return matchIncoming(context, params.id, asked, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/incoming_money/:id/return', tag: TAG, scopes: ['operator'] },
    summary: 'Send the money back to the account it came from',
    ...{ idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('inc') }),
    body: z.strictObject({ note: text(TEXT_LENGTH_MAX) }),
    answers: { 200: IncomingOut },
    refusals: [
      ...(['not_found', 'incoming_money_matched', 'incoming_money_returned'] as const),
      ...(['return_not_possible', 'bank_closed', 'account_closed', 'account_frozen'] as const),
    ],
    check: async (context, { params }) => {
      await wayBack(context, params.id)
    },
    handle: (context, { caller: { subject: operator, approvedBy }, params, body, claim }) =>
      sendBack(context, params.id, { note: body.note, operator, approvedBy }, claimed(claim)),
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/recalls', tag: TAG, scopes: ['operator'] },
    ...{ summary: 'Money that was asked back, newest first', query: pageQuery('rcl') },
    answers: { 200: listOf(RecallOut) },
    refusals: [],
    handle: async ({ db }, { query: { limit, cursor } }) => {
      const found = await findRecalls(db, { before: cursor, limit })
      return { status: 200, body: page(found.map(recallOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/instructions/:id/recalls', tag: TAG, scopes: ['operator'] },
    summary: 'Ask for money back that a bank has paid out',
    ...{ idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('ins') }),
    body: z.strictObject({ reason: z.enum(RECALL_REASONS), note: text(TEXT_LENGTH_MAX) }),
    answers: { 201: RecallOut },
    refusals: ['not_found', 'instruction_not_settled', 'recall_exists', 'recall_not_possible'],
    check: (context, { params }) => refuseRecall(context, context.db, params.id),
    handle: (context, { caller, params, body, claim }) => {
      const { subject: operator, approvedBy } = caller
      return requestRecall(context, params.id, { ...body, operator, approvedBy }, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/recalls/:id/resolve', tag: TAG, scopes: ['operator'] },
    summary: 'Say that the money is kept, where nobody answers a recall; it may be asked back anew',
    ...{ idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('rcl') }),
    body: z.strictObject({
      outcome: z.enum(['refused']).describe('That it came back is said of its instruction'),
      evidence: text(TEXT_LENGTH_MAX).describe('What it rests on'),
    }),
    answers: { 200: RecallOut },
    refusals: ['not_found', 'recall_not_decidable'],
    check: async ({ db }, { params }) => {
      await refuseUndecidableRecall(db, params.id)
    },
    handle: (context, { caller, params, body, claim }) => {
      const { subject: operator, approvedBy } = caller
      return decideRecall(
        context,
        params.id,
        body.evidence,
        { operator, approvedBy },
        claimed(claim),
      )
    },
  }),
]
