/** A database that is silent, as one whose machine is gone: whoever asks it is told in time. */
import { expect } from 'chai'
import { connect, newId, newUnitId, openGroup } from '../ledger/index.ts'
import { times } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { tokenOf } from './support/api.ts'
import { payment, person } from './support/people.ts'
import { openWay } from './support/way.ts'
import { world } from './support/world.ts'

describe('a database that is silent', () => {
  it('is not waited for by an API, which goes on with new connections', async () => {
    const [ada, ben] = [await person(10_000n), await person()]
    const way = await openWay()
    const settings = { DATABASE_URL: way.url, DATABASE_STATEMENT_TIMEOUT_MS: 1_000 }
    await withAnotherApi(settings, async ({ apiUrl }) => {
      const token = await tokenOf(ada)
      const pay = (key: string) =>
        fetch(`${apiUrl}/v1/payments`, {
          method: 'POST',
          headers: {
            ...{ authorization: `Bearer ${token}`, 'idempotency-key': key },
            'content-type': 'application/json',
          },
          body: JSON.stringify(payment(ben, '100')),
        })
      expect((await pay(newId())).status).to.equal(201)
      expect(way.hush(), 'connections that it uses').to.be.greaterThan(0)
      const key = newId()
      expect((await pay(key)).status).to.equal(503)
      let answer = await pay(key)
      // Each of the connections that it has kept is found to be dead when it is used.
      while (answer.status === 503) answer = await pay(key)
      expect(answer.status).to.equal(201)
    })
    way.close()
  })

  it('is not waited for by those behind others either, however long the queue', async () => {
    const way = await openWay()
    const timeouts = { lock_ms: 100, idleInTransaction_ms: 1_000, transaction_ms: 60_000 }
    const group = openGroup({
      ...{ url: way.url, applicationName: 'test', companions: {}, refusals: [] },
      ...{ timeouts: { ...timeouts, statement_ms: 500 }, groupSizeMax: 1, groupsInFlightMax: 1 },
    })
    const submit = () => {
      const conclude = () => ({ answer: '{}' })
      return group.submit({ id: newUnitId(), at: new Date(), transfers: [], conclude })
    }
    expect((await submit()).answer).to.equal('{}')
    way.hush()
    const started = performance.now()
    const codes = await Promise.all(
      times(4, () =>
        submit().then(
          () => undefined,
          (error: { code: string }) => error.code,
        ),
      ),
    )
    // One group may be silent for six seconds; four of them, one after another, for twenty-four.
    expect(performance.now() - started).to.be.lessThan(9_000)
    expect(
      codes.filter((code) => code !== undefined && code !== 'ledger_unavailable'),
    ).to.deep.equal([])
    expect(codes).to.include('ledger_unavailable')
    way.close()
  })

  it('is waited for where a transaction has said that it takes longer', async () => {
    const { url } = await world()
    const timeouts = { lock_ms: 100, idleInTransaction_ms: 100, transaction_ms: 60_000 }
    const db = connect({
      ...{ url, connectionsMax: 1, applicationName: 'test' },
      timeouts: { ...timeouts, statement_ms: 100 },
    })
    const slept = await db.transaction(async (trx) => {
      await trx.raw("SET LOCAL statement_timeout = '1min'")
      const { rows } = await trx.raw("SELECT 'slept' AS what FROM pg_sleep(7.5)")
      return rows[0].what as string
    })
    expect(slept).to.equal('slept')
    await db.destroy()
  })
})
