/** Doing what two operators agree on, once. */
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type AnyEndpoint, type Reply, type Streamed, storedStatus } from '../http/endpoint.ts'
import { claimOfRequest } from '../http/idempotency.ts'
import { parse, parseParams } from '../http/parse.ts'
import { isFinal, problemOf, problemOfError } from '../http/problems.ts'
import { publicId } from '../ids.ts'
import type { Right } from '../identity/scopes.ts'
import {
  approve,
  conclude,
  findProposal,
  letGo,
  type Operator,
  type Proposal,
  type Result,
} from './proposals.ts'

interface Carried {
  readonly result: Result
  readonly isRefused: boolean
}

/**
 * Approves the proposal and does what it proposes, as its proposer, under a claim of its own: when
 * a process ends in between, the next approval finds what was done and does not do it again.
 * @returns the proposal with what came of it: a refusal of the action is an answer of the action.
 */
export async function approveAndCarryOut(
  context: Context,
  endpoints: readonly AnyEndpoint[],
  id: Uuid,
  approver: Operator,
): Promise<Proposal> {
  const { db } = context
  const proposal = await findProposal(db, id)
  if (proposal === undefined) throw new ServiceError('not_found')
  const endpoint = endpoints.find(({ method, path }) => `${method} ${path}` === proposal.action)
  if (endpoint === undefined) throw new Error(`no endpoint does ${proposal.action}`)
  const approved = await approve(context, proposal, approver)
  if (approved !== undefined) {
    const carried = await carryOut(context, endpoint, approved, approver)
    await conclude(context, approved, approver, carried)
  }
  const concluded = await findProposal(db, id)
  if (concluded === undefined) throw new Error(`proposal ${id} is not there`)
  return concluded
}

async function carryOut(
  context: Context,
  endpoint: AnyEndpoint,
  proposal: Proposal,
  approver: Operator,
): Promise<Carried> {
  try {
    const request = requestOf(context, endpoint, proposal, approver)
    return resultOf(endpoint, await endpoint.handle(context, request))
  } catch (error) {
    const problem = problemOfError(error)
    if (problem !== undefined && isFinal(problem)) return refusedBy(problem)
    await letGo(context, proposal)
    throw error
  }
}

/** What was sent, parsed again: what has become invalid since is refused. */
function requestOf(
  context: Context,
  endpoint: AnyEndpoint,
  proposal: Proposal,
  approver: Operator,
) {
  const { action, proposed_issuer: issuer, proposed_by: subject } = proposal
  const { params, query, body } = proposal
  const idempotencyKey = publicId('prp', proposal.id)
  const session = { issuer, subject, jti: idempotencyKey }
  const rights: ReadonlySet<Right> = new Set(['read', 'write'])
  return {
    caller: { scope: 'operator' as const, subject, session, rights, approvedBy: approver.subject },
    params: parseParams(endpoint.params, params),
    query: parse(endpoint.query, query),
    body: parse(endpoint.body, body),
    ...{ sent: { params, query, body }, idempotencyKey, address: context.origin?.address ?? '' },
    claim: claimOfRequest('proposal', action, idempotencyKey, { params, body }),
  }
}

function resultOf(endpoint: AnyEndpoint, reply: Reply | Streamed): Carried {
  if ('stream' in reply) throw new Error(`${endpoint.path} cannot be proposed: it streams`)
  if (!('answer' in reply)) {
    return { result: { status: reply.status, body: reply.body ?? null }, isRefused: false }
  }
  const body = JSON.parse(reply.answer)
  if (body.refused !== undefined) return refusedBy(problemOf(body.refused))
  return { result: { status: storedStatus(endpoint, body), body }, isRefused: false }
}

const refusedBy = ({ status, body }: { readonly status: number; readonly body: string }) => ({
  ...{ result: { status, body: JSON.parse(body) as unknown }, isRefused: true },
})
