/** Doing what two operators agree on, once. */
import { answerOnce, type Claim, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type AnyEndpoint, storedStatus } from '../http/endpoint.ts'
import { claimOfRequest } from '../http/idempotency.ts'
import { parse, parseParams } from '../http/parse.ts'
import { isFinal, problemOf, problemOfError } from '../http/problems.ts'
import { publicId } from '../ids.ts'
import { subjectIn } from '../credentials/issuers.ts'
import type { Right } from '../credentials/scopes.ts'
import { subjectKey } from '../credentials/subjects.ts'
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

/**
 * What came of it is what stands under its claim, and nothing else: whoever comes later, or too
 * late, reads the same. So a refusal is stored there too, unless something stands there already.
 */
async function carryOut(
  context: Context,
  endpoint: AnyEndpoint,
  proposal: Proposal,
  approver: Operator,
): Promise<Carried> {
  const claim = claimOf(proposal)
  try {
    const stored = await context.group.recall(claim)
    if (stored !== undefined) return resultOf(endpoint, stored.answer)
    await refuseRevoked(context, proposal)
    const request = requestOf(context, endpoint, proposal, approver)
    const reply = await endpoint.handle(asProposer(context, proposal, approver), request)
    if ('answer' in reply) return resultOf(endpoint, reply.answer)
  } catch (error) {
    const problem = problemOfError(error)
    if (problem !== undefined && isFinal(problem)) {
      const refusal = async () => JSON.stringify({ refused: problem.code })
      return resultOf(endpoint, (await answerOnce(context.db, claim, refusal)).answer)
    }
    await letGo(context, proposal)
    throw error
  }
  throw new Error(`${proposal.action} cannot be proposed: it does not answer its claim`)
}

/** Under which it is done, whoever carries it out. */
const claimOf = ({ id, action, params, body }: Proposal): Claim =>
  claimOfRequest('proposal', action, publicId('prp', id), { params, body })

/**
 * Whoever lost their sessions since, or the role, may not have meant it: nothing they proposed
 * before is done any more.
 */
async function refuseRevoked({ subjects, config }: Context, proposal: Proposal): Promise<void> {
  const { proposed_issuer: issuer, proposed_by, proposed_at } = proposal
  const trusted = config.TOKEN_ISSUERS.find((one) => one.issuer === issuer)
  const subject = await subjects(subjectKey({ issuer, subject: subjectIn(proposed_by) }))
  const before = subject?.revokedBefore ?? null
  const isRevoked = before !== null && proposed_at <= before
  if (isRevoked || trusted?.scopes.includes('operator') !== true) {
    throw new ServiceError('proposer_revoked')
  }
}

/** What is done is the proposer's doing, and the other's who agreed. */
function asProposer(context: Context, { proposed_by }: Proposal, { subject }: Operator): Context {
  const { origin } = context
  if (origin === undefined) return context
  const actor = `operator ${proposed_by}`
  return { ...context, origin: { ...origin, actor, approvedBy: subject } }
}

/** What was sent, parsed again: what has become invalid since is refused. */
function requestOf(
  context: Context,
  endpoint: AnyEndpoint,
  proposal: Proposal,
  approver: Operator,
) {
  const { proposed_issuer: issuer, proposed_by: subject } = proposal
  const { params, query, body } = proposal
  const idempotencyKey = publicId('prp', proposal.id)
  const session = { issuer, subject: subjectIn(subject), jti: idempotencyKey }
  const rights: ReadonlySet<Right> = new Set(['read', 'write'])
  return {
    caller: { scope: 'operator' as const, subject, session, rights, approvedBy: approver.subject },
    params: parseParams(endpoint.params, params),
    query: parse(endpoint.query, query),
    body: parse(endpoint.body, body),
    ...{ sent: { params, query, body }, idempotencyKey, address: context.origin?.address ?? '' },
    claim: claimOf(proposal),
  }
}

/** @param answer as it stands under the claim. */
function resultOf(endpoint: AnyEndpoint, answer: string): Carried {
  const body = JSON.parse(answer)
  if (body.refused === undefined) {
    return { result: { status: storedStatus(endpoint, body), body }, isRefused: false }
  }
  const problem = problemOf(body.refused)
  return { result: { status: problem.status, body: JSON.parse(problem.body) }, isRefused: true }
}
