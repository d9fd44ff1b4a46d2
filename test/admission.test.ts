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
      const paying = await worker.db.transaction(async (trx) => {
        await trx('accounts').where({ type: 'wallet' }).forUpdate()
        const all = times(AT_ONCE, pay)
        const refused = await untilRefused(`${url}/v1/accounts`, { authorization })
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
        return { all }
      })
      const answers = await Promise.all(paying.all)
      expect(answers.map(({ status }) => status)).to.deep.equal(times(AT_ONCE, () => 201))
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

/** The crowd is there when it is: then, and only then, the next is refused. */
async function untilRefused(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  for (;;) {
    const response = await fetch(url, { headers })
    if (response.status === 503) return response
    await response.body?.cancel()
    await sleep(20)
  }
}
