/** A ring says: look at this. Whoever looks must find it there. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId, type Uuid } from '../ledger/index.ts'
import { openServer } from '../services/http/server.ts'
import { openQueue } from '../services/queue.ts'
import { newKey, tokenOf } from './support/api.ts'
import { withAnotherApi } from './support/another-api.ts'
import { startListening } from './support/listening.ts'
import { linkedAccount, person, PIN } from './support/people.ts'
import { openWay } from './support/way.ts'
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

  it('is heard by whoever began to listen while the database was away', async () => {
    const way = await openWay()
    way.breakAt(FIRST_LOOK)
    const { heard, errors, queue } = listening(way.url)
    while (way.broken() < 2) await sleep(50)
    way.heal()
    const id = newId()
    while (!heard.includes(id)) {
      await queue.ring('callback', [id])
      await sleep(100)
    }
    expect(errors).to.not.be.empty
    await queue.close()
    way.close()
  })

  it('asks a database that is away again and again, and not as fast as it is refused', async () => {
    const way = await openWay()
    const { heard, errors, queue } = listening(way.url, () => {
      if (heard.length === 1) way.breakAt()
    })
    while (heard.length === 0) {
      await queue.ring('callback', [newId()])
      await sleep(100)
    }
    errors.length = 0
    await sleep(3_000)
    expect(errors.length).to.be.within(3, 100)
    way.heal()
    while (heard.length === 1) {
      await queue.ring('callback', [newId()])
      await sleep(100)
    }
    await queue.close()
    way.close()
  })

  it('can be closed while there is no database to ask', async () => {
    const way = await openWay()
    way.breakAt(FIRST_LOOK)
    const { queue } = listening(way.url)
    while (way.broken() < 2) await sleep(50)
    await queue.close()
    way.close()
  })
})

/** What BullMQ asks before it does anything. */
const FIRST_LOOK = 'migration'

function listening(databaseUrl: string, onHeard = () => {}) {
  const [heard, errors]: [Uuid[], Error[]] = [[], []]
  const queue = openQueue({ databaseUrl, onError: (error) => void errors.push(error) })
  const hear = async (id: Uuid) => {
    heard.push(id)
    onHeard()
  }
  queue.work({ instruction: hear, callback: hear, recall: hear, reconciliation: hear }, 1)
  return { heard, errors, queue }
}
