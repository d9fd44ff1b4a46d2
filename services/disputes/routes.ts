/** Disputes over HTTP. */
import { z } from 'zod'
import { isCurrency, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import {
  Amount,
  CurrencyCode,
  listOf,
  MinorUnits,
  page,
  pageQuery,
  text,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { refuseUnknown } from '../merchants/merchants.ts'
import { findPayment } from '../payments/payment.ts'
import { decideDispute } from './decide.ts'
import { DISPUTE_STATES, type DisputeEvent } from './machine.ts'
import { openDispute } from './open.ts'
import {
  type Dispute,
  DISPUTE_REASONS,
  disputeOut,
  findDispute,
  findDisputes,
  toldOf,
  toldOut,
} from './rows.ts'
import { addDisputeTerms, findDisputeTerms } from './terms.ts'

const TAG = 'Disputes'
/** As much as a person reads about one thing. */
const EVIDENCE_LENGTH_MAX = 2_000

const DisputeOut = z
  .strictObject({
    id: idOut('dsp'),
    payment: idOut('pay'),
    merchant: idOut('mer'),
    state: z.enum(DISPUTE_STATES),
    amount: Amount,
    fee: z.string().describe('What the dispute costs the merchant, whatever becomes of it'),
    currency: CurrencyCode,
    reason: z.enum(DISPUTE_REASONS),
    opened_by: z.string(),
    evidence_due_at: Timestamp.describe('Without evidence it is lost then'),
    paid_from: z
      .strictObject({ balance: z.string(), reserve: z.string(), limit: z.string() })
      .nullable()
      .describe('For the merchant and for operators'),
    created_at: Timestamp,
    changed_at: Timestamp,
  })
  .meta({ id: 'Dispute' })

const File = z.strictObject({
  name: text(100),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('Of the file, which the merchant keeps'),
})

const DisputeTold = DisputeOut.extend({
  timeline: z.array(
    z.strictObject({
      event: z.string(),
      state: z.enum(DISPUTE_STATES),
      note: z.string().nullable(),
      at: Timestamp,
    }),
  ),
  evidence: z
    .array(z.strictObject({ text: z.string(), file: File.nullable(), created_at: Timestamp }))
    .nullable()
    .describe('For the merchant and for operators'),
})

type Reader = Extract<Caller, { scope: 'person' | 'merchant' | 'operator' | 'chat' }>

const isInside = ({ scope }: Reader) => scope === 'merchant' || scope === 'operator'

/** A dispute is there for both sides of its payment, for operators and for the chat app. */
async function visible({ db }: Context, id: Uuid, caller: Reader): Promise<Dispute> {
  const dispute = await findDispute(db, id)
  if (dispute === undefined) throw new ServiceError('not_found')
  const isTheirs =
    caller.scope === 'person'
      ? (await findPayment(db, dispute.payment, caller.person.id)) !== undefined
      : caller.scope !== 'merchant' || dispute.merchant === caller.merchant
  if (!isTheirs) throw new ServiceError('not_found')
  return dispute
}

const BOOKS = ['account_closed', 'account_frozen', 'insufficient_funds'] as const

const TERMS = '/v1/merchants/:id/dispute_terms'
const ofMerchant = { params: z.strictObject({ id: idIn('mer') }), tag: TAG } as const

const TermsOut = z
  .strictObject({
    merchant: idOut('mer'),
    currency: CurrencyCode,
    fee: z.string(),
    evidence_days: z.int(),
    valid_from: Timestamp,
  })
  .meta({ id: 'DisputeTerms' })

const addTerms = endpoint({
  ...{ method: 'POST', path: TERMS, ...ofMerchant, scopes: ['operator'] },
  summary: 'What a dispute costs a merchant and how long it may take to answer, from a moment on',
  ...{ idempotency: 'required', secondPerson: true },
  body: z.strictObject({
    currency: CurrencyCode,
    fee: MinorUnits.describe('For each dispute'),
    evidence_days: z.int().min(1).max(120),
    valid_from: z.iso.datetime({ precision: 3 }).optional().describe('Now, where left out or past'),
  }),
  answers: { 201: TermsOut },
  refusals: ['not_found', 'currency_unknown', 'dispute_terms_exist'],
  check: ({ db }, { params }) => refuseUnknown(db, params.id),
  handle: (context, { caller, params: { id: merchant }, body, claim }) => {
    const { currency, fee, evidence_days: evidenceDays, valid_from: from } = body
    if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
    const who = { createdBy: caller.subject, approvedBy: caller.approvedBy ?? null }
    const validFrom = from === undefined ? undefined : new Date(from)
    const terms = { merchant, currency, fee: BigInt(fee), evidenceDays, validFrom, ...who }
    return addDisputeTerms(context, terms, claimed(claim))
  },
})

const readTerms = endpoint({
  ...{ method: 'GET', path: TERMS, ...ofMerchant, scopes: ['merchant', 'operator'] },
  summary: 'The terms that there are or were, newest first; without any valid, there is no fee',
  answers: { 200: z.strictObject({ data: z.array(TermsOut) }) },
  refusals: ['not_found'],
  handle: async ({ db }, { caller, params: { id } }) => {
    if (caller.scope === 'merchant' && caller.merchant !== id) throw new ServiceError('not_found')
    await refuseUnknown(db, id)
    return { status: 200, body: { data: await findDisputeTerms(db, id) } }
  },
})

const openEndpoint = endpoint({
  ...{ method: 'POST', path: '/v1/payments/:id/disputes', tag: TAG },
  ...{ scopes: ['person', 'operator'], idempotency: 'required', rate: 'money' },
  summary: 'Contest a payment to a merchant: its money waits until it is decided whose it is',
  secondPerson: ({ scope }) => scope === 'operator',
  params: z.strictObject({ id: idIn('pay') }),
  body: z.strictObject({
    amount: Amount.optional().describe('All that has not gone back yet, where left out'),
    reason: z.enum(DISPUTE_REASONS),
  }),
  answers: { 201: DisputeOut },
  refusals: [
    ...(['not_found', 'payment_not_completed', 'refund_exceeds_capture'] as const),
    ...(['dispute_exists', 'dispute_too_late', 'not_disputable'] as const),
    ...(['too_many_reserves', ...BOOKS] as const),
  ],
  check: async ({ db }, { params }) => {
    if ((await findPayment(db, params.id)) === undefined) throw new ServiceError('not_found')
  },
  handle: (context, { caller, params: { id: payment }, body: { amount, reason }, claim }) => {
    const by =
      caller.scope === 'person' ? { payer: caller.person.id } : { operator: caller.subject }
    const asked = amount === undefined ? undefined : BigInt(amount)
    return openDispute(context, { payment, amount: asked, reason, by }, claimed(claim))
  },
})

const readEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/disputes', tag: TAG, scopes: ['merchant', 'operator'] },
    summary: 'Disputes, newest first',
    query: pageQuery('dsp'),
    answers: { 200: listOf(DisputeOut) },
    refusals: [],
    handle: async ({ db }, { caller, query: { limit, cursor } }) => {
      const merchant = caller.scope === 'merchant' ? caller.merchant : undefined
      const found = await findDisputes(db, { merchant, before: cursor, limit })
      return { status: 200, body: page(found.map(disputeOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/disputes/:id', tag: TAG },
    scopes: ['merchant', 'person', 'operator', 'chat'],
    summary: 'A dispute, what happened to it, and what its merchant said',
    params: z.strictObject({ id: idIn('dsp') }),
    answers: { 200: DisputeTold },
    refusals: ['not_found'],
    handle: async (context, { caller, params: { id } }) => {
      const dispute = await visible(context, id, caller)
      const told = toldOut(await toldOf(context.db, id))
      const body = { ...disputeOut(dispute), ...told }
      const hidden = isInside(caller) ? {} : { paid_from: null, evidence: null }
      return { status: 200, body: { ...body, ...hidden } }
    },
  }),
]

const merchantEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/disputes/:id/evidence', tag: TAG, scopes: ['merchant'] },
    summary: 'Answer a dispute, with words and the digest of a file, until its deadline',
    idempotency: 'required',
    params: z.strictObject({ id: idIn('dsp') }),
    body: z.strictObject({ text: text(EVIDENCE_LENGTH_MAX), file: File.optional() }),
    answers: { 200: DisputeOut },
    refusals: ['not_found', 'dispute_decided', 'evidence_too_late', 'too_much_evidence'],
    handle: async (context, { caller, params: { id }, body: { text: words, file }, claim }) => {
      const dispute = await visible(context, id, caller)
      const said = { event: 'submit', by: 'merchant', note: null } as const
      const evidence = { text: words, file }
      return decideDispute(context, dispute, { ...said, evidence }, claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/disputes/:id/accept', tag: TAG, scopes: ['merchant'] },
    summary: 'Agree with the payer, who gets the money',
    idempotency: 'required',
    params: z.strictObject({ id: idIn('dsp') }),
    answers: { 200: DisputeOut },
    refusals: ['not_found', 'dispute_decided', ...BOOKS],
    handle: async (context, { caller, params: { id }, claim }) => {
      const dispute = await visible(context, id, caller)
      const said = { event: 'accept', by: 'merchant', note: null } as const
      return decideDispute(context, dispute, said, claimed(claim))
    },
  }),
]

/** What an operator decides, as what happens to the dispute. */
const OUTCOMES = { won: 'win', lost: 'lose', reversed: 'reverse' } as const satisfies Record<
  string,
  DisputeEvent
>

const resolveEndpoint = endpoint({
  ...{ method: 'POST', path: '/v1/disputes/:id/resolve', tag: TAG, scopes: ['operator'] },
  summary: 'Decide a dispute, or take a chargeback back that turned out wrong',
  ...{ idempotency: 'required', secondPerson: true },
  params: z.strictObject({ id: idIn('dsp') }),
  body: z.strictObject({
    outcome: z.enum(['won', 'lost', 'reversed']).describe('won: the money is the merchant’s again'),
    note: text(140),
  }),
  answers: { 200: DisputeOut },
  refusals: ['not_found', 'dispute_decided', ...BOOKS],
  check: async ({ db }, { params }) => {
    if ((await findDispute(db, params.id)) === undefined) throw new ServiceError('not_found')
  },
  handle: async (context, { caller, params: { id }, body: { outcome, note }, claim }) => {
    const dispute = await visible(context, id, caller)
    const said = { event: OUTCOMES[outcome], by: caller.subject, note }
    return decideDispute(context, dispute, said, claimed(claim))
  },
})

export const disputeEndpoints = [
  addTerms,
  readTerms,
  openEndpoint,
  ...readEndpoints,
  ...merchantEndpoints,
  resolveEndpoint,
]
