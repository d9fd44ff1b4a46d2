/** Keys of the chat app: two agree, and one of them fetches the secret, once. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, send, statusesOf, times } from './support/abuse.ts'
import { call, type Who } from './support/api.ts'
import { merchant, OPERATOR, SECOND_OPERATOR } from './support/people.ts'
import { approve, together } from './support/proposals.ts'
import { world } from './support/world.ts'

const CHAT = { name: 'Chat', scopes: ['chat'] }

/** Agreed on by two; then the one who proposed it fetches the secret. */
async function chatKey(scopes: readonly string[]) {
  const made = await together('/v1/chat_keys', { body: { name: 'Chat', scopes } })
  return { made, secret: await fetchSecret(OPERATOR, made.body.id) }
}
const fetchSecret = (who: Who, id: string) => call(who, 'POST', `/v1/chat_keys/${id}/secret`)
const withKey = (key: string, method: string, path: string) =>
  send(undefined, method, path, { headers: { authorization: `Bearer ${key}` } })

describe('a key of the chat app’s servers', () => {
  it('comes from two operators, and opens what it may', async () => {
    const { made, secret } = await chatKey(['chat:read'])
    expect(made.body).to.include({ merchant: null, created_by: OPERATOR.sub })
    expect((await withKey(secret.body.key, 'GET', '/v1/events')).status).to.equal(200)
    const path = `/v1/people/${publicId('per', newId())}/sessions/revoke`
    expectProblem(await withKey(secret.body.key, 'POST', path), 403, 'forbidden')
  })

  it('has a secret that is told once, to its proposer, and is in nothing kept', async () => {
    const { owner } = await world()
    const proposed = await call(OPERATOR, 'POST', '/v1/chat_keys', { body: CHAT })
    expect(proposed.status, proposed.text).to.equal(202)
    const { body } = await approve(proposed.body.id)
    const { id } = body.result.body
    expectProblem(await fetchSecret(SECOND_OPERATOR, id), 404, 'not_found')
    const told = await fetchSecret(OPERATOR, id)
    expect((await withKey(told.body.key, 'GET', '/v1/events')).status).to.equal(200)
    expectProblem(await fetchSecret(OPERATOR, id), 404, 'not_found')
    const { rows } = await owner.raw(
      `SELECT proposals::text AS text FROM proposals UNION ALL SELECT claims::text FROM claims
        UNION ALL SELECT api_keys::text FROM api_keys`,
    )
    for (const { text } of rows) expect(text).not.to.contain(told.body.key.slice(-43))
  })

  it('tells it to one, however many fetch it at once', async () => {
    const made = await together('/v1/chat_keys', { body: CHAT })
    const answers = await Promise.all(times(5, () => fetchSecret(OPERATOR, made.body.id)))
    expect(statusesOf(answers)).to.deep.equal([200, 404, 404, 404, 404])
  })

  it('has a new one only when two agree, and that it may be fetched has an end', async () => {
    const { owner } = await world()
    const { made, secret } = await chatKey(['chat'])
    const path = `/v1/chat_keys/${made.body.id}`
    expectProblem(await fetchSecret(OPERATOR, made.body.id), 404, 'not_found')
    expect((await call(OPERATOR, 'POST', `${path}/rotate`)).status).to.equal(202)
    expectProblem(await fetchSecret(OPERATOR, made.body.id), 404, 'not_found')
    expect((await together(`${path}/rotate`, {})).status).to.equal(200)
    const again = await fetchSecret(OPERATOR, made.body.id)
    for (const { body } of [secret, again]) {
      expect((await withKey(body.key, 'GET', '/v1/events')).status).to.equal(200)
    }
    await together(`${path}/rotate`, {})
    await owner('api_keys')
      .where({ id: uuidOf(made.body.id) })
      .update({ secret_until: new Date() })
    expectProblem(await fetchSecret(OPERATOR, made.body.id), 404, 'not_found')
  })

  it('is none of a merchant’s', async () => {
    const made = await call(await merchant(), 'POST', '/v1/api_keys', {
      body: { name: 'Till', scopes: ['merchant'] },
    })
    const path = `/v1/chat_keys/${made.body.id}`
    expectProblem(await call(OPERATOR, 'POST', `${path}/rotate`), 404, 'not_found')
    expectProblem(await call(OPERATOR, 'POST', `${path}/secret`), 404, 'not_found')
  })
})
