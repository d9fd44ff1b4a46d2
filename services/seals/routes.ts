/** What anybody may keep of the books, and check: receipts, checkpoints, keys. */
import { z } from 'zod'
import { consistencyProof, findCheckpoints } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { endpoint, type PublicEndpoint } from '../http/endpoint.ts'
import { PAGE_MAX, Timestamp } from '../http/schemas.ts'
import { idIn } from '../ids.ts'
import { Evidence } from './evidence.ts'
import { checkpointOut, issueReceipt } from './issue.ts'
import { issueEvidence } from './issue_evidence.ts'
import { Head, Receipt } from './receipt.ts'

const CheckpointOut = Head.extend({
  sealed_at: Timestamp,
  signature: z.string().nullable().describe('Compact JWS (EdDSA) of what is above'),
}).meta({ id: 'Checkpoint' })

const ConsistencyOut = z
  .strictObject({
    from: CheckpointOut,
    to: CheckpointOut,
    proof: z.array(z.string()).describe('RFC 6962, section 2.1.2, in hex'),
  })
  .meta({ id: 'Consistency' })

const SealNumber = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/)
  .transform(Number)

const SCOPES = ['person', 'merchant', 'operator', 'chat'] as const

export const sealEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/payments/:id/receipt', tag: 'Payments' },
    summary: 'A receipt that proves, offline and for ever, that the payment is in the books',
    scopes: ['person', 'merchant'],
    params: z.strictObject({ id: idIn('pay') }),
    answers: { 200: Receipt },
    refusals: ['not_found', 'not_sealed_yet'],
    handle: async (context, { caller, params }) => {
      const party = caller.scope === 'person' ? caller.person.id : caller.merchant
      return { status: 200, body: await issueReceipt(context, params.id, party) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/payments/:id/evidence', tag: 'Payments' },
    summary: 'What the payer agreed to, and the proof that they did, for the payer alone',
    scopes: ['person', 'operator'],
    params: z.strictObject({ id: idIn('pay') }),
    answers: { 200: Evidence },
    refusals: ['not_found', 'not_sealed_yet'],
    handle: async (context, { caller, params }) => {
      const payer = caller.scope === 'person' ? caller.person.id : undefined
      return { status: 200, body: await issueEvidence(context, params.id, payer) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/ledger/checkpoints', tag: 'Books', scopes: SCOPES },
    summary: 'What the books were sealed as, newest first',
    query: z.strictObject({
      limit: z
        .string()
        .regex(/^[1-9][0-9]{0,2}$/)
        .default('20')
        .transform((digits) => Math.min(Number(digits), PAGE_MAX)),
      cursor: SealNumber.optional(),
    }),
    answers: {
      200: z.strictObject({ data: z.array(CheckpointOut), next_cursor: z.string().nullable() }),
    },
    refusals: [],
    handle: async ({ db, config }, { query: { limit, cursor } }) => {
      const query = { before: cursor, order: 'desc', limit } as const
      const found = await findCheckpoints(db, config.SEAL_ORIGIN, query)
      const last = found.at(-1)?.head.number
      const next_cursor = found.length < limit ? null : (last?.toString() ?? null)
      return { status: 200, body: { data: found.map(checkpointOut), next_cursor } }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/ledger/checkpoints/:number/consistency' },
    ...{ tag: 'Books', scopes: SCOPES },
    summary: 'Proves that an earlier checkpoint is the beginning of this one',
    params: z.strictObject({ number: SealNumber }),
    query: z.strictObject({ from: SealNumber }),
    answers: { 200: ConsistencyOut },
    refusals: ['not_found'],
    handle: async (context, { params, query }) => {
      const [from, to] = await Promise.all([
        checkpointAt(context, query.from),
        checkpointAt(context, params.number),
      ])
      if (from.head.number > to.head.number) throw new ServiceError('not_found')
      const proof = await consistencyProof(context.db, from.head.size, to.head.size)
      return { status: 200, body: { from: checkpointOut(from), to: checkpointOut(to), proof } }
    },
  }),
]

/** A checkpoint of no transfers proves nothing, and counts as none. */
async function checkpointAt({ db, config }: Context, number: number) {
  const query = { from: number, order: 'asc', limit: 1 } as const
  const [found] = await findCheckpoints(db, config.SEAL_ORIGIN, query)
  if (found?.head.number !== number || found.head.size === 0) throw new ServiceError('not_found')
  return found
}

export const keysEndpoint: PublicEndpoint = {
  ...{ method: 'GET', path: '/.well-known/jwks.json', tag: 'Books' },
  summary: 'The public keys that we sign with (sig), and that PINs are encrypted to (enc)',
  why: 'whoever verifies a receipt or encrypts a PIN need not be known to us',
  answers: { 200: null },
  refusals: [],
  handle: async ({ sealKeys, pinKeys }) => {
    const [sealing, pins] = await Promise.all([sealKeys.published(), pinKeys.published()])
    return { status: 200, body: { keys: [...sealing.keys, ...pins] } }
  },
}
