/** What was true when a request began, and no longer is when it would do something. */
import { request as open } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { expectProblem, quiet } from './support/abuse.ts'

import { type Answer, call, newKey, newSubject, tokenOf, type Who } from './support/api.ts'
import { merchant, payment, person } from './support/people.ts'
import { paymentOf, phone } from './support/phones.ts'
import { world } from './support/world.ts'

interface Slow {
  readonly authorization: string
  readonly path: string
  readonly body: object
  readonly key?: string
}

/** Sends the headers, does `meanwhile`, and only then sends the body. */
async function slowly(
  { authorization, path, body, key = newKey() }: Slow,
  meanwhile: () => Promise<unknown>,
): Promise<Answer> {
  const { apiUrl } = await world()
  const text = JSON.stringify(body)
  const headers = {
    ...{ authorization, 'idempotency-key': key, 'content-type': 'application/json' },
    'content-length': Buffer.byteLength(text),
  }
  const request = open(`${apiUrl}${path}`, { method: 'POST', headers })
  request.flushHeaders()
  const answered = new Promise<Answer>((resolve, reject) => {
    request.once('error', reject)
    request.once('response', (response) => {
      void (async () => {
        const got = (await response.toArray()).join('')
        const type = response.headers['content-type'] ?? ''
        const headers = new Headers({ 'content-type': type })
        const answer = { status: response.statusCode ?? 0, headers, text: got }
        resolve({ ...answer, body: JSON.parse(got) })
      })()
    })
  })
  await pause(200)
  await meanwhile()
  request.end(text)
  return answered
}

const bearer = async (who: Who) => `Bearer ${await tokenOf(who)}`

describe('a request whose body comes late', () => {
  before(quiet)

  it('pays nothing with a token that was revoked meanwhile', async () => {
    const [ada, ben] = await Promise.all([person(1_000n), person()])
    const sent = {
      authorization: await bearer(ada),
      path: '/v1/payments',
      body: payment(ben, '10'),
    }
    const end = () => call(ada, 'POST', '/v1/sessions/revoke', { body: { keep_this: false } })
    expectProblem(await slowly(sent, end), 401, 'invalid_token')
  })

  it('pays nothing by a device that was taken away meanwhile', async () => {
    const [ada, ben] = await Promise.all([person(100_000n), person()])
    const stolen = await phone(ada)
    const [key, path] = [newKey(), '/v1/payments']
    const approval = await stolen.agree(paymentOf(ben, '20000'), key)
    const body = payment(ben, '20000', { approval })
    const end = () => call(ada, 'DELETE', `/v1/devices/${stolen.id}`)
    const answer = await slowly({ authorization: await bearer(ada), path, body, key }, end)
    expectProblem(answer, 401, 'approval_refused')
  })

  it('does nothing for a merchant whose staff, or key, was removed meanwhile', async () => {
    const shop = await merchant()
    const till = { sub: newSubject('m'), scope: 'merchant' }
    const added = await call(shop, 'POST', '/v1/staff', { body: { subject: till.sub } })
    const made = await call(shop, 'POST', '/v1/api_keys', {
      body: { name: 'Till', scopes: ['merchant'] },
    })
    const [path, order] = ['/v1/orders', { description: 'A thing', amount: '100', currency: 'EUR' }]
    const body = () => ({ ...order, reference: newSubject('r') })
    const byStaff = await slowly({ authorization: await bearer(till), path, body: body() }, () =>
      call(shop, 'DELETE', `/v1/staff/${added.body.id}`),
    )
    expectProblem(byStaff, 403, 'forbidden')
    const byKey = await slowly(
      { authorization: `Bearer ${made.body.key}`, path, body: body() },
      () => call(shop, 'DELETE', `/v1/api_keys/${made.body.id}`),
    )
    expectProblem(byKey, 401, 'invalid_token')
  })
})
