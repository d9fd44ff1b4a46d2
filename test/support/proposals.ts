/** What needs two operators, done by both: proposed by one and approved by another. */
import { type Answer, type Call, call, expectDocumented, type Who } from './api.ts'
import { until } from './abuse.ts'
import { OPERATOR, SECOND_OPERATOR } from './people.ts'

/**
 * Proposes the call and approves it. The answer is the one of the call itself, once it is carried
 * out; or why it could not be proposed.
 */
export async function together(path: string, asked: Call, who: Who = OPERATOR): Promise<Answer> {
  const proposed = await call(who, 'POST', path, asked)
  if (proposed.status !== 202) return proposed
  return carriedOut(path, await approved(proposed.body.id))
}

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
async function carriedOut(path: string, done: Answer): Promise<Answer> {
  if (done.status !== 200 || done.body.result === null) {
    throw new Error(`not carried out: ${done.text}`)
  }
  const { status, body } = done.body.result
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  const headers = new Headers(done.headers)
  headers.set('content-type', type)
  const answer = { status, headers, text: JSON.stringify(body), body }
  await expectDocumented('POST', path, answer)
  return answer
}
