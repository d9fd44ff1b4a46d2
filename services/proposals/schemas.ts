/** A proposal as the API shows it. */
import { z } from 'zod'
import { Timestamp } from '../http/schemas.ts'
import { idOut } from '../ids.ts'
import { PROPOSAL_STATES } from './proposals.ts'

export const ProposalLine = z.strictObject({
  id: idOut('prp'),
  action: z.string().describe('The method and path of the call that was made'),
  summary: z.string(),
  proposed_by: z.string(),
  proposed_at: Timestamp,
  expires_at: Timestamp,
  state: z
    .enum(PROPOSAL_STATES)
    .describe('approved: agreed to, and done as soon as there is a result; failed: refused by us'),
  decided_by: z.string().nullable(),
  decided_at: Timestamp.nullable(),
  reason: z.string().nullable().describe('Of a refusal'),
})

export const ProposalOut = ProposalLine.extend({
  params: z.unknown(),
  query: z.unknown(),
  body: z.unknown().describe('What was sent, and nothing else, will be done'),
  result: z
    .strictObject({ status: z.int(), body: z.unknown() })
    .nullable()
    .describe('The answer of the call itself; a problem where it was refused'),
}).meta({ id: 'Proposal' })
