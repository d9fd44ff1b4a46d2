/** The operators' desk: instructions, their history, and what two operators decide about them. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import {
  CurrencyCode,
  listOf,
  page,
  pageQuery,
  text,
  TEXT_LENGTH_MAX,
  Timestamp,
} from '../http/schemas.ts'
import { idIn, idOut, publicId } from '../ids.ts'
import { decide, findHistory, findInstructions, refuseUndecidable, reopen } from './desk.ts'
import { findInstruction, type Instruction, instructionOut } from './instructions.ts'
import { NEXT, type State } from './machine.ts'

const TAG = 'Operators'

const StateName = z.enum(Object.keys(NEXT) as [State, ...State[]])
const BankName = z.string().regex(/^[a-z][a-z0-9_]{1,31}$/)
const Word = z.enum(['settled', 'rejected', 'returned'])

const OUT = {
  id: idOut('ins'),
  reference: z.string().describe('What the bank knows it by, for ever'),
  bank: BankName,
  direction: z.enum(['debit', 'credit']),
  rail: z.string(),
  purpose: z.string(),
  amount: z.string(),
  currency: CurrencyCode,
  state: StateName,
  reason: z.string().nullable(),
}

const InstructionOut = z.strictObject(OUT).meta({ id: 'Instruction' })

const InstructionFull = z
  .strictObject({
    ...OUT,
    submissions: z.int(),
    enquiries: z.int(),
    sent_at: Timestamp.nullable(),
    next_at: Timestamp.describe('When a worker looks at it again, if it is open'),
    created_at: Timestamp,
    account: idOut('acc').describe('Whose money it is, in the books'),
    transfer: idOut('trf').describe('The hold, or the movement to transit'),
    bank_account: idOut('bac'),
    steps: z.array(
      z.strictObject({
        at: Timestamp,
        event: z.string(),
        from: StateName,
        to: StateName,
        detail: z.string().nullable(),
        by: z.string().nullable(),
      }),
    ),
    words: z
      .array(
        z.strictObject({
          event_id: z.string(),
          source: z.string(),
          outcome: z.string(),
          amount: z.string(),
          currency: CurrencyCode,
          reason: z.string().nullable(),
          occurred_at: Timestamp,
          received_at: Timestamp,
          disposition: z.string(),
          evidence: z.string().nullable(),
        }),
      )
      .describe('What the bank said, and what operators said in its place'),
  })
  .meta({ id: 'InstructionWithHistory' })

const fullOut = (instruction: Instruction) => ({
  ...instructionOut(instruction),
  ...{ submissions: instruction.submissions, enquiries: instruction.enquiries },
  sent_at: instruction.sentAt?.toISOString() ?? null,
  next_at: instruction.nextAt.toISOString(),
  created_at: instruction.createdAt.toISOString(),
  account: publicId('acc', instruction.owner),
  transfer: publicId('trf', instruction.transfer),
  bank_account: publicId('bac', instruction.bankAccount),
})

const decidersOf = (caller: { readonly subject: string; readonly approvedBy?: string }) => ({
  operator: caller.subject,
  approvedBy: caller.approvedBy,
})

const byId = { params: z.strictObject({ id: idIn('ins') }) }
const byTwo = { idempotency: 'required', secondPerson: true } as const

export const deskEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/instructions', tag: TAG, scopes: ['operator'] },
    summary: 'What banks were told, newest first; those in state manual wait for a person',
    query: pageQuery('ins').extend({ state: StateName.optional(), bank: BankName.optional() }),
    answers: { 200: listOf(InstructionOut) },
    refusals: [],
    handle: async ({ db }, { query: { state, bank, limit, cursor } }) => {
      const found = await findInstructions(db, { state, bank, before: cursor, limit })
      return { status: 200, body: page(found.map(instructionOut), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/instructions/:id', tag: TAG, scopes: ['operator'] },
    ...{ summary: 'An instruction with all that happened to it', ...byId },
    answers: { 200: InstructionFull },
    refusals: ['not_found'],
    handle: async ({ db }, { params: { id } }) => {
      const found = await findInstruction(db, { id })
      if (found === undefined) throw new ServiceError('not_found')
      return { status: 200, body: { ...fullOut(found), ...(await findHistory(db, found)) } }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/instructions/:id/resolve', tag: TAG, scopes: ['operator'] },
    summary: 'Say what the bank did, where it cannot; the money follows as if it had said so',
    ...{ ...byTwo, ...byId },
    body: z.strictObject({
      outcome: Word,
      evidence: text(TEXT_LENGTH_MAX).describe('What it rests on'),
      occurred_at: z.iso.datetime({ offset: true }).optional(),
    }),
    answers: { 200: InstructionOut },
    refusals: ['not_found', 'instruction_not_decidable'],
    check: (context, { params, body }) => refuseUndecidable(context, params.id, body.outcome),
    handle: (context, { caller, params, body, claim }) => {
      const { outcome, evidence, occurred_at: at } = body
      const decision = { outcome, evidence, occurredAt: at === undefined ? at : new Date(at) }
      return decide(context, params.id, decision, decidersOf(caller), claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/instructions/:id/reopen', tag: TAG, scopes: ['operator'] },
    summary: 'Let workers go on with an instruction that waits for a person',
    ...{ ...byTwo, ...byId },
    body: z.strictObject({ reason: text(TEXT_LENGTH_MAX) }),
    answers: { 200: InstructionOut },
    refusals: ['not_found', 'instruction_not_decidable'],
    check: (context, { params }) => refuseUndecidable(context, params.id, 'reopened'),
    handle: (context, { caller, params, body, claim }) =>
      reopen(context, params.id, body.reason, decidersOf(caller), claimed(claim)),
  }),
]
