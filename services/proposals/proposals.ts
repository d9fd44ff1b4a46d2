/**
 * Maker and checker: what one operator asks for is written down, and done when another agrees.
 * A proposal is decided once, by compare-and-set; that the two are not one is a constraint.
 */
import type { Knex } from 'knex'
import { answerOnce, type Claim, newId, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import type { CallerOf, Sent } from '../http/endpoint.ts'
import { publicId } from '../ids.ts'
import { subjectIn } from '../credentials/issuers.ts'
import { recordSecurity } from '../security/log.ts'

export type Operator = CallerOf<'operator'>

export const PROPOSAL_STATES = ['pending', 'approved', 'refused', 'expired', 'failed'] as const
export type ProposalState = (typeof PROPOSAL_STATES)[number]

/** What the action answered when it was carried out. */
export interface Result {
  readonly status: number
  readonly body: unknown
}

export interface Proposal extends Sent {
  readonly id: Uuid
  /** `POST /v1/ledger/bulk` */
  readonly action: string
  readonly summary: string
  readonly proposed_issuer: string
  readonly proposed_by: string
  readonly proposed_at: Date
  readonly expires_at: Date
  readonly state: Exclude<ProposalState, 'expired'>
  readonly decided_issuer: string | null
  readonly decided_by: string | null
  readonly decided_at: Date | null
  readonly reason: string | null
  readonly running_until: Date | null
  readonly result: Result | null
}

const HOUR_MS = 3_600_000

export interface NewProposal {
  readonly action: string
  readonly summary: string
  readonly sent: Sent
  readonly proposer: Operator
  readonly claim: Claim
}

/**
 * Writes it down, once for its claim; the answer is the proposal as the API shows it.
 * @throws {ServiceError} `too_many_proposals` when too many wait.
 */
export async function propose(context: Context, asked: NewProposal): Promise<Outcome> {
  const { config, db, now } = context
  const proposed_at = now()
  const { action, summary, sent, proposer } = asked
  const row = {
    ...{ id: newId(), action, summary, params: sent.params, query: sent.query },
    ...{ body: sent.body ?? null, proposed_at },
    ...{ proposed_issuer: proposer.session.issuer, proposed_by: proposer.subject },
    expires_at: new Date(proposed_at.getTime() + config.PROPOSAL_HOURS * HOUR_MS),
  }
  return answerOnce(db, asked.claim, async (trx) => {
    await refuseTooMany(trx, proposed_at, config.PROPOSALS_PENDING_MAX)
    const [params, query, body] = [row.params, row.query, row.body].map(asJson)
    await trx('proposals').insert({ ...row, params, query, body })
    await recordSecurity({ ...context, db: trx }, entryOf('proposal_made', row, proposer))
    return JSON.stringify(proposalOut({ ...row, ...UNDECIDED }, proposed_at))
  })
}

const UNDECIDED = {
  state: 'pending' as const,
  ...{ decided_issuer: null, decided_by: null, decided_at: null },
  ...{ reason: null, running_until: null, result: null },
}

const asJson = (value: unknown) => (value === null ? null : JSON.stringify(value))

async function refuseTooMany(trx: Knex.Transaction, now: Date, max: number): Promise<void> {
  const waiting = await trx('proposals')
    .where({ state: 'pending' })
    .where('expires_at', '>', now)
    .limit(max)
    .select('id')
  if (waiting.length >= max) throw new ServiceError('too_many_proposals')
}

/** For how long nobody else carries out what somebody has begun to. */
const RUNNING_MAX_MS = 60_000

/** And until when somebody may: what was done is found again only while its claim is kept. */
const RESUMED_MAX_MS = 168 * HOUR_MS

/**
 * Gives the proposal to whoever may carry it out now: the operator who agrees first, or, when
 * nothing came of that because a process ended, whoever agrees next.
 * @returns undefined when it was carried out before.
 * @throws {ServiceError} `second_person_required`, `proposal_expired`, or `proposal_decided`.
 */
export async function approve(
  context: Context,
  proposal: Proposal,
  approver: Operator,
): Promise<Proposal | undefined> {
  if (isSame(proposal, approver)) throw new ServiceError('second_person_required')
  const { db, now } = context
  const at = now()
  const running = { running_until: new Date(at.getTime() + RUNNING_MAX_MS) }
  return db.transaction(async (trx) => {
    const [approved] = await trx<Proposal>('proposals')
      .where({ id: proposal.id, state: 'pending' })
      .where('expires_at', '>', at)
      .update({ ...running, ...decision('approved', approver, at) })
      .returning('*')
    if (approved !== undefined) {
      await recordSecurity(
        { ...context, db: trx },
        entryOf('proposal_approved', proposal, approver),
      )
      return approved
    }
    const [left] = await trx<Proposal>('proposals')
      .where({ id: proposal.id, state: 'approved' })
      .whereNull('result')
      .where('running_until', '<=', at)
      .where('decided_at', '>', new Date(at.getTime() - RESUMED_MAX_MS))
      .update(running)
      .returning('*')
    return left ?? refuseDecided(trx, proposal.id, approver, at)
  })
}

/** Whoever asks for what they have done already is answered as before. */
async function refuseDecided(db: Knex, id: Uuid, approver: Operator, at: Date): Promise<undefined> {
  const known = await findProposal(db, id)
  if (known === undefined) throw new ServiceError('not_found')
  if (stateOf(known, at) === 'expired') throw new ServiceError('proposal_expired')
  const isOwn = known.decided_by === approver.subject && known.result !== null
  if (!isOwn || known.decided_issuer !== approver.session.issuer) {
    throw new ServiceError('proposal_decided')
  }
  return undefined
}

/** @throws {ServiceError} `proposal_expired`, or `proposal_decided`. */
export async function refuse(
  context: Context,
  proposal: Proposal,
  refuser: Operator,
  reason: string,
): Promise<Proposal> {
  const { db, now } = context
  const at = now()
  return db.transaction(async (trx) => {
    const [refused] = await trx<Proposal>('proposals')
      .where({ id: proposal.id, state: 'pending' })
      .where('expires_at', '>', at)
      .update({ reason, ...decision('refused', refuser, at) })
      .returning('*')
    if (refused === undefined) {
      const isLate = stateOf(proposal, at) === 'expired'
      throw new ServiceError(isLate ? 'proposal_expired' : 'proposal_decided')
    }
    await recordSecurity({ ...context, db: trx }, entryOf('proposal_refused', proposal, refuser))
    return refused
  })
}

/** Keeps what came of it, once; what was kept before stays. */
export async function conclude(
  context: Context,
  proposal: Proposal,
  approver: Operator,
  { result, isRefused }: { readonly result: Result; readonly isRefused: boolean },
): Promise<void> {
  await context.db.transaction(async (trx) => {
    const state = isRefused ? 'failed' : 'approved'
    const concluded = await trx('proposals')
      .where({ id: proposal.id, state: 'approved' })
      .whereNull('result')
      .update({ state, result: JSON.stringify(result), running_until: null })
    if (concluded === 0 || !isRefused) return
    await recordSecurity({ ...context, db: trx }, entryOf('proposal_failed', proposal, approver))
  })
}

/** Nothing came of it for now: whoever agrees next may carry it out. */
export async function letGo({ db, now }: Context, { id }: Proposal): Promise<void> {
  await db('proposals').where({ id }).whereNull('result').update({ running_until: now() })
}

const decision = (state: 'approved' | 'refused', by: Operator, at: Date) => ({
  ...{ state, decided_issuer: by.session.issuer, decided_by: by.subject, decided_at: at },
})

const isSame = ({ proposed_issuer, proposed_by }: Proposal, { session }: Operator) =>
  proposed_issuer === session.issuer && subjectIn(proposed_by) === session.subject

const entryOf = (
  kind: 'proposal_made' | 'proposal_approved' | 'proposal_refused' | 'proposal_failed',
  { id, action }: Pick<Proposal, 'id' | 'action'>,
  { subject }: Operator,
) => ({
  ...{ kind, actor: `operator ${subject}`, subject: publicId('prp', id) },
  detail: { action },
})

export async function findProposal(db: Knex, id: Uuid): Promise<Proposal | undefined> {
  return db<Proposal>('proposals').where({ id }).first()
}

export interface ProposalFilter {
  readonly state?: ProposalState | undefined
  readonly before?: Uuid | undefined
  readonly limit: number
}

/** Newest first, without what may be long: bodies and results. */
export async function findProposals(
  db: Knex,
  { state, before, limit }: ProposalFilter,
  now: Date,
): Promise<Omit<Proposal, 'params' | 'query' | 'body' | 'result'>[]> {
  const query = db('proposals').orderBy('id', 'desc').limit(limit)
  if (state !== undefined) query.where({ state: state === 'expired' ? 'pending' : state })
  if (state === 'expired') query.where('expires_at', '<=', now)
  if (state === 'pending') query.where('expires_at', '>', now)
  if (before !== undefined) query.where('id', '<', before)
  return query.select(
    ...['id', 'action', 'summary', 'proposed_by', 'proposed_at', 'expires_at', 'state'],
    ...['decided_by', 'decided_at', 'reason'],
  )
}

type Shown = Pick<
  Proposal,
  | ('id' | 'action' | 'summary' | 'proposed_by' | 'proposed_at' | 'expires_at' | 'state')
  | ('decided_by' | 'decided_at' | 'reason')
>

const stateOf = ({ state, expires_at }: Pick<Proposal, 'state' | 'expires_at'>, now: Date) =>
  state === 'pending' && expires_at <= now ? 'expired' : state

/** A proposal in a list. */
export const proposalLine = (proposal: Shown, now: Date) => ({
  id: publicId('prp', proposal.id),
  action: proposal.action,
  summary: proposal.summary,
  proposed_by: proposal.proposed_by,
  proposed_at: proposal.proposed_at.toISOString(),
  expires_at: proposal.expires_at.toISOString(),
  state: stateOf(proposal, now),
  decided_by: proposal.decided_by,
  decided_at: proposal.decided_at?.toISOString() ?? null,
  reason: proposal.reason,
})

export const proposalOut = (
  proposal: Shown & Pick<Proposal, 'params' | 'query' | 'body' | 'result'>,
  now: Date,
) => ({
  ...proposalLine(proposal, now),
  params: proposal.params,
  query: proposal.query,
  body: proposal.body,
  result: proposal.result,
})
