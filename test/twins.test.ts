/** The same request at two processes at once: a client that had no answer asks the other one. */
import { expect } from 'chai'
import { uuidOf } from '../services/ids.ts'
import { until } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call, newKey, tokenOf, type Who } from './support/api.ts'
import { merchant, order, person, PIN } from './support/people.ts'
import { world } from './support/world.ts'

interface Asked {
  readonly path: string
  readonly body: object
}

async function askAt(apiUrl: string, who: Who, key: string, { path, body }: Asked) {
  const response = await fetch(`${apiUrl}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await tokenOf(who)}`,
      ...{ 'idempotency-key': key, 'content-type': 'application/json' },
    },
    body: JSON.stringify(body),
  })
  const isReplay = response.headers.get('idempotent-replayed') === 'true'
  return { status: response.status, text: await response.text(), isReplay }
}

/** Both wait for the payment's row, so neither finds what the other has answered. */
async function atBoth(who: Who, payment: string, asked: Asked) {
  const { owner, apiUrl } = await world()
  return withAnotherApi({}, async (other) => {
    const key = newKey()
    const holding = await owner.transaction()
    await holding('payments')
      .where({ id: uuidOf(payment) })
      .forUpdate()
    const answers = [apiUrl, other.apiUrl].map((url) => askAt(url, who, key, asked))
    const isWaited = async () => {
      const { rows } = await owner.raw(
        `SELECT count(*)::int AS waiting FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      return rows[0].waiting === 2
    }
    await until(isWaited)
    await holding.rollback()
    return Promise.all(answers)
  })
}

describe('the same request at two processes at once', () => {
  it('has one answer, though the second finds nothing left to do', async () => {
    const [ada, shop] = [await person(10_000n), await merchant()]
    const body = { order: await order(shop, '5000'), amount: '5000', currency: 'EUR' }
    const paid = await call(ada, 'POST', '/v1/payments', {
      body: { ...body, approval: { pin: PIN } },
    })
    expect(paid.status, paid.text).to.equal(201)
    const enough = await order(shop, '5000')
    const more = { order: enough, amount: '5000', currency: 'EUR', approval: { pin: PIN } }
    expect((await call(ada, 'POST', '/v1/payments', { body: more })).status).to.equal(201)
    const asked = { path: `/v1/payments/${paid.body.id}/refunds`, body: {} }
    const [one, other] = await atBoth(shop, paid.body.id, asked)
    expect([one?.status, other?.status], `${one?.text} ${other?.text}`).to.deep.equal([201, 201])
    expect(one?.text).to.equal(other?.text)
    expect([one, other].filter((each) => each?.isReplay)).to.have.length(1)
  })
})
