/** Lets the calls that need a second person be proposed instead of done. */
import { ServiceError } from '../errors.ts'
import { type AnyEndpoint, type Caller, type StoredBody, storedStatus } from '../http/endpoint.ts'
import { ProposalOut } from './schemas.ts'
import { propose } from './proposals.ts'

/** @returns the endpoint itself where nobody else has to agree. */
export function overseen(endpoint: AnyEndpoint): AnyEndpoint {
  const { secondPerson = false, answers, refusals, handle } = endpoint
  if (secondPerson === false) return endpoint
  const isProposal = ({ id }: StoredBody) => id?.startsWith('prp_') === true
  const isNeeded = (caller: Caller) => secondPerson === true || secondPerson(caller)
  return {
    ...endpoint,
    answers: { ...answers, 202: ProposalOut },
    refusals: [...refusals, 'too_many_proposals'],
    statusOf: (body) => (isProposal(body) ? 202 : storedStatus(endpoint, body)),
    async handle(context, request) {
      const { caller, claim, sent } = request
      if (!isNeeded(caller)) return handle(context, request)
      if (caller.scope !== 'operator') throw new ServiceError('forbidden')
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      await endpoint.check?.(context, request)
      const { method, path, summary } = endpoint
      const action = `${method} ${path}`
      return propose(context, { action, summary, sent, proposer: caller, claim })
    },
  }
}
