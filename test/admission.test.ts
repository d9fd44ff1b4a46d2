/** What a crowd meets that is larger than what is answered at once. */
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as dial, type Socket } from 'node:net'
import { expect } from 'chai'
import { times } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { newSubject, tokenOf } from './support/api.ts'
import { payment, person } from './support/people.ts'
import { world } from './support/world.ts'

const AT_ONCE = 16
/** They wait for as long as the test needs them to. */
const SETTINGS = {
  ...{ REQUESTS_AT_ONCE_MAX: AT_ONCE, RATE_MONEY_PER_MINUTE: 0 },
  ...{ DATABASE_LOCK_TIMEOUT_MS: 30_000, DATABASE_STATEMENT_TIMEOUT_MS: 30_000 },
}

describe('requests at once', () => {
  it('are so many; the next is told to come again, and probes are answered', async () => {
    const [ada, ben] = [await person(100_000n), await person()]
    const authorization = `Bearer ${await tokenOf(ada)}`
    const { worker } = await world()
    await withAnotherApi(SETTINGS, async ({ port }) => {
      const url = `http://127.0.0.1:${port}`
      const pay = () =>
        fetch(`${url}/v1/payments`, {
          ...{ method: 'POST', body: JSON.stringify(payment(ben, '100')) },
          headers: {
            ...{ authorization, 'content-type': 'application/json' },
            'idempotency-key': newSubject('crowd-crowd-crowd'),
          },
        })
      // Who has sent half of a request takes nobody's place.
      const slow = times(2 * AT_ONCE, () => half(port, authorization))
      const all: Promise<Response>[] = []
      await worker.db.transaction(async (trx) => {
        await trx.raw('SET LOCAL idle_in_transaction_session_timeout = 0')
        await trx.raw('SET LOCAL transaction_timeout = 0')
        await trx('accounts').where({ type: 'wallet' }).forUpdate()
        const refused = await firstRefused(() => {
          const paid = pay()
          all.push(paid)
          return paid
        })
        expect(refused.headers.get('retry-after')).to.equal('1')
        expect(refused.headers.get('content-type')).to.equal('application/problem+json')
        expect(refused.headers.get('x-content-type-options')).to.equal('nosniff')
        expect(await refused.json()).to.include({ code: 'saturated', status: 503 })
        const probes = await Promise.all(
          ['/healthz', '/readyz', '/metrics'].map((path) => fetch(`${url}${path}`)),
        )
        expect(probes.map(({ status }) => status)).to.deep.equal([200, 200, 200])
        const counted = /status="503".* (\d+)/.exec((await probes[2]?.text()) ?? '')
        expect(counted).not.to.equal(null)
      })
      const statuses = (await Promise.all(all)).map(({ status }) => status)
      expect(statuses.filter((status) => status === 201)).to.have.lengthOf.at.least(AT_ONCE)
      expect(statuses.filter((status) => ![201, 503].includes(status))).to.deep.equal([])
      const after = await fetch(`${url}/v1/accounts`, { headers: { authorization } })
      expect(after.status).to.equal(200)
      for (const socket of slow) socket.destroy()
    })
  })
})

function half(port: number, authorization: string): Socket {
  const socket = dial(port, '127.0.0.1')
  socket.write(
    `POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n` +
      'Content-Type: application/json\r\nIdempotency-Key: half-half-half-half\r\n' +
      'Content-Length: 100\r\n\r\n{',
  )
  return socket
}

/** One more and one more, until it is one too many. */
async function firstRefused(ask: () => Promise<Response>): Promise<Response> {
  const refused: Response[] = []
  while (refused.length === 0) {
    void ask().then((response) => {
      if (response.status === 503) refused.push(response)
    }, String)
    await sleep(20)
  }
  return refused[0]!
}
