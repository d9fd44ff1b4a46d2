/** What days do to webhooks, by a clock that a test sets. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import { enqueue } from '../services/webhooks/deliveries.ts'
import { purgeDeliveries } from '../services/webhooks/dispatch.ts'
import { times, until } from './support/abuse.ts'
import { call } from './support/api.ts'
import { findTold } from './support/told.ts'
import { merchant, type Merchant } from './support/people.ts'
import { openReceiver, type Receiver } from './support/receiver.ts'
import {
  deliveriesOf,
  happens,
  type Made,
  newEndpoint,
  removeEndpoint,
  startDelivering,
} from './support/webhooks.ts'
import { world } from './support/world.ts'

const DAY_MS = 86_400_000
const FAILING_DAYS = 3

describe('a webhook endpoint', () => {
  let later_ms = 0
  const now = () => new Date(Date.now() + later_ms)
  let status = 500
  let [shop, receiver, endpoint]: [Merchant?, Receiver?, Made?] = []
  let delivering: Awaited<ReturnType<typeof startDelivering>>
  before(async () => {
    delivering = await startDelivering({ WEBHOOK_FAILING_DAYS: FAILING_DAYS }, now)
  })
  after(() => delivering.stop())
  beforeEach(async () => {
    status = 500
    shop = await merchant()
    receiver = await openReceiver((response) => response.writeHead(status).end())
    endpoint = await newEndpoint(shop, receiver.url)
  })
  afterEach(async () => {
    await removeEndpoint(shop!, endpoint!)
    await receiver!.close()
  })

  const path = (what = '') => `/v1/webhook_endpoints/${endpoint!.id}${what}`
  const shown = async () => (await call(shop, 'GET', path())).body
  const deliveries = () => deliveriesOf(shop!, endpoint!)
  const attempts = async (): Promise<number> => (await deliveries())[0]?.attempts.length ?? 0
  /** Waits until the worker has noted it, and left the endpoint alone. */
  async function attempted(count: number): Promise<void> {
    await until(async () => (await attempts()) === count)
    const { owner } = await world()
    const own = owner('webhook_endpoints').where({ id: uuidOf(endpoint!.id) })
    await until(async () => (await own.clone().first('lease')).lease === null)
  }

  it('is disabled after days of failures, says so, and goes on when it is enabled', async () => {
    const object = await happens(shop!)
    await attempted(1)
    const since = (await shown()).failing_since
    later_ms += FAILING_DAYS * DAY_MS - 60_000
    await attempted(2)
    expect(await shown()).to.deep.include({ state: 'enabled', failing_since: since })
    later_ms += 10 * 60_000
    await until(async () => (await shown()).state === 'disabled')
    expect(await shown()).to.deep.include({ disabled_reason: 'failing', failing_since: since })
    const told = await findTold(({ object: about }) => about === endpoint!.id)
    expect(told).to.deep.include({ type: 'webhook_endpoint.disabled' })
    expect(told!.data).to.deep.equal(await shown())
    const missed = await happens(shop!)
    later_ms += DAY_MS
    status = 204
    expect(receiver!.got.map((one) => one.object)).to.deep.equal([object, object, object])
    const enabled = await call(shop, 'PUT', path(), { body: { state: 'enabled' } })
    expect(enabled.body).to.deep.include({
      ...{ state: 'enabled', disabled_reason: null, failing_since: null },
    })
    // What waited comes by itself; what happened meanwhile, when it is asked for.
    await receiver!.until((got) => got.length >= 4)
    expect(receiver!.got.some((one) => one.object === missed)).to.equal(false)
    const from = new Date(Date.now() - 60_000).toISOString()
    expect((await call(shop, 'POST', path('/replay'), { body: { from } })).status).to.equal(202)
    await receiver!.until((got) => got.some((one) => one.object === missed))
  })

  it('that answers in between is not disabled, however long it fails in all', async () => {
    await happens(shop!)
    await attempted(1)
    later_ms += (FAILING_DAYS - 1) * DAY_MS
    await attempted(2)
    status = 204
    later_ms += DAY_MS
    await attempted(3)
    expect(await shown()).to.deep.include({ state: 'enabled', failing_since: null })
    status = 500
    await happens(shop!)
    await attempted(1)
    expect(await shown()).to.deep.include({ state: 'enabled' })
  })

  it('gets what waits for a later attempt at once when it asks for it', async () => {
    await happens(shop!)
    await attempted(1)
    status = 204
    const [waiting] = await deliveries()
    expect(waiting.state).to.equal('waiting')
    await call(shop, 'POST', path(`/deliveries/${waiting.id}/redeliver`))
    await attempted(2)
    expect((await deliveries())[0].state).to.equal('delivered')
  })

  it('forgets deliveries that ended long ago, with their attempts, and no others', async () => {
    await happens(shop!)
    await attempted(1)
    status = 204
    await happens(shop!)
    await until(async () => (await deliveries()).length === 2 && (await attempts()) === 1)
    await until(async () => (await deliveries())[0].state === 'delivered')
    const { worker, owner } = await world()
    const days = worker.config.WEBHOOK_LOG_DAYS
    const purge = (age_ms: number) =>
      purgeDeliveries({ ...worker, now: () => new Date(Date.now() + age_ms) })
    await purge(days * DAY_MS - 60_000)
    expect(await deliveries()).to.have.length(2)
    const [gone, kept] = await deliveries()
    await purge(days * DAY_MS + 60_000)
    expect((await deliveries()).map(({ id }: { id: string }) => id)).to.deep.equal([kept.id])
    const left = await owner('webhook_attempts').where({ delivery_id: uuidOf(gone.id) })
    expect(left).to.have.length(0)
  })

  it('that was removed leaves nothing behind that waits for ever', async () => {
    await happens(shop!)
    await attempted(1)
    const { worker, owner } = await world()
    const old_ms = worker.config.WEBHOOK_LOG_DAYS * DAY_MS + 60_000
    const purge = () => purgeDeliveries({ ...worker, now: () => new Date(Date.now() + old_ms) })
    const rows = owner('webhook_deliveries').where({ endpoint_id: uuidOf(endpoint!.id) })
    await purge()
    expect(await rows.clone().pluck('state')).to.deep.equal(['waiting'])
    await removeEndpoint(shop!, endpoint!)
    await purge()
    expect(await rows).to.deep.equal([])
    endpoint = await newEndpoint(shop!, receiver!.url)
  })
})

describe('events that many endpoints asked for', () => {
  it('are all written, though no statement has room for so many parameters', async () => {
    const { owner } = await world()
    const count = 20_000
    const { id } = await newEndpoint(await merchant(), 'http://127.0.0.1:1/')
    const deliveries = times(count, () => ({ endpoint: uuidOf(id), event: newId() }))
    const undone = new Error('undone')
    const work = owner.transaction(async (trx) => {
      await enqueue(trx, deliveries, new Date())
      const [made] = await trx('webhook_deliveries').count({ made: '*' })
      expect(Number(made?.['made'])).to.be.at.least(count)
      throw undone
    })
    expect(await work.catch((error: unknown) => error)).to.equal(undone)
  })
})
