/** A ring says: look at this. Whoever looks must find it there. */
import { expect } from 'chai'
import { openServer } from '../services/http/server.ts'
import { newKey, tokenOf } from './support/api.ts'
import { withAnotherApi } from './support/another-api.ts'
import { startListening } from './support/listening.ts'
import { linkedAccount, person, PIN } from './support/people.ts'
import { world } from './support/world.ts'

describe('the doorbell', () => {
  it('is rung for what is committed, and never before', async () => {
    const { owner, routes } = await world()
    const ada = await person()
    const bank_account = await linkedAccount(ada)
    const found: number[] = []
    await withAnotherApi({}, async ({ context }) => {
      const { queue } = context
      const watched: typeof queue = {
        ...queue,
        // As a worker would, over a connection that knows nothing of ours.
        async ring(bell, ids) {
          found.push((await owner('instructions').whereIn('id', [...ids])).length)
          await queue.ring(bell, ids)
        },
      }
      const server = await startListening(openServer({ ...context, queue: watched }, routes))
      const body = { bank_account, amount: '100', currency: 'EUR', approval: { pin: PIN } }
      const headers = {
        ...{ authorization: `Bearer ${await tokenOf(ada)}`, 'idempotency-key': newKey() },
        'content-type': 'application/json',
      }
      const asked = { method: 'POST', headers, body: JSON.stringify(body) }
      const answer = await fetch(`${server.url}/v1/top_ups`, asked)
      expect(answer.status, await answer.text()).to.equal(202)
      await server.stop()
    })
    expect(found).to.deep.equal([1])
  })
})
