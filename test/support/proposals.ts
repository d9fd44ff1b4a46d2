/** What needs two operators, done by both: proposed by one and approved by another. */
import { type Answer, type Call, call, expectDocumented, newKey, type Who } from './api.ts'
import { until } from './abuse.ts'
import { OPERATOR, SECOND_OPERATOR } from './people.ts'

interface Proposed extends Call {
  readonly method?: 'POST' | 'PUT'
}

/**
 * Proposes the call and approves it. The answer is the one of the call itself, once it is carried
 * out; or why it could not be proposed.
 */
export async function together(
  path: string,
  { method = 'POST', ...asked }: Proposed,
  who: Who = OPERATOR,
): Promise<Answer> {
  const proposed = await call(who, method, path, { key: newKey(), ...asked })
  if (proposed.status !== 202) return proposed
  return carriedOut(method, path, await approved(proposed.body.id))
}

/** Ends a limit, or a rule. */
export const endRule = (path: string, body: object = {}): Promise<Answer> =>
  together(`${path}/end`, { body: { reason: 'A test', ...body } })

/** Of a crowd that approves one proposal, all but one have to wait for what comes of it. */
async function approved(id: string): Promise<Answer> {
  const answer = await approve(id)
  if (answer.body.code !== 'proposal_decided') return answer
  const read = () => call(OPERATOR, 'GET', `/v1/proposals/${id}`)
  await until(async () => (await read()).body.result !== null)
  return read()
}

export const approve = (id: string, who: Who = SECOND_OPERATOR): Promise<Answer> =>
  call(who, 'POST', `/v1/proposals/${id}/approve`)

/** The answer of what was approved, held against what the document promises of it. */
async function carriedOut(method: string, path: string, done: Answer): Promise<Answer> {
  if (done.status !== 200 || done.body.result === null) {
    throw new Error(`not carried out: ${done.text}`)
  }
  const { status, body } = done.body.result
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  const headers = new Headers(done.headers)
  headers.set('content-type', type)
  const answer = { status, headers, text: JSON.stringify(body), body }
  await expectDocumented(method, path, answer)
  return answer
}

/** What the security log says of a proposal, newest first. */
export const logged = async (id: string) => {
  const { body } = await call(OPERATOR, 'GET', `/v1/security_log?subject=${id}`)
  return body.data.map(({ kind, actor }: { kind: string; actor: string }) => `${kind} ${actor}`)
}

/** The second operator, as the edge would know them. */
export const otto = {
  ...{ scope: 'operator' as const, subject: SECOND_OPERATOR.sub },
  session: { issuer: 'https://id.example', subject: SECOND_OPERATOR.sub, jti: 'test' },
  rights: new Set(['read', 'write', 'approve'] as const),
}
