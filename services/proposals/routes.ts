/** Proposals over HTTP: what waits for a second operator, and what became of it. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { type AnyEndpoint, endpoint } from '../http/endpoint.ts'
import { listOf, page, pageQuery, text } from '../http/schemas.ts'
import { idIn } from '../ids.ts'
import { showPeople } from '../privacy/shown.ts'
import { approveAndCarryOut } from './carry_out.ts'
import {
  findProposal,
  findProposals,
  PROPOSAL_STATES,
  proposalLine,
  proposalOut,
  refuse,
} from './proposals.ts'
import { ProposalLine, ProposalOut } from './schemas.ts'

const params = z.strictObject({ id: idIn('prp') })

const DECIDED = ['not_found', 'proposal_decided', 'proposal_expired'] as const

/** @param endpoints what may have been proposed. */
export const proposalEndpoints = (endpoints: readonly AnyEndpoint[]) => [
  ...readEndpoints,
  endpoint({
    ...{ method: 'POST', path: '/v1/proposals/:id/approve', tag: 'Operators' },
    ...{ scopes: ['operator'], right: 'approve' },
    summary: 'Agree to a proposal of another operator; it is carried out at once',
    shown: showPeople,
    params,
    answers: { 200: ProposalOut },
    refusals: [...DECIDED, 'second_person_required'],
    handle: async (context, { caller, params: { id } }) => {
      const done = await approveAndCarryOut(context, endpoints, id, caller)
      return { status: 200, body: proposalOut(done, context.now()) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/proposals/:id/refuse', tag: 'Operators' },
    ...{ scopes: ['operator'], right: 'approve' },
    summary: 'Refuse a proposal, or take one’s own back',
    params,
    body: z.strictObject({ reason: text(140) }),
    answers: { 200: ProposalOut },
    refusals: DECIDED,
    handle: async (context, { caller, params: { id }, body: { reason } }) => {
      const proposal = await findProposal(context.db, id)
      if (proposal === undefined) throw new ServiceError('not_found')
      const refused = await refuse(context, proposal, caller, reason)
      return { status: 200, body: proposalOut(refused, context.now()) }
    },
  }),
]

const readEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/proposals', summary: 'What was proposed, newest first' },
    ...{ tag: 'Operators', scopes: ['operator'] },
    query: pageQuery('prp').extend({ state: z.enum(PROPOSAL_STATES).optional() }),
    answers: { 200: listOf(ProposalLine) },
    refusals: [],
    handle: async ({ db, now }, { query: { limit, cursor, state } }) => {
      const found = await findProposals(db, { state, before: cursor, limit }, now())
      const lines = found.map((proposal) => proposalLine(proposal, now()))
      return { status: 200, body: page(lines, limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/proposals/:id', tag: 'Operators', scopes: ['operator'] },
    summary: 'A proposal: exactly what would be done, by whom, and what came of it',
    shown: showPeople,
    params,
    answers: { 200: ProposalOut },
    refusals: ['not_found'],
    handle: async ({ db, now }, { params: { id } }) => {
      const proposal = await findProposal(db, id)
      if (proposal === undefined) throw new ServiceError('not_found')
      return { status: 200, body: proposalOut(proposal, now()) }
    },
  }),
]
